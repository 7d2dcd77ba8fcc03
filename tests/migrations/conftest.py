"""A small tree and an empty database for the runner, and a look into its catalogue."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.support.databases import Database, Server, bootstrapped_database
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
