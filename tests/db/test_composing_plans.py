"""What composing reads, whatever PostgreSQL believed of its tables when it made the plans."""

import asyncpg

from tests.support.composing import Item, compose, compose_one
from tests.support.databases import Connect
from tests.support.templates import make_template, open_gates

# Rows that this transaction has read by going through a whole table of instances.
SCANNED = """
    SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables
     WHERE schemaname = 'iu_core' AND seq_tup_read > 0
       AND relname IN ('iu_piece_collection', 'iu_collection_template_instance_lineage',
                       'iu_auto_instantiate_event_log', 'iu_instance_tombstone', 'event_outbox',
                       'iu_command_record', 'iu_template_counter')
"""


async def scanned(connect: Connect, owner: asyncpg.Connection) -> dict[str, int]:
    """What the eleventh call of a connection scans, whose first ones found empty tables."""
    await open_gates(owner)
    template = await make_template(owner)
    await owner.execute("VACUUM ANALYZE")
    service = await connect("app")
    for _ in range(10):
        await compose(service, *(Item(template.key) for _ in range(20)))
    async with service.transaction():
        answer = await compose_one(service, Item(template.key))
        assert answer["status"] == "ok"
        return {row["relname"]: row["seq_tup_read"] for row in await service.fetch(SCANNED)}


async def test_composing_scans_no_table_though_its_plans_were_made_when_all_were_empty(
    owner: asyncpg.Connection, connect: Connect
) -> None:
    assert await scanned(connect, owner) == {}


async def test_without_the_setting_it_scans_more_with_each_instance(
    owner: asyncpg.Connection, connect: Connect
) -> None:
    """The proof that the function's own setting is what keeps it from that."""
    await owner.execute("ALTER FUNCTION iu_core.fn_iu_auto_instantiate_many RESET enable_seqscan")
    assert (await scanned(connect, owner))["iu_piece_collection"] >= 200
