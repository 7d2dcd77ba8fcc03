"""What lies around the service when this program hosts it: database, socket, an orderly end.

    with bound_socket(settings) as listener, hosting(settings) as host:
        run(serve(host, listener, greet))    # until Ctrl-C or SIGTERM

The embedded server starts before the service and stops after it, whatever ends the program.
"""

import asyncio
import contextlib
import errno
import gc
import logging
import socket
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import DBAPIError

from app.db.bootstrap import BootstrapError, BootstrapReport, bootstrap
from app.db.embedded import EmbeddedError, EmbeddedPostgres
from app.db.failures import cause_of, is_unreachable
from app.db.migrations import (
    MigrationError,
    MigrationReport,
    MigrationTreeError,
    ScriptFailed,
    migrate,
)
from app.db.startup_check import startup_check
from app.errors import StartupError
from app.http.last_resort import tell_stopping
from app.http.protocol import ProblemProtocol
from app.main import create_app
from app.observability import configure_logging
from app.settings import Settings
from app.stopping import stoppable_once, unstoppable

EMBEDDED_DATABASE = "factory"

DISPOSABLE: Mapping[str, str] = MappingProxyType({"fsync": "off", "full_page_writes": "off"})
"""Settings of an embedded server whose data is thrown away; `disposable_data` goes with them."""

SHUTDOWN_S = 10
"""Seconds that requests have to end after the program was told to."""

LONGEST_SHUTDOWN_S = 15
"""Seconds after which a service is cut short: a transaction may go on without its request."""

_DURABLE: Mapping[str, str] = MappingProxyType({})
_BACKLOG = 2048
_URLS = "FACTORY_DATABASE_URL and FACTORY_MIGRATION_DATABASE_URL"

_NOT_MIGRATED = (
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedTableError,
)
_TURNED_AWAY = (
    asyncpg.InvalidAuthorizationSpecificationError,  # a wrong password among others
    asyncpg.InvalidCatalogNameError,
    asyncpg.exceptions.ClientConfigurationError,
)
_DATABASE_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError)


@dataclass(frozen=True, slots=True)
class Host:
    """The database that this program works on, and as whom. URLs carry passwords."""

    settings: Settings
    service_url: str | None
    owner_url: str | None
    embedded: EmbeddedPostgres | None

    @property
    def service_settings(self) -> Settings:
        """The settings of the service, which knows no embedded server but only a URL."""
        return self.settings.model_copy(update={"database_url": self.required_service_url()})

    def required_service_url(self) -> str:
        """The service's login. Raises StartupError, which says how to name one."""
        if self.service_url is None:
            raise StartupError(
                "FACTORY_MIGRATION_DATABASE_URL is set and FACTORY_DATABASE_URL is not: set it to"
                " the service's login to the same database, a member of iu_app."
            )
        return self.service_url

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
        with told_in_a_line():
            return await bootstrap(
                self.embedded.superuser_url, database=EMBEDDED_DATABASE, passwords=passwords
            )

    async def migrate(self, *, again: bool = False) -> MigrationReport:
        """Bring the database to this program's schema. Raises StartupError with what to do."""
        with told_in_a_line():
            return await migrate(self.required_owner_url(), again=again)

    async def check(self) -> None:
        """Look whether the service can work here. Raises StartupError, a line per finding."""
        with self.told_if_new(), told_in_a_line():
            findings = await startup_check(
                self.required_service_url(), disposable_data=self.settings.disposable_data
            )
        if findings:
            raise StartupError("\n".join(str(finding) for finding in findings))

    @contextlib.contextmanager
    def told_if_new(self) -> Iterator[None]:
        """Raise StartupError, which says what to do, where nobody has migrated the embedded server.

        It then has neither the database nor its roles.
        """
        try:
            yield
        except StartupError as error:
            new = isinstance(
                error.__cause__, asyncpg.InvalidPasswordError | asyncpg.InvalidCatalogNameError
            )
            if self.embedded is None or not new:
                raise
            raise StartupError("The database is new: run `factory migrate` first.") from error


@contextlib.contextmanager
def told_in_a_line(look_at: str = _URLS) -> Iterator[None]:
    """Turn what a database refuses to its operator into a StartupError that says what to do.

    `look_at` names the settings that it was reached by. An error that is about something else is a
    defect, and passes through.
    """
    try:
        yield
    except (MigrationError, BootstrapError) as error:
        raise StartupError(str(error)) from error
    except (ScriptFailed, MigrationTreeError) as error:
        raise StartupError(f"The migration failed, and nothing was changed. {error}") from error
    except _DATABASE_ERRORS as error:
        _tell(error, look_at)


