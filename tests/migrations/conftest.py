"""A small tree and an empty database for the runner, and a look into its catalogue."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from app.db.embedded import EmbeddedPostgres
from app.db.migrations import migrate
from tests.support.databases import (
    SERVER_OPTIONS,
    Database,
    Server,
    bootstrapped_database,
    clone,
    cloned_database,
    drop_database,
    superuser_of,
)
from tests.support.once import once
from tests.support.release_dump import DUMPS, restored_database
from tests.support.trees import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """One table, one function and one view over it."""
    return (
        Tree(tmp_path / "a tree with 100% odd characters")
        .revision(
            1,
            "CREATE TABLE iu_core.thing (thing_id integer PRIMARY KEY, name text);",
            "DROP TABLE iu_core.thing;",
        )
        .function(
            "fn_thing_name",
            "(p_id integer) RETURNS text",
            "SELECT t.name FROM iu_core.thing AS t WHERE t.thing_id = p_id",
        )
        .view(
            "v_thing",
            "SELECT t.thing_id, iu_core.fn_thing_name(t.thing_id) AS name FROM iu_core.thing AS t",
        )
    )


@pytest.fixture
async def another_database(
    server: Server, maintenance: asyncpg.Connection
) -> AsyncIterator[Database]:
    """A second database that is bootstrapped and not migrated, to compare with."""
    async with bootstrapped_database(server, maintenance) as bare:
        yield bare


@pytest.fixture(scope="session")
def server_apart(server: Server) -> Iterator[Server]:
    """A server for tests that make logins of the roles, which others would find in their own.

    Roles are a server's, and who may act as them is a part of what conforms.
    """
    with EmbeddedPostgres(
        server.run_dir / "apart", bin_dir=server.bin_dir, options=SERVER_OPTIONS
    ) as embedded:
        yield Server(embedded=embedded, run_dir=server.run_dir)


@pytest.fixture
async def database_apart(server_apart: Server) -> AsyncIterator[Database]:
    """A database that is bootstrapped and not migrated, where logins may be made."""
    async with (
        superuser_of(server_apart) as superuser,
        bootstrapped_database(server_apart, superuser) as bare,
    ):
        yield bare


@pytest.fixture
async def earlier(
    release: str, server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Database]:
    """A database that an earlier release has filled, restored as an operator would."""
    async with restored_database(server, maintenance, DUMPS[release]) as restored:
        yield restored


@pytest.fixture
async def brought(
    release: str, server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Database]:
    """The same, brought to this release once in the run; a copy of it for this test alone."""
    name = f"brought_{release}"
    with once(server.run_dir / name) as missing:
        if missing:
            await drop_database(maintenance, name)  # what a worker left that failed half way
            async with restored_database(server, maintenance, DUMPS[release]) as restored:
                await migrate(restored.owner_url)
                await clone(maintenance, name, restored.name)
    async with cloned_database(server, maintenance, name) as database:
        yield database
