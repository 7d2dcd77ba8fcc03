"""What lies around the service when this program hosts it: database, socket, an orderly end.

    with stoppable(), hosting(settings) as host:
        asyncio.run(host.check())
        serve(host, bound_socket(settings), once_up)    # until Ctrl-C or SIGTERM

The embedded server starts before the service and stops after it, whatever ends the program.
"""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from types import FrameType

import asyncpg
import uvicorn

from app.db.bootstrap import BootstrapReport, bootstrap
from app.db.embedded import EmbeddedError, EmbeddedPostgres
from app.db.migrations import MigrationError, MigrationReport, migrate
from app.db.startup_check import startup_check
from app.errors import StartupError
from app.http.protocol import ProblemProtocol
from app.main import create_app
from app.observability import configure_logging
from app.settings import Settings

EMBEDDED_DATABASE = "factory"
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

SHUTDOWN_S = 10
"""Seconds that requests have to end after the program was told to."""


@dataclass(frozen=True, slots=True)
class Host:
    """The database that this program works on, and as whom. URLs carry passwords."""

    settings: Settings
    service_url: str
    owner_url: str | None
    embedded: EmbeddedPostgres | None

    @property
    def service_settings(self) -> Settings:
        """The settings of the service, which knows no embedded server but only a URL."""
        return self.settings.model_copy(update={"database_url": self.service_url})

    def required_owner_url(self) -> str:
        """The owner's login. Raises StartupError, which says how to name one."""
        if self.owner_url is None:
            raise StartupError(
                "This needs the owner's login: set FACTORY_MIGRATION_DATABASE_URL to a login that"
                " is a member of iu_owner."
            )
        return self.owner_url

    async def prepare(self) -> BootstrapReport | None:
        """Make roles and schema where the program runs the server; None where somebody else does.

        Elsewhere that takes a superuser, once: `factory bootstrap`.
        """
        if self.embedded is None:
            return None
        passwords = {role: self.embedded.role_password(role) for role in ("iu_owner", "iu_app")}
        return await bootstrap(
            self.embedded.superuser_url, database=EMBEDDED_DATABASE, passwords=passwords
        )

    async def migrate(self, *, again: bool = False) -> MigrationReport:
        """Bring the database to this program's schema. Raises StartupError with what to do."""
        try:
            return await migrate(self.required_owner_url(), again=again)
        except MigrationError as error:
            raise StartupError(str(error)) from error
        except (OSError, asyncpg.PostgresError) as error:
            raise _unreachable(error) from error

    async def check(self) -> None:
        """Look whether the service can work here. Raises StartupError, a line per finding."""
        try:
            findings = await startup_check(
                self.service_url, disposable_data=self.settings.disposable_data
            )
        except (asyncpg.InvalidPasswordError, asyncpg.InvalidCatalogNameError) as error:
            if self.embedded is None:
                raise _unreachable(error) from error
            # A data directory that nobody has migrated yet has neither the database nor its roles.
            raise StartupError("The database is new: run `factory migrate` first.") from error
        except (OSError, asyncpg.PostgresError) as error:
            raise _unreachable(error) from error
        if findings:
            raise StartupError("\n".join(str(finding) for finding in findings))


@contextlib.contextmanager
def hosting(settings: Settings) -> Iterator[Host]:
    """The database of the settings; an embedded one runs until the block ends.

    Raises StartupError, one line that says what to do, where it can't be started.
    """
    if settings.database_url is not None:
        yield Host(settings, settings.database_url, settings.migration_database_url, None)
        return
    server = EmbeddedPostgres(settings.data_dir)
    try:
        server.start()
    except EmbeddedError as error:
        raise StartupError(str(error)) from error
    try:
        yield Host(
            settings,
            server.url("iu_app", EMBEDDED_DATABASE),
            server.url("iu_owner", EMBEDDED_DATABASE),
            server,
        )
    finally:
        # A second Ctrl-C must not leave the server behind.
        with _handled(signal.SIG_IGN):
            server.stop()


def bound_socket(settings: Settings) -> socket.socket:
    """The socket to listen on. Raises StartupError where the address can't be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartupError(
                f"Port {settings.port} on {settings.host} is taken: stop what listens there, or"
                " set FACTORY_PORT to another one."
            ) from error
        if error.errno == errno.EACCES:
            raise StartupError(
                f"Port {settings.port} is not for ordinary users: set FACTORY_PORT to 1024 or more."
            ) from error
        raise StartupError(
            f"FACTORY_HOST {settings.host} is no address of this machine ({error.strerror})."
        ) from error
    return listener


def serve(
    host: Host,
    listener: socket.socket,
    once_up: Callable[[str], Awaitable[None]],
) -> None:
    """Serve until Ctrl-C or SIGTERM, then end what runs.

    `once_up` is called with the service's URL when it answers; what it raises ends the service.
    """
    asyncio.run(_serve(host, listener, once_up))


async def _serve(
    host: Host, listener: socket.socket, once_up: Callable[[str], Awaitable[None]]
) -> None:
    async with served(host.service_settings, listener) as (url, ended):
        greeting = asyncio.ensure_future(once_up(url))
        try:
            await asyncio.wait({ended, greeting}, return_when=asyncio.FIRST_COMPLETED)
            if greeting.done():
                greeting.result()
                await asyncio.wait({ended})
        finally:
            greeting.cancel()


@contextlib.asynccontextmanager
async def served(
    settings: Settings, listener: socket.socket
) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """The service beside the block: its URL, and the task that ends when it does.

    It is stopped in order when the block ends. Raises StartupError where it does not come up.
    """
    configure_logging(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        create_app(settings),
        http=ProblemProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        up = asyncio.create_task(server.up.wait())
        await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not server.started:
            raise StartupError("The service did not come up; the lines above say why.")
        yield _url(settings, listener), serving
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it listens, and ends quietly.

    uvicorn raises the signal that ended it once more at its end, in the middle of the loop. Here
    the end of the server is all that a signal means.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        with _handled(self.handle_exit):
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.up.set()


def _url(settings: Settings, listener: socket.socket) -> str:
    return settings.model_copy(update={"port": listener.getsockname()[1]}).api_url


class _Stopped(BaseException):
    """The program was told to end."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """End the block in order on Ctrl-C and SIGTERM, wherever it is, and go on after it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    with contextlib.suppress(_Stopped), _handled(stop):
        yield


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _unreachable(error: Exception) -> StartupError:
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return StartupError(
        f"The database can't be reached ({said}): look at FACTORY_DATABASE_URL and"
        " FACTORY_MIGRATION_DATABASE_URL, and whether the server runs."
    )
