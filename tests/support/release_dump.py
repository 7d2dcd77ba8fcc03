"""Keeps a database as this release fills it, so that later releases can show what they make of it.

    FACTORY_TEST_PG_BIN=/usr/lib/postgresql/15/bin \\
        python -m tests.support.release_dump tests/migrations/dumps/0005.sql.gz

Plain statements and nothing of psql's, made by the oldest PostgreSQL that is supported, so that any
of them takes it. The name is that of the last revision.
"""

import asyncio
import gzip
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from app.db.bootstrap import bootstrap
from app.db.embedded import EmbeddedPostgres
from tests.support.composing import Item, compose
from tests.support.databases import (
    SERVER_OPTIONS,
    Database,
    Server,
    cloned_database,
    drop_database,
    ensure_template,
    open_connection,
    superuser_of,
)
from tests.support.delivery import claim, finish, make_route, open_boundary
from tests.support.populated import FAMILY, fill

DUMPS = {
    path.name.partition(".")[0]: gzip.decompress(path.read_bytes())
    for path in sorted((Path(__file__).parents[1] / "migrations" / "dumps").glob("*.sql.gz"))
}
each_release = pytest.mark.parametrize("release", DUMPS)
"""Runs a test on what each earlier release has filled: the fixture `earlier`, or `brought`."""


def statements(database: Database) -> bytes:
    """Everything in the database, as statements that any client can send."""
    dump = subprocess.run(
        [
            database.server.bin_dir / "pg_dump",
            "--inserts",
            "--rows-per-insert=100",
            "--schema=iu_core",
            f"--dbname={database.superuser_url}",
        ],
        capture_output=True,
        check=True,
    ).stdout
    return b"".join(line for line in dump.splitlines(keepends=True) if not line.startswith(b"\\"))


@asynccontextmanager
async def restored_database(
    server: Server, superuser: asyncpg.Connection, dump: bytes
) -> AsyncIterator[Database]:
    """A database with what a dump has, restored as an operator would."""
    database = server.database(f"t_{uuid.uuid4().hex}")
    await superuser.execute(
        f"CREATE DATABASE {database.name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    )
    try:
        restoring = await asyncpg.connect(database.superuser_url)
        await restoring.execute(dump.decode())
        await restoring.close()
        await bootstrap(server.superuser_url, database=database.name, passwords=server.passwords())
        yield database
    finally:
        await drop_database(superuser, database.name)


async def _filled(server: Server) -> bytes:
    await ensure_template(server)
    async with superuser_of(server) as superuser, cloned_database(server, superuser) as database:
        await fill(database)
        await _deliver(database)
        return statements(database)


async def _deliver(database: Database) -> None:
    """A message that was delivered, one that is dead, and one that waits."""
    owner, service = (
        await open_connection(database, "owner"),
        await open_connection(database, "app"),
    )
    await open_boundary(owner)
    await make_route(service)
    answers = await compose(service, *(Item(FAMILY, data=f'{{"number":{n}}}') for n in range(3)))
    assert {answer["status"] for answer in answers} == {"ok"}
    delivered, gone = await claim(service, most=2)
    assert await finish(service, [delivered]) == ["delivered"]
    assert await finish(service, [gone], "failed", 410, "answered") == ["dead"]
    for connection in (owner, service):
        await connection.close()


def main(target: Path) -> None:
    """Fill a database of this release, and write it down."""
    other = os.environ.get("FACTORY_TEST_PG_BIN")
    with (
        tempfile.TemporaryDirectory(prefix="factory-dump-") as directory,
        EmbeddedPostgres(
            Path(directory) / "server",
            bin_dir=Path(other) if other else None,
            options=SERVER_OPTIONS,
        ) as embedded,
    ):
        filled = asyncio.run(_filled(Server(embedded=embedded, run_dir=Path(directory))))
    target.write_bytes(gzip.compress(filled, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
