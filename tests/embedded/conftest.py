"""Servers and programs for the tests of the embedded server; each test ends what it started."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db.embedded import EmbeddedPostgres
from tests.embedded.helpers import Start, copy_of, is_over, wait_until
from tests.embedded.programs import Program, Run


@pytest.fixture(scope="session")
def bin_dir() -> Path | None:
    """The PostgreSQL under test: the packaged one, unless FACTORY_TEST_PG_BIN names another."""
    named = os.environ.get("FACTORY_TEST_PG_BIN")
    return Path(named) if named else None


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory that is not there yet; after the test no server may run in it."""
    path = tmp_path / "var"
    yield path
    wait_until(lambda: is_over(path), "the server of this test still runs")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, bin_dir: Path | None) -> Path:
    """A data directory whose database has just been made: copying it is quicker than making it."""
    directory = tmp_path_factory.mktemp("made") / "var"
    with EmbeddedPostgres(directory, bin_dir=bin_dir, options={"fsync": "off"}):
        pass
    (directory / "postgres.log").unlink()
    return directory


def supply(made: Path, directory: Path, how: dict[str, Any]) -> None:
    """Put a database into `directory`, unless the test is about how one is made (`anew`)."""
    anew = how.pop("anew", False) or "user" in how or "bin_dir" in how
    if not anew and not directory.exists():
        copy_of(made, directory)


@pytest.fixture
def start(bin_dir: Path | None, data_dir: Path, made: Path) -> Iterator[Start]:
    """Start a server whose data may be lost; it is stopped after the test."""
    with contextlib.ExitStack() as stack:

        def begin(directory: Path = data_dir, **how: Any) -> EmbeddedPostgres:
            supply(made, directory, how)
            options = {"fsync": "off", **how.pop("options", {})}
            server = EmbeddedPostgres(
                directory, bin_dir=how.pop("bin_dir", bin_dir), options=options
            )
            stack.callback(server.stop)
            server.start()
            return server

        yield begin


@pytest.fixture
def run(bin_dir: Path | None, data_dir: Path, made: Path, forks: None) -> Iterator[Run]:
    """Start a program that uses the server of `data_dir`; it is ended after the test."""
    with contextlib.ExitStack() as stack:

        def begin(directory: Path = data_dir, **how: Any) -> Program:
            supply(made, directory, how)
            program = Program(directory, how.pop("bin_dir", bin_dir), **how)
            stack.callback(program.close)
            return program

        yield begin
