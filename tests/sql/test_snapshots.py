"""Snapshots: what every surface is at a moment, and that no changed row goes unnoticed."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.replay import baseline_25000x
from tests.support.authoring import AUTHOR, call
from tests.support.composing import Item, compose, compose_one
from tests.support.interleaving import racing
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates

TEMPLATE = "tpl:wf:onboarding/v2"
BASELINE = {
    "information_unit": 174,
    "iu_piece_collection": 10,
    "iu_piece_membership": 43,
    "iu_collection_template_instance_lineage": 4,
    "iu_auto_instantiate_event_log": 0,
    "iu_collection_template_registry": 3,
    "iu_collection_template_version": 2,
    "iu_lifecycle_log": 146,
    "iu_vector_sync_point": 152,
    "iu_unit_axis/DIEU-28": 27,
    "iu_unit_axis/DIEU-32": 23,
    "iu_unit_axis/DIEU-35": 36,
    "event_outbox/iu": 7,
    "event_outbox/system": 4,
    "write_gates_open": 0,
}
"""What the requirement's table names, before."""

Seen = Mapping[str, tuple[int, str]]


@pytest.fixture(autouse=True)
async def baseline(owner: asyncpg.Connection) -> None:
    """The state before replay 25000x: something of nearly everything."""
    async with owner.transaction():
        await owner.execute(baseline_25000x())


async def take(connection: asyncpg.Connection, **more: Any) -> Seen:
    """A snapshot: count and digest of each surface."""
    given = {"outside": [], "reason": "test"} | more
    answer = await call(connection, "fn_iu_snapshot_take", **given)
    assert answer.keys() == {"status", "snapshot_id"}
    assert answer["status"] == "ok"
    rows = await connection.fetch(
        "SELECT surface, row_count, digest FROM iu_core.v_iu_snapshot_surface"
        " WHERE snapshot_id = $1",
        UUID(answer["snapshot_id"]),
    )
    return {surface: (row_count, digest) for surface, row_count, digest in rows}


def counts(seen: Seen) -> dict[str, int]:
    return {surface: row_count for surface, (row_count, _) in seen.items()}


def changed(before: Seen, after: Seen) -> set[str]:
    """The surfaces that are not what they were."""
    return {
        surface for surface in before.keys() | after if before.get(surface) != after.get(surface)
    }


