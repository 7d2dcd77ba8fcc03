"""What a chunk reads of tables that were just filled, of which PostgreSQL knows nothing yet."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from tests.support.composing import Item
from tests.support.operation_calls import claimed, created, rolling_back, step
from tests.support.rollback import Selectors, many
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

Make = Callable[[asyncpg.Connection, asyncpg.Connection, Template], Awaitable[tuple[UUID, UUID]]]

CHUNK = 500
ITEMS = 12_000

# Rows that this connection has read: by going through whole tables, and of the operation's items.
READ = """
    SELECT coalesce(sum(seq_tup_read), 0)::integer AS scanned,
           coalesce(sum(idx_tup_fetch) FILTER (WHERE relname = 'iu_operation_item'), 0)::integer
               AS items
      FROM pg_stat_xact_user_tables
     WHERE schemaname = 'iu_core'
       AND relname IN ('iu_operation_item', 'iu_piece_collection', 'iu_instance_tombstone',
                       'iu_collection_template_instance_lineage', 'iu_auto_instantiate_event_log',
                       'event_outbox')
"""


async def instantiating(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> tuple[UUID, UUID]:
    """An operation that makes instances, and its runner."""
    await open_gates(owner)
    operation = await created(app_conn, *(Item(template.key) for _ in range(ITEMS)))
    return operation, await claimed(app_conn, operation)


async def removing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> tuple[UUID, UUID]:
    """An operation that rolls instances back, and its runner."""
    await many(owner, template, ITEMS)
    await owner.execute(
        """INSERT INTO iu_core.event_outbox (subject_id, created_at, domain, event_type, payload)
           SELECT instance_collection_id, composed_at, 'iu', 'test', '{}'
             FROM iu_core.iu_auto_instantiate_event_log"""
    )
    return await rolling_back(app_conn, Selectors(template=template.key))


async def read_by_a_chunk(
    connection: asyncpg.Connection, operation: UUID, runner: UUID
) -> tuple[int, int]:
    """Rows scanned, and items fetched, by the third chunk."""
    for _ in range(2):
        await step(connection, operation, runner, limit=CHUNK)
    async with connection.transaction():
        before = await one_row(connection, READ)
        assert (await step(connection, operation, runner, limit=CHUNK))["attempted"] == CHUNK
        after = await one_row(connection, READ)
    return after["scanned"] - before["scanned"], after["items"] - before["items"]


@pytest.mark.parametrize("make", [instantiating, removing])
async def test_a_chunk_reads_its_own_items_and_no_whole_table(
    make: Make, owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    operation, runner = await make(owner, app_conn, await make_template(owner))
    scanned, fetched = await read_by_a_chunk(app_conn, operation, runner)
    assert scanned == 0
    # Once to take them, once to read them, once to record them; and a few recorded before.
    assert fetched < 4 * CHUNK


@pytest.mark.parametrize(
    ("make", "function"),
    [
        (instantiating, "fn_iu_operation_pending(iu_core.iu_operation, integer)"),
        (
            instantiating,
            "fn_iu_operation_record(iu_core.iu_operation, integer[], text[], uuid[], text[],"
            " jsonb[], integer)",
        ),
        (removing, "fn_iu_operation_roll_back(iu_core.iu_operation, integer[], integer)"),
    ],
)
async def test_without_the_settings_it_reads_all_that_there_is(
    make: Make, function: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    """The proof that the function's own settings are what keeps it from that."""
    await owner.execute(f"ALTER FUNCTION iu_core.{function} RESET ALL")
    operation, runner = await make(owner, app_conn, await make_template(owner))
    scanned, fetched = await read_by_a_chunk(app_conn, operation, runner)
    assert scanned + fetched >= ITEMS - 2 * CHUNK
