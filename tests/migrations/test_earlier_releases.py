"""What an earlier release has filled is brought to this one: keys still replay, digests verify.

The dumps are made by `python -m tests.support.release_dump`, each by the release that it is named
after: the last revision that it knew.
"""

import re

import asyncpg
import pytest

from app.db.migrations import migrate
from app.db.startup_check import startup_check
from tests.support.audit import found
from tests.support.composing import Item, compose
from tests.support.databases import Database, catalog_dump, open_connection
from tests.support.release_dump import DUMPS, each_release

# What was composed, and what was rolled back, as it was asked for.
KNOWN = """
    SELECT e.instance_collection_id, e.event_id, e.event_type, e.suffix, e.actor, e.data::text,
           coalesce(f.family_key, e.reference_id::text) AS template, false AS buried
      FROM iu_core.iu_auto_instantiate_event_log AS e
      LEFT JOIN iu_core.iu_collection_template_family AS f ON f.family_id = e.reference_id
    UNION ALL
    SELECT t.instance_collection_id, t.event_id, t.event_type, t.suffix, t.actor, NULL,
           coalesce(f.family_key, t.reference_id::text), true
      FROM iu_core.iu_instance_tombstone AS t
      LEFT JOIN iu_core.iu_collection_template_family AS f ON f.family_id = t.reference_id
     WHERE t.released_at IS NULL
"""
# But for what migrating keeps of itself.
TABLES = """
    SELECT c.relname FROM pg_class AS c
     WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind = 'r'
       AND c.relname NOT LIKE 'iu\\_schema\\_%'
     ORDER BY c.relname
"""

# Of which columns PostgreSQL knows what is in them.
KNOWN_COLUMNS = """
    SELECT s.tablename || '.' || s.attname AS name FROM pg_stats AS s WHERE s.schemaname = 'iu_core'
"""

COLUMNS = """
    SELECT c.table_name || '.' || c.column_name AS name
      FROM information_schema.columns AS c WHERE c.table_schema = 'iu_core'
"""


async def rows(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {
        name: await owner.fetchval(f"SELECT count(*) FROM iu_core.{name}")
        for (name,) in await owner.fetch(TABLES)
    }


def test_there_is_a_dump() -> None:
    assert DUMPS


@each_release
async def test_its_keys_still_replay_and_its_digests_still_verify(earlier: Database) -> None:
    owner = await open_connection(earlier, "owner")
    before = await rows(owner)
    await migrate(earlier.owner_url)
    assert await startup_check(earlier.app_url, disposable_data=True) == []
    after = await rows(owner)
    after["iu_command_record"] -= 1  # the run for all that is older than runs
    assert {name: after.get(name) for name in before} == before

    service = await open_connection(earlier, "app")
    known = await owner.fetch(KNOWN)
    assert {row["buried"] for row in known} == {True, False}
    for row in known:
        # The tombstones keep the data's digest and not the data; it was the same everywhere.
        data = row["data"] or f'{{"number":{row["suffix"]}}}'
        item = Item(
            row["template"],
            event_id=row["event_id"],
            event_type=row["event_type"],
            suffix=row["suffix"],
            actor=row["actor"],
            data=data,
        )
        (answer,) = await compose(service, item)
        if row["buried"]:
            assert answer["status"] == "rolled_back"
        else:
            assert answer["status"] == "idempotent_replay"
            assert answer["instance_collection_id"] == row["instance_collection_id"]
            assert answer["digest_matches_template"] is True
    integrity = await service.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert integrity["holds"], integrity["findings"]
    (new,) = await compose(service, Item("tpl:wf:onboarding"))
    assert new["status"] == "ok"
    for connection in (service, owner):
        await connection.close()


GONE = [
    "DELETE FROM iu_core.iu_collection_template_instance_lineage"
    " WHERE instance_collection_id = (SELECT min(instance_collection_id::text)::uuid"
    " FROM iu_core.iu_collection_template_instance_lineage)",
    "DELETE FROM iu_core.iu_instance_tombstone",
    "UPDATE iu_core.iu_auto_instantiate_event_log SET data_digest = repeat('0', 64)",
    "UPDATE iu_core.iu_auto_instantiate_event_log SET actor = 'else'",
    """INSERT INTO iu_core.iu_instance_tombstone
              (instance_collection_id, rollback_operation_id, event_id, reference_id,
               template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,
               data_digest, composition_digest, rolled_back_by, reason)
       SELECT l.instance_collection_id, gen_random_uuid(), l.event_id, l.reference_id,
              l.template_collection_id, l.composed_at, '2020-01-01', l.event_type, l.suffix,
              l.actor, l.data_digest, g.composition_digest, 'forged', 'x'
         FROM iu_core.iu_auto_instantiate_event_log AS l
         JOIN iu_core.iu_collection_template_instance_lineage AS g USING (instance_collection_id)
        LIMIT 1;
       DELETE FROM iu_core.iu_collection_template_instance_lineage AS g
        USING iu_core.iu_instance_tombstone AS t
        WHERE t.instance_collection_id = g.instance_collection_id
          AND t.rolled_back_by = 'forged'""",
]


@pytest.mark.parametrize("change", GONE)
@each_release
async def test_what_it_composed_can_t_be_changed_unseen_from_then_on(
    brought: Database, change: str
) -> None:
    owner = await open_connection(brought, "owner")
    run = await owner.fetchval(
        "SELECT record_id FROM iu_core.iu_command_record WHERE last_at ="
        " (SELECT max(last_at) FROM iu_core.iu_command_record)"
    )
    assert await found(owner) == []
    await owner.execute(change)
    assert {subject for _, subject in await found(owner)} == {f"run {run}"}
    await owner.close()


@each_release
async def test_its_schema_is_that_of_a_fresh_install(
    earlier: Database, unchanged_database: Database
) -> None:
    # All anew, because views that were restored from a dump are written otherwise.
    await migrate(earlier.owner_url, again=True)
    # PostgreSQL 18 names them, and numbers two of one name in the order in which they were made.
    unnamed = re.compile(r"CONSTRAINT \w+_not_null\d* NOT NULL")
    dumps = [
        unnamed.sub("NOT NULL", (await catalog_dump(database)).replace(database.name, "database"))
        for database in (earlier, unchanged_database)
    ]
    assert dumps[0] == dumps[1]


@each_release
async def test_what_is_known_of_its_values_is_not_forgotten(earlier: Database) -> None:
    """Plans are made by it, and a table is only looked at again after a tenth of it has changed."""
    owner = await open_connection(earlier, "owner")
    await owner.execute("ANALYZE")
    before = {row["name"] for row in await owner.fetch(KNOWN_COLUMNS)}
    assert before
    await migrate(earlier.owner_url)
    after = {row["name"] for row in await owner.fetch(KNOWN_COLUMNS)}
    left = {row["name"] for row in await owner.fetch(COLUMNS)}
    await owner.close()
    assert before & left - after == set()


@each_release
async def test_messages_about_one_subject_are_counted_in_their_order(brought: Database) -> None:
    owner = await open_connection(brought, "owner")
    counted = await owner.fetch(
        """SELECT array_agg(sequence ORDER BY created_at, outbox_id) AS numbers
             FROM iu_core.event_outbox GROUP BY subject_id"""
    )
    await owner.close()
    assert {len(row["numbers"]) for row in counted} >= {1, 2}
    assert [
        row for row in counted if row["numbers"] != list(range(1, len(row["numbers"]) + 1))
    ] == []
