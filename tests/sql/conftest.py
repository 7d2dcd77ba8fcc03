"""More connections for races; a database to change and compare; an audit chain."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.support.audit import let_a_minute_pass, seal
from tests.support.composing import Item, compose
from tests.support.databases import Connect, Database, open_connection
from tests.support.gates import close
from tests.support.templates import make_template, open_gates


@pytest.fixture
async def second(connect: Connect) -> asyncpg.Connection:
    """A second connection of the service's role."""
    return await connect("app")


@pytest.fixture
async def third(connect: Connect) -> asyncpg.Connection:
    """A third connection of the service's role."""
    return await connect("app")


@pytest.fixture
async def superuser(unchanged_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that is rolled back."""
    connection = await open_connection(unchanged_database, "superuser")
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture(scope="session")
async def manifest(unchanged_database: Database) -> dict[str, Any]:
    """What the database is before anything is changed."""
    connection = await open_connection(unchanged_database, "owner")
    found: dict[str, Any] = await connection.fetchval("SELECT iu_core.fn_iu_conformance_manifest()")
    await connection.close()
    return found


@pytest.fixture
async def sealed(owner: asyncpg.Connection, app_conn: asyncpg.Connection) -> None:
    """Three segments, of one run each: of two composing calls, and of a closed gate."""
    template = await make_template(owner)
    await open_gates(owner)
    for minutes in (2, 4):
        await compose(app_conn, Item(template.key), Item(template.key))
        await let_a_minute_pass(owner, minutes)
        assert (await seal(app_conn))["segments"] == 1
    await close(app_conn, "iu_core.delivery_enabled")
    await let_a_minute_pass(owner, 6)
    assert (await seal(app_conn))["segment_no"] == 3
