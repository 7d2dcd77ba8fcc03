"""The server and the databases of the tests. Everything runs on a real PostgreSQL.

Every run has a server of its own, which its workers share: two runs beside each other do not
meet. FACTORY_TEST_PG_BIN names the bin directory of another PostgreSQL, 15 or newer.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.db.embedded import EmbeddedPostgres
from app.garbage import collect_seldom
from app.observability import configure_logging
from tests.support.commands import Programs
from tests.support.databases import (
    SERVER_OPTIONS,
    Connect,
    Database,
    Login,
    Server,
    bootstrapped_database,
    cloned_database,
    ensure_template,
    open_connection,
    superuser_of,
)
from tests.support.fork_server import start_fork_server
from tests.support.once import once
from tests.support.remembered import remember

_run_dir = pytest.StashKey[Path]()
_running = pytest.StashKey[int]()


def _fast_directory() -> Path | None:
    """Memory instead of a disk, where there is enough: a clone takes a tenth of the time."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or not os.access(memory, os.W_OK):
        return None
    runs_programs = not os.statvfs(memory).f_flag & os.ST_NOEXEC
    return memory if runs_programs and shutil.disk_usage(memory).free > 4 * 1024**3 else None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the run's directory; the workers of pytest-xdist are told of it."""
    # As the program has it: by itself, structlog draws a traceback of ours in seconds.
    configure_logging("info", "console")
    remember()
    worker_input: dict[str, Any] | None = getattr(config, "workerinput", None)
    config.stash[_run_dir] = Path(
        worker_input["factory_run_dir"]
        if worker_input is not None
        else tempfile.mkdtemp(prefix="factory-tests-", dir=_fast_directory())
    )
    if worker_input is None:
        # Data directories are made and copied in half the time where the server's is.
        config.option.basetemp = config.option.basetemp or config.stash[_run_dir] / "tmp"
        running = config.stash[_run_dir] / "running"
        os.mkfifo(running)
        config.stash[_running] = os.open(running, os.O_RDWR)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays: no search for garbage goes through it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        collect_seldom()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the run's directory is."""
    node.workerinput["factory_run_dir"] = str(node.config.stash[_run_dir])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the run's directory, after the last worker has stopped the server in it."""
    if not hasattr(config, "workerinput"):
        os.close(config.stash[_running])
        shutil.rmtree(config.stash[_run_dir])


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A running PostgreSQL; the last worker that uses it stops it."""
    run_dir = request.config.stash[_run_dir]
    other = os.environ.get("FACTORY_TEST_PG_BIN")
    with EmbeddedPostgres(
        run_dir / "server",
        bin_dir=Path(other) if other else None,
        options=SERVER_OPTIONS,
    ) as embedded:
        yield Server(embedded=embedded, run_dir=run_dir)


@pytest.fixture(scope="session")
async def maintenance(server: Server) -> AsyncIterator[asyncpg.Connection]:
    """A connection that makes and drops this worker's databases."""
    async with superuser_of(server) as connection:
        yield connection


@pytest.fixture(scope="session")
async def migrated_template(server: Server) -> None:
    """The migrated database that the others are cloned from."""
    await ensure_template(server)


@pytest.fixture
async def database(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Database]:
    """A migrated database for this test alone."""
    async with cloned_database(server, maintenance) as clone:
        yield clone


@pytest.fixture
async def empty_database(
    server: Server, maintenance: asyncpg.Connection
) -> AsyncIterator[Database]:
    """A database for this test alone, bootstrapped but not migrated."""
    async with bootstrapped_database(server, maintenance) as bare:
        yield bare


@pytest.fixture(scope="session")
async def unchanged_database(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Database]:
    """A migrated database for tests that only look at the catalogue and change nothing."""
    async with cloned_database(server, maintenance) as clone:
        yield clone


@pytest.fixture(scope="session")
def shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of the run have in common, and that is removed with theirs."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


@pytest.fixture(scope="session")
def forks(request: pytest.FixtureRequest) -> None:
    """Programs are forked and not started anew, from now on; all workers have them from one."""
    run_dir = request.config.stash[_run_dir]
    Programs.fork_server = run_dir / "forks"
    with once(Programs.fork_server) as missing:
        if missing:
            start_fork_server(Programs.fork_server, run_dir / "running")


@pytest.fixture
async def connect(database: Database) -> AsyncIterator[Connect]:
    """Opens connections to `database` as one of the logins; they are closed after the test."""
    async with AsyncExitStack() as stack:

        async def open_as(login: Login) -> asyncpg.Connection:
            connection = await open_connection(database, login)
            stack.push_async_callback(connection.close)
            return connection

        yield open_as


@pytest.fixture
async def owner(connect: Connect) -> asyncpg.Connection:
    """A connection of iu_owner."""
    return await connect("owner")


@pytest.fixture
async def app_conn(connect: Connect) -> asyncpg.Connection:
    """A connection of iu_app, the service's role."""
    return await connect("app")


@pytest.fixture
async def reader_conn(connect: Connect) -> asyncpg.Connection:
    """A connection of iu_reader, the dashboards' role."""
    return await connect("reader")


@pytest.fixture
async def observer(connect: Connect) -> asyncpg.Connection:
    """A connection of the superuser, to see what the others wait for."""
    return await connect("superuser")