async def test_every_surface_is_counted(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    catalogued = await owner.fetchval("SELECT count(*) FROM iu_core.dot_iu_command_catalog")
    seen = await take(app_conn)
    more = {
        "event_type_registry": 4,
        "dot_iu_command_catalog": catalogued,
        "iu_core_retention_policy": 4,
    }
    assert counts(seen) == {**BASELINE, **more}
    assert await take(app_conn) == seen


async def test_a_snapshot_says_when_by_whom_and_why(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, reader_conn: asyncpg.Connection
) -> None:
    request = uuid4()
    before = await owner.fetchval("SELECT clock_timestamp()")
    await take(app_conn, reason="before the release", request_id=request)
    row = dict(await one_row(reader_conn, "SELECT * FROM iu_core.v_iu_snapshot"))
    taken_at = row.pop("taken_at")
    assert before < taken_at < await owner.fetchval("SELECT clock_timestamp()")
    assert row == {
        "snapshot_id": row["snapshot_id"],
        "actor": AUTHOR,
        "principal": "test",
        "reason": "before the release",
        "request_id": request,
        "schema_revision": await owner.fetchval(
            "SELECT version_num FROM iu_core.iu_schema_revision"
        ),
    }


async def test_composing_changes_what_it_writes_and_nothing_else(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gates(owner)
    before = await take(app_conn)
    await compose(app_conn, Item(TEMPLATE, suffix="a"), Item(TEMPLATE, suffix="b"))
    after = await take(app_conn)
    deltas = {surface: after[surface][0] - before[surface][0] for surface in changed(before, after)}
    assert deltas == {
        "iu_piece_collection": 2,
        "iu_piece_membership": 10,
        "iu_collection_template_instance_lineage": 2,
        "iu_auto_instantiate_event_log": 2,
        "event_outbox/iu": 2,
    }


_EXCHANGED = """
    UPDATE iu_core.{table} AS t SET {column} = o.{column}
      FROM iu_core.{table} AS o
     WHERE t.{key} IN ({two}) AND o.{key} IN ({two}) AND o.{key} <> t.{key}
"""
_TWO_INSTANCES = """
    SELECT n.instance_collection_id FROM (
           SELECT DISTINCT ON (l.template_collection_id) l.instance_collection_id
             FROM iu_core.iu_collection_template_instance_lineage AS l
            ORDER BY l.template_collection_id, l.instance_collection_id) AS n
"""

# What is done to rows without making one more or less, and where it must show.
UNNOTICED_BY_COUNTING: dict[str, tuple[str, set[str]]] = {
    "a body": (
        "UPDATE iu_core.information_unit SET body = body || ' ' WHERE title = 'Welcome'",
        {"information_unit"},
    ),
    "a label": (
        """UPDATE iu_core.iu_piece_collection SET collection_key = 'x'
            WHERE collection_key = 'tpl:wf:onboarding/v2'""",
        {"iu_piece_collection"},
    ),
    "an instance's pieces": (
        """UPDATE iu_core.iu_piece_collection AS c
              SET composition_digest = r.composition_digest
             FROM iu_core.iu_collection_template_registry AS r
            WHERE c.is_instance AND r.template_key = 'tpl:file:status-report/v1'""",
        {"iu_piece_collection", "iu_piece_membership"},
    ),
    "two instances that exchange their pieces": (
        _EXCHANGED.format(
            table="iu_piece_collection",
            column="composition_digest",
            key="collection_id",
            two=_TWO_INSTANCES,
        ),
        {"iu_piece_collection", "iu_piece_membership"},
    ),
    "two instances that exchange their templates": (
        _EXCHANGED.format(
            table="iu_collection_template_instance_lineage",
            column="template_collection_id",
            key="instance_collection_id",
            two=_TWO_INSTANCES,
        ),
        {"iu_collection_template_instance_lineage"},
    ),
    "the role of a piece": (
        """UPDATE iu_core.iu_composition_piece SET role = 'x' WHERE position = 1""",
        {"iu_piece_membership"},
    ),
    "the data of an event": (
        """UPDATE iu_core.iu_auto_instantiate_event_log SET data = '{"a": 1}'""",
        {"iu_auto_instantiate_event_log"},
    ),
    "two fields of one event that change places": (
        """UPDATE iu_core.iu_auto_instantiate_event_log
              SET event_id = reference_id, reference_id = event_id""",
        {"iu_auto_instantiate_event_log"},
    ),
    "a reason": (
        "UPDATE iu_core.iu_collection_template_registry SET reason = 'x'",
        {"iu_collection_template_registry"},
    ),
    "a status": (
        """UPDATE iu_core.iu_collection_template_version SET status = 'superseded'""",
        {"iu_collection_template_version"},
    ),
    "a step of life": (
        "UPDATE iu_core.iu_lifecycle_log SET actor = 'x' WHERE lifecycle_id = 1",
        {"iu_lifecycle_log"},
    ),
    "a synchronised digest": (
        "UPDATE iu_core.iu_vector_sync_point SET content_digest = repeat('0', 64)",
        {"iu_vector_sync_point"},
    ),
    "the value of an axis": (
        "UPDATE iu_core.iu_unit_axis SET value = 'x' WHERE axis = 'DIEU-32'",
        {"iu_unit_axis/DIEU-32"},
    ),
    "a message": (
        "UPDATE iu_core.event_outbox SET delivered_at = now() WHERE domain = 'iu'",
        {"event_outbox/iu"},
    ),
    "the domain of a message": (
        """UPDATE iu_core.event_outbox SET domain = 'system'""",
        {"event_outbox/iu", "event_outbox/system"},
    ),
    "the lane of a type": (
        """UPDATE iu_core.event_type_registry SET delivery_lane = 'live'
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        {"event_type_registry"},
    ),
    "the scope of a command": (
        """UPDATE iu_core.dot_iu_command_catalog SET required_scope = 'producer'
            WHERE command_code = 'set_gate'""",
        {"dot_iu_command_catalog"},
    ),
    "how long something is kept": (
        """UPDATE iu_core.iu_core_retention_policy SET keep_days = 1
            WHERE target = 'stored_events'""",
        {"iu_core_retention_policy"},
    ),
    "another gate that is open": (
        """UPDATE iu_core.iu_core_config
              SET config_value = to_jsonb(config_key = 'iu_core.retention_enabled')
            WHERE is_write_gate""",
        {"write_gates_open"},
    ),
}


@pytest.mark.parametrize("what", UNNOTICED_BY_COUNTING)
async def test_a_changed_row_shows_where_it_is_and_nowhere_else(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, what: str
) -> None:
    await open_gates(owner)
    await compose_one(app_conn, Item(TEMPLATE))
    await close_gates(owner)
    await open_gates(owner, "composer_enabled")
    before = await take(app_conn)
    statement, surfaces = UNNOTICED_BY_COUNTING[what]
    assert await owner.execute(statement) != "UPDATE 0"
    after = await take(app_conn)
    assert changed(before, after) == surfaces
    if what != "the domain of a message":
        assert counts(before) == counts(after)


async def test_values_that_change_places_show(owner: asyncpg.Connection) -> None:
    """Again and again, since a digest that adds up columns by themselves sees some of it."""
    digest = "SELECT digest FROM iu_core.v_iu_surface WHERE surface = 'iu_lifecycle_log'"
    exchanged = _EXCHANGED.format(
        table="iu_lifecycle_log", column="unit_id", key="lifecycle_id", two="{0}, {1}"
    )
    seen = {await owner.fetchval(digest)}
    for first in range(1, 41, 2):
        await owner.execute(exchanged.format(first, first + 1))
        seen.add(await owner.fetchval(digest))
    assert len(seen) == 21


async def test_every_column_of_a_surface_counts(owner: asyncpg.Connection) -> None:
    """Where rows are named column by column, a column more must not go unnoticed."""
    rows = await owner.fetch(
        """WITH used AS (
               SELECT d.refobjid AS relation, d.refobjsubid AS place
                 FROM pg_rewrite AS r
                 JOIN pg_depend AS d ON d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
                WHERE r.ev_class = 'iu_core.v_iu_surface'::regclass)
           SELECT a.attrelid::regclass || '.' || a.attname
             FROM pg_attribute AS a
             JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
            WHERE a.attrelid IN (SELECT u.relation FROM used AS u)
              AND a.attnum > 0 AND NOT a.attisdropped
              AND (a.attrelid, a.attnum) NOT IN (SELECT u.relation, u.place FROM used AS u)"""
    )
    assert [row[0] for row in rows] == []


async def test_a_snapshot_is_of_one_moment_and_waits_for_nobody_who_composes(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gates(owner)
    definition = await owner.fetchval("SELECT pg_get_viewdef('iu_core.v_iu_surface'::regclass)")
    between = "SELECT 'iu_collection_template_instance_lineage'"
    assert definition.count(between) == 1
    waits = "SELECT 'waits', 0, (pg_advisory_xact_lock(1) IS NULL)::integer UNION ALL "
    await owner.execute(
        "CREATE OR REPLACE VIEW iu_core.v_iu_surface AS "
        + definition.replace(between, waits + between)
    )
    before = await take(app_conn)

    await owner.execute("SELECT pg_advisory_lock(1)")
    async with racing(observer, second, take(second)) as late:
        await late.blocked(by=owner)  # it has read the collections, and not yet their lineage
        await compose_one(app_conn, Item(TEMPLATE))
        await owner.execute("SELECT pg_advisory_unlock(1)")
        assert await late.result() == before
    assert "iu_piece_collection" in changed(before, await take(app_conn))


async def test_what_is_not_committed_is_not_there_and_is_not_waited_for(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, second: asyncpg.Connection
) -> None:
    await open_gates(owner)
    before = await take(second)
    await second.execute("SET lock_timeout = '1ms'")
    async with app_conn.transaction():
        await compose_one(app_conn, Item(TEMPLATE))
        assert await take(second) == before


async def test_what_lies_outside_of_the_database_is_kept_with_the_rest(
    app_conn: asyncpg.Connection,
) -> None:
    outside = {"surface": "vector_index", "row_count": 152, "digest": "0" * 32}
    seen = await take(app_conn, outside=[outside])
    assert seen["vector_index"] == (152, "0" * 32)


async def test_a_snapshot_needs_a_reason_and_an_actor(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    given = {"outside": [], "reason": "two\nlines", "actor": "Nobody"}
    answer = await call(app_conn, "fn_iu_snapshot_take", **given)
    assert [error["pointer"] for error in answer["errors"]] == ["/reason", "/actor"]
    assert answer["status"] == "invalid_input"
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_snapshot") == 0
    (run,) = await owner.fetch(
        "SELECT command, code FROM iu_core.iu_command_record WHERE actor <> $1",
        "iu-core-25000x-baseline",
    )
    assert tuple(run) == ("take_snapshot", "invalid_input")
