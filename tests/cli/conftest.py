"""A service that an evaluation hosts, and the commands that are sent to it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.embedded.helpers import copy_of, is_over, wait_until
from tests.support.commands import Done, Hosting, environment, factory, hosting
from tests.support.once import once

GATES = ("piece_write", "lifecycle", "template_authoring", "composer", "auto_instantiate")


@dataclass(frozen=True)
class Cli:
    """The command line, pointed at a service with a key."""

    url: str
    directory: Path
    env: dict[str, str]

    def __call__(self, *arguments: str | Path, code: int = 0) -> Done:
        """Run a command, and expect its exit code."""
        done = factory(*arguments, env=self.env, cwd=self.directory, code=code)
        assert "Traceback" not in done.err
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> Any:
        """Run a command with --json; the document that it prints, and nothing else."""
        done = self(*arguments, "--json", code=code)
        assert done.err == ""
        return done.document

    def refusal(self, *arguments: str | Path, code: int) -> list[str]:
        """The lines in which a command is refused; the last, which names the request, is left out.

        The same command with --json prints the problem document.
        """
        done = self(*arguments, code=code)
        assert done.out == ""
        *lines, request = done.err.splitlines()
        assert request.startswith("  Request: ")
        problem = self.json(*arguments, code=code)
        assert lines[0].startswith(f"{problem['code']}: ")
        return lines

    def with_key(self, secret: str) -> "Cli":
        """The same with another key."""
        return replace(self, env={**self.env, "FACTORY_API_KEY": secret})

    def at(self, url: str) -> "Cli":
        """The same at another URL."""
        return replace(self, url=url, env={**self.env, "FACTORY_URL": url})

    def file(self, name: str, text: str) -> Path:
        """A file in the directory in which commands run."""
        path = self.directory / name
        path.write_text(text)
        return path


@pytest.fixture(scope="session", autouse=True)
def all_commands_are_forked(forks: None) -> None:
    """Nothing here starts a command anew."""


@pytest.fixture(scope="session")
def ready(shared_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory as an evaluation leaves it."""
    data = shared_directory / "ready"
    with once(data) as missing:
        if missing:
            env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
            directory = tmp_path_factory.mktemp("ready")
            with hosting("evaluate", "--json", env=env, cwd=directory) as program:
                program.document()
                assert program.stop() == 0
    return data


@pytest.fixture
def data(ready: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it for one test, in which nothing runs afterwards."""
    path = copy_of(ready, tmp_path / "the data")
    yield path
    wait_until(lambda: is_over(path), "the server's end")


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Path]:
    """A data directory that is not there yet, and in which nothing runs afterwards."""
    path = tmp_path / "new data"
    yield path
    wait_until(lambda: is_over(path), "the server's end")


@pytest.fixture(scope="session")
def evaluation(
    ready: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hosting, Path]]:
    """An evaluation that runs, and its data directory."""
    directory = tmp_path_factory.mktemp("evaluation")
    data = copy_of(ready, directory / "the data")
    env = environment(FACTORY_DATA_DIR=str(data), FACTORY_PORT="0")
    with hosting("evaluate", "--json", env=env, cwd=directory) as program:
        program.document()
        yield program, data


@pytest.fixture(scope="session")
def service(evaluation: tuple[Hosting, Path]) -> Cli:
    """The command line of who started the evaluation; the gates stay as they are left."""
    program, data = evaluation
    url = program.document()["url"]
    return Cli(url, data.parent, environment(FACTORY_DATA_DIR=str(data), FACTORY_URL=url))


@pytest.fixture
def cli(service: Cli) -> Cli:
    """The same, with the gates of composing and authoring open."""
    headers = {"Authorization": f"Bearer {admin_key(service)}"}
    body = {"state": "open", "reason": "the tests"}
    # There is no TLS, and reading certificates for it would take longest.
    with httpx.Client(
        base_url=service.url, headers=headers, trust_env=False, verify=False
    ) as client:
        for gate in GATES:
            client.put(f"/gates/{gate}_enabled", json=body).raise_for_status()
    return service


@pytest.fixture(scope="session")
def producer(service: Cli) -> Cli:
    """The command line of somebody with a producer's key."""
    made = service.json("key", "create", "--principal", "billing service", "--actor", "billing")
    return service.with_key(made["secret"])


def admin_key(cli: Cli) -> str:
    """The key in the data directory."""
    return (Path(cli.env["FACTORY_DATA_DIR"]) / "admin.key").read_text().strip()