def _tell(error: Exception, look_at: str) -> NoReturn:
    cause = cause_of(error)
    said = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        raise StartupError(
            f"The login has not the rights for this ({said}): look at whose it is, and run"
            " `factory bootstrap` as a superuser."
        ) from cause
    if isinstance(cause, _NOT_MIGRATED):
        raise StartupError(
            f"The database is not migrated ({said}): run `factory migrate` first."
        ) from cause
    if not (isinstance(cause, _TURNED_AWAY) or is_unreachable(error)):
        raise error
    raise StartupError(
        f"The database can't be reached ({said}): look at {look_at}, and whether the server runs."
    ) from cause


@contextlib.contextmanager
def hosting(settings: Settings, *, options: Mapping[str, str] = _DURABLE) -> Iterator[Host]:
    """The database of the settings; an embedded one runs until the block ends.

    `options` are settings of the embedded server. Raises StartupError, one line that says what to
    do, where it can't be started.
    """
    service_url, owner_url = settings.database_url, settings.migration_database_url
    if service_url is not None or owner_url is not None:
        yield Host(settings, service_url, owner_url, None)
        return
    with _explained():
        server = EmbeddedPostgres(settings.data_dir, options=options)
    try:
        with stoppable_once(), _explained():
            server.start()
        yield Host(
            settings,
            server.url("iu_app", EMBEDDED_DATABASE),
            server.url("iu_owner", EMBEDDED_DATABASE),
            server,
        )
    finally:
        # A second Ctrl-C must not leave the server behind.
        with unstoppable(), _explained():
            server.stop()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except EmbeddedError as error:
        raise StartupError(str(error)) from error


def bound_socket(settings: Settings) -> socket.socket:
    """The socket, listening. Raises StartupError where the address can't be had.

    It listens before anything else is done, so that of two programs that start at once one is
    told. Who connects early waits until the service is up.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP, or asyncio does not turn Nagle's algorithm off: 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
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


async def serve(host: Host, listener: socket.socket, greet: Callable[[str], None]) -> None:
    """Serve until the task is cancelled, then end what runs.

    `greet` is called with the service's URL when it answers.
    """
    async with served(host.service_settings, listener) as (url, ended):
        greet(url)
        await asyncio.wait({ended})


@contextlib.asynccontextmanager
async def served(
    settings: Settings, listener: socket.socket
) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """The service beside the block: its URL, and the task that ends when it does.

    It is stopped in order when the block ends, which takes LONGEST_SHUTDOWN_S at most, or until
    the task that ends it is cancelled once more. Raises StartupError where it does not come up.
    """
    configure_logging(settings.log_level, settings.log_format)
    application = create_app(settings)
    server = _Server(server_config(application), application)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.come_up(serving)
        # What is there by now stays. Looking through it for garbage would stop everything for a
        # tenth of a second, again and again.
        gc.freeze()
        yield _url(settings, listener), serving
    finally:
        await server.end(serving)


def server_config(application: FastAPI) -> uvicorn.Config:
    """How an application is served, on sockets that the server is given."""
    return uvicorn.Config(
        application,
        http=ProblemProtocol,
        proxy_headers=False,  # nothing here asks who the client or what the scheme is
        ws="none",  # its WebSockets are answered past the application: no request id, no problem
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it listens, and leaves signals to the program."""

    def __init__(self, config: uvicorn.Config, application: FastAPI) -> None:
        super().__init__(config)
        self._application = application
        self._up = asyncio.Event()

    async def come_up(self, serving: asyncio.Task[None]) -> None:
        """Wait until the server listens. Raises StartupError where it ends instead."""
        up = asyncio.create_task(self._up.wait())
        # Its lines only say that it starts and has started; the program itself says where.
        log = logging.getLogger("uvicorn.error")
        log.setLevel(logging.WARNING)
        try:
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            log.setLevel(logging.NOTSET)
            up.cancel()
        if not self.started:
            raise StartupError("The service did not come up; the lines above say why.")

    async def end(self, serving: asyncio.Task[None]) -> None:
        """Let the server end in order, or cut it short when there is no more time for that."""
        self.should_exit = True
        try:
            async with asyncio.timeout(LONGEST_SHUTDOWN_S):
                await asyncio.shield(serving)
        except (TimeoutError, asyncio.CancelledError):
            # The server of the database undoes what is under way when its connections are cut.
            log = logging.getLogger("uvicorn.error")
            log.warning("The service was cut short, with requests under way.")
            log.setLevel(logging.CRITICAL)
            serving.cancel()
            await asyncio.wait({serving})

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Nothing is captured: see `app.stopping`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        tell_stopping(self._application)
        await super().shutdown(sockets)


@contextlib.asynccontextmanager
async def in_process(settings: Settings, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service, which runs for it alone and listens nowhere."""
    configure_logging("warning", settings.log_format)
    application = create_app(settings)
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with (
        application.router.lifespan_context(application),
        httpx.AsyncClient(
            transport=transport,
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {key}"},
        ) as client,
    ):
        yield client


def _url(settings: Settings, listener: socket.socket) -> str:
    return settings.model_copy(update={"port": listener.getsockname()[1], "url": None}).api_url
