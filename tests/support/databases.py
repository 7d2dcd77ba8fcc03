"""A migrated database per test: a clone of a template that is migrated once per run."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import asyncpg

from app.db.bootstrap import ROLES, bootstrap, configure_database
from app.db.embedded import EmbeddedPostgres
from app.db.migrations import migrate
from tests.support.once import once

Login = Literal["owner", "app", "reader", "superuser"]

Connect = Callable[[Login], Awaitable[asyncpg.Connection]]
"""Opens one more connection to the test's database, closed after the test."""

TEMPLATE = "factory_template"

# Nothing here outlives the run, so nothing waits for the disk; and nobody comes by uninvited.
SERVER_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "max_prepared_transactions": "20",
}


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL that the workers of one test run share."""

    embedded: EmbeddedPostgres
    run_dir: Path

    @property
    def bin_dir(self) -> Path:
        """Where this PostgreSQL's psql and pg_dump are."""
        return self.embedded.bin_dir

    @property
    def superuser_url(self) -> str:
        """The superuser in the database `postgres`."""
        return self.embedded.superuser_url

    def database(self, name: str) -> "Database":
        """The URLs of the database `name`, whether it is there or not."""
        return Database(name=name, server=self)

    def passwords(self) -> dict[str, str]:
        """What `bootstrap` has to give the roles so that the URLs work."""
        return {role: self.embedded.role_password(role) for role in ROLES}


@dataclass(frozen=True)
class Database:
    """One database and the URLs of the logins."""

    name: str
    server: Server

    @property
    def data_dir(self) -> Path:
        """Where a service keeps what is its own; it is gone after the run."""
        return self.server.run_dir / "data" / self.name

    @property
    def owner_url(self) -> str:
        """iu_owner, who migrates."""
        return self.server.embedded.url("iu_owner", self.name)

    @property
    def app_url(self) -> str:
        """iu_app, the service."""
        return self.server.embedded.url("iu_app", self.name)

    @property
    def reader_url(self) -> str:
        """iu_reader, the dashboards."""
        return self.server.embedded.url("iu_reader", self.name)

    @property
    def superuser_url(self) -> str:
        """The superuser, who looks on and is bound by nothing."""
        return self.server.embedded.url("postgres", self.name)

    def url(self, login: Login) -> str:
        """The URL of one of the four."""
        return {
            "owner": self.owner_url,
            "app": self.app_url,
            "reader": self.reader_url,
            "superuser": self.superuser_url,
        }[login]


async def open_connection(database: Database, login: Login) -> asyncpg.Connection:
    """A connection on which jsonb comes and goes as Python values."""
    connection = await asyncpg.connect(database.url(login))
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    return connection


@contextlib.asynccontextmanager
async def superuser_of(server: Server) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the superuser to the database `postgres`."""
    connection = await asyncpg.connect(server.superuser_url)
    try:
        yield connection
    finally:
        await connection.close()


async def ensure_template(server: Server) -> None:
    """Migrate the template database, once per run: the first worker does, the others wait."""
    with once(server.run_dir / "template") as missing:
        if missing:
            template = server.database(TEMPLATE)
            async with superuser_of(server) as superuser:
                # What a worker left that failed half way.
                await drop_database(superuser, TEMPLATE)
            await bootstrap(server.superuser_url, database=TEMPLATE, passwords=server.passwords())
            await migrate(template.owner_url)


async def clone(superuser: asyncpg.Connection, name: str, template: str = TEMPLATE) -> None:
    """Make a copy of a database to which nobody is connected."""
    # Copying the files takes half the time of writing them anew through the log.
    await superuser.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    await configure_database(superuser, name)


@contextlib.asynccontextmanager
async def cloned_database(
    server: Server, superuser: asyncpg.Connection, template: str = TEMPLATE
) -> AsyncIterator[Database]:
    """A fresh clone of the template, dropped afterwards whoever is still connected to it."""
    database = server.database(f"t_{uuid.uuid4().hex}")
    await clone(superuser, database.name, template)
    try:
        yield database
    finally:
        await drop_database(superuser, database.name)


@contextlib.asynccontextmanager
async def bootstrapped_database(
    server: Server, superuser: asyncpg.Connection
) -> AsyncIterator[Database]:
    """A database after `factory bootstrap` and before any migration."""
    database = server.database(f"t_{uuid.uuid4().hex}")
    await bootstrap(server.superuser_url, database=database.name, passwords=server.passwords())
    try:
        yield database
    finally:
        await drop_database(superuser, database.name)


async def drop_database(superuser: asyncpg.Connection, name: str) -> None:
    """Drop the database, whoever is connected to it, if it is there."""
    await superuser.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


async def catalog_dump(database: Database) -> str:
    """What pg_dump says of the schema: every object, owner and privilege, and no data."""
    process = await asyncio.create_subprocess_exec(
        str(database.server.bin_dir / "pg_dump"),
        "--schema-only",
        # pg_dump would otherwise fence the dump with a key that is different each time.
        *_restrict_key(database.server.embedded.version),
        f"--dbname={database.superuser_url}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


def _restrict_key(version: str) -> list[str]:
    major, _, minor = version.partition(".")
    first_with_it = {"15": 14, "16": 10, "17": 6}
    return ["--restrict-key=test"] if int(minor or 0) >= first_with_it.get(major, 0) else []
