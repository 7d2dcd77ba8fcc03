"""The ground that a subject is measured on: a PostgreSQL server of its own, durable, with a key.

with prepared_ground() as ground:
    tables = run(subject.measure(ground, options))
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import psutil

from app.db.embedded import EmbeddedPostgres
from app.hosting import EMBEDDED_DATABASE, Host, hosting, in_process
from app.security import Scope
from app.services.first_key import create_first_key
from app.settings import Settings
from app.stopping import run

ACTOR = "bench-bot"

# More than its default, so that every rival's processes have their pools beside each other.
_SERVER = {"max_connections": "200"}
_RIVAL = "rival"
_QUIET_FOR, _QUIET_PAUSE_S, _QUIET_AT_MOST = timedelta(milliseconds=100), 0.05, 200


@dataclass(frozen=True, slots=True)
class Ground:
    """A server with a migrated database. `key` is an admin's, good in it and in its clones."""

    host: Host
    server: EmbeddedPostgres
    key: str

    def service_url(self, database: str = EMBEDDED_DATABASE) -> str:
        """The service's login."""
        return self.server.url("iu_app", database)

    def owner_url(self, database: str = EMBEDDED_DATABASE) -> str:
        """The owner's login: the one that may write rows by hand."""
        return self.server.url("iu_owner", database)

    def rival_url(self, database: str) -> str:
        """The login of a database made by `rival_database`."""
        return self.server.url(_RIVAL, database)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the service, in this process, for what is prepared and not measured."""
        async with in_process(self.host.service_settings, self.key) as client:
            yield client

    async def rival_database(self, database: str) -> str:
        """Make an empty database that a rival owns; its URL."""
        await self._as_superuser(f"CREATE DATABASE {database} OWNER {_RIVAL}")
        return self.rival_url(database)

    async def clone(self, database: str) -> str:
        """Make a copy of the factory's database as it is, while nobody is connected to it."""
        await self._as_superuser("CHECKPOINT")
        await self._as_superuser(
            f"CREATE DATABASE {database} TEMPLATE {EMBEDDED_DATABASE} STRATEGY file_copy"
        )
        # What a database says of itself is not copied with it.
        await self._as_superuser(f"GRANT CONNECT ON DATABASE {database} TO iu_app, iu_owner")
        return database

    async def tidy(self, database: str) -> None:
        """Do what autovacuum and the checkpointer would have done by and by."""
        connection = await asyncpg.connect(self.server.url("postgres", database))
        try:
            await connection.execute("VACUUM (ANALYZE)")
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    async def quiet(self) -> None:
        """Wait until no connection has had anything to do for a moment.

        What one contestant left undone is then no load to the next.

        Gives up with RuntimeError after some ten seconds.
        """
        connection = await asyncpg.connect(self.server.superuser_url)
        try:
            for _ in range(_QUIET_AT_MOST):
                busy = await connection.fetchrow(
                    "SELECT datname, state, query FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                    " AND (state = 'active' OR state_change > clock_timestamp() - $1::interval)",
                    _QUIET_FOR,
                )
                if busy is None:
                    return
                await asyncio.sleep(_QUIET_PAUSE_S)
        finally:
            await connection.close()
        raise RuntimeError(f"the server did not come to rest: {busy}")

    async def postmaster(self) -> psutil.Process:
        """The server's first process, of which all others are children."""
        connection = await asyncpg.connect(self.server.superuser_url)
        try:
            process = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
            postmaster = process.parent()
        finally:
            await connection.close()
        assert postmaster is not None
        return postmaster

    async def _as_superuser(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.superuser_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _make_rival(self) -> None:
        password = self.server.role_password(_RIVAL)
        await self._as_superuser(f"CREATE ROLE {_RIVAL} LOGIN PASSWORD '{password}'")


@contextmanager
def prepared_ground() -> Iterator[Ground]:
    """A new server until the block ends, its database migrated and with one key."""
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as scratch:
        settings = Settings(data_dir=Path(scratch), port=0, log_level="warning").model_copy(
            update={
                "database_url": None,
                "migration_database_url": None,
                "url": None,
                "delivery_allow": "127.0.0.1/32",
            }
        )
        with hosting(settings, options=_SERVER) as host:
            yield run(_prepare(host))


async def _prepare(host: Host) -> Ground:
    await host.prepare()
    await host.migrate()
    key = await create_first_key(
        host.required_owner_url(),
        principal="benchmark",
        scope=Scope.ADMIN,
        actor=ACTOR,
        actor_prefixes=("bench-",),
    )
    assert host.embedded is not None
    ground = Ground(host, host.embedded, key)
    await ground._make_rival()
    return ground
