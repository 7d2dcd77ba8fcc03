"""Instances against the runs of the audit log: whatever is removed, put in or changed shows."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.support.audit import export, found, let_a_minute_pass, retire, runs, seal
from tests.support.composing import Item, compose
from tests.support.operation_calls import rolling_back, step
from tests.support.rollback import HR, apply, by_actor, plan
from tests.support.templates import Template, make_template, open_gates

FIRST_RUN = "SELECT record_id FROM iu_core.iu_command_record ORDER BY last_at, record_id LIMIT 1"
LOG = "UPDATE iu_core.iu_auto_instantiate_event_log SET "


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    template = await make_template(owner)
    await open_gates(owner)
    return template


@pytest.mark.parametrize("is_sealed", [True, False])
async def test_an_instance_that_is_gone_without_a_tombstone_shows(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, is_sealed: bool
) -> None:
    answers = await compose(app_conn, Item(template.key), Item(template.key))
    if is_sealed:
        await let_a_minute_pass(owner)
        await seal(app_conn)
    await owner.execute(
        "DELETE FROM iu_core.iu_collection_template_instance_lineage"
        " WHERE instance_collection_id = $1",
        answers[0]["instance_collection_id"],
    )
    run = await owner.fetchval(FIRST_RUN)
    assert await found(app_conn) == [("instances_differ", f"run {run}")]


async def test_an_instance_that_was_rolled_back_is_told_by_its_tombstone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await compose(app_conn, Item(template.key), Item(template.key))
    await compose(app_conn, Item(template.key, actor="ops-bot"))
    run = await owner.fetchval(FIRST_RUN)
    await by_actor(app_conn, "hr-bot", dry_run=False)
    await let_a_minute_pass(owner)
    await seal(app_conn)
    assert await found(app_conn) == []

    rollback = await owner.fetchval(
        """DELETE FROM iu_core.iu_instance_tombstone WHERE instance_collection_id IN
               (SELECT instance_collection_id FROM iu_core.iu_instance_tombstone LIMIT 1)
           RETURNING rollback_operation_id"""
    )
    assert await found(app_conn) == [
        ("instances_differ", f"run {run}"),
        ("tombstones_differ", f"rollback {rollback}"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE iu_core.iu_auto_instantiate_event_log SET data_digest = repeat('0', 64)",
        "UPDATE iu_core.iu_auto_instantiate_event_log SET data_digest = 'no digest'",
        "UPDATE iu_core.iu_auto_instantiate_event_log SET batch_id = gen_random_uuid()",
        "UPDATE iu_core.iu_auto_instantiate_event_log SET batch_id = NULL",
        "UPDATE iu_core.iu_collection_template_instance_lineage SET composition_digest ="
        " repeat('0', 64)",
        "UPDATE iu_core.iu_collection_template_instance_lineage SET composed_at = composed_at"
        " - interval '1 hour'",
    ],
)
async def test_an_instance_that_was_changed_shows(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, change: str
) -> None:
    await compose(app_conn, Item(template.key))
    await let_a_minute_pass(owner)
    await seal(app_conn)
    await owner.execute(change)
    run = await owner.fetchval(FIRST_RUN)
    assert ("instances_differ", f"run {run}") in await found(app_conn)


@pytest.mark.parametrize("at", ["2020-01-01", "2200-01-01"])
async def test_an_instance_that_was_put_in_shows_whatever_time_it_says(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, at: str
) -> None:
    """Nothing is excused for being old where nothing was there when runs began."""
    await compose(app_conn, Item(template.key))
    await owner.execute("DELETE FROM iu_core.iu_command_record")
    await owner.execute("UPDATE iu_core.iu_auto_instantiate_event_log SET batch_id = NULL")
    put_in = await owner.fetchval(
        f"""UPDATE iu_core.iu_collection_template_instance_lineage SET composed_at = '{at}'
            RETURNING instance_collection_id"""
    )
    assert await found(app_conn) == [("instance_unrecorded", f"instance {put_in}")]
    await owner.execute("DELETE FROM iu_core.iu_auto_instantiate_event_log")
    assert await found(app_conn) == [("instance_unrecorded", f"instance {put_in}")]


# ------------------------------------------------------------------------------- the event log


PROVEN = {
    "batch_id": "gen_random_uuid()",
    "actor": "'else'",
    "template_collection_id": "gen_random_uuid()",
    "data_digest": "repeat('0', 64)",
}
PROVEN_BY_INTEGRITY = {
    "event_id": "gen_random_uuid()",
    "reference_id": "gen_random_uuid()",
    "suffix": "'else'",
    "data": """'{"else":1}'""",
    "emit_mode": "'dry_run'",
    "composed_at": "composed_at - interval '1 hour'",
}
NOT_PROVEN = {
    "event_type": "'else'",
    "reason": "'else'",
    "request_id": "gen_random_uuid()",
    "operation_id": "gen_random_uuid()",
    "warnings": "'{else}'",
}
"""As docs/audit.md says it."""


async def seen(connection: asyncpg.Connection) -> tuple[bool, bool]:
    """Whether something is found, by verifying the audit log, and by the check of everything."""
    integrity = await connection.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    return bool(await found(connection)), not integrity["holds"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (PROVEN, (True, None)),
        (PROVEN_BY_INTEGRITY, (False, True)),
        (NOT_PROVEN, (False, False)),
    ],
)
async def test_the_columns_of_the_log_are_proven_as_it_is_said(
    owner: asyncpg.Connection,
    template: Template,
    columns: dict[str, str],
    expected: tuple[bool, bool | None],
) -> None:
    await compose(owner, Item(template.key))
    assert await seen(owner) == (False, False)
    for column, value in columns.items():
        change = owner.transaction()
        await change.start()
        await owner.execute(f"{LOG}{column} = {value}")
        in_runs, in_all = await seen(owner)
        assert (column, in_runs) == (column, expected[0])
        assert expected[1] in (in_all, None), column
        await change.rollback()


async def test_of_each_column_of_the_log_it_is_said_whether_it_is_proven(
    owner: asyncpg.Connection,
) -> None:
    columns = await owner.fetch(
        """SELECT attname FROM pg_attribute
            WHERE attrelid = 'iu_core.iu_auto_instantiate_event_log'::regclass AND attnum > 0"""
    )
    identity = {"instance_collection_id", "idempotency_key"}
    said = {*PROVEN, *PROVEN_BY_INTEGRITY, *NOT_PROVEN} | identity
    assert {row["attname"] for row in columns} == said


# ---------------------------------------------------------------------------------- tombstones

FORGE = """
    INSERT INTO iu_core.iu_instance_tombstone
           (instance_collection_id, rollback_operation_id, event_id, reference_id,
            template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,
            data_digest, composition_digest, rolled_back_by, reason, batch_id)
    SELECT l.instance_collection_id, $2, l.event_id, l.reference_id, l.template_collection_id,
           l.composed_at, clock_timestamp(), l.event_type, l.suffix, l.actor, l.data_digest,
           g.composition_digest, 'x', 'x', l.batch_id
      FROM iu_core.iu_auto_instantiate_event_log AS l
      JOIN iu_core.iu_collection_template_instance_lineage AS g USING (instance_collection_id)
     WHERE l.instance_collection_id = $1
"""
REMOVE = (
    "DELETE FROM iu_core.iu_collection_template_instance_lineage WHERE instance_collection_id = $1"
)
OTHER = UUID("11111111-1111-4111-8111-111111111111")


@pytest.mark.parametrize("of_a_rollback", [True, False])
async def test_a_tombstone_that_nobody_has_rolled_back_for_shows(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    of_a_rollback: bool,
) -> None:
    """It would hide that its instance was removed."""
    (kept,) = await compose(app_conn, Item(template.key, actor="ops-bot"))
    await compose(app_conn, Item(template.key), Item(template.key))
    await by_actor(app_conn, "hr-bot", dry_run=False)
    rollback = OTHER
    if of_a_rollback:
        rollback = await owner.fetchval(
            "SELECT rollback_operation_id FROM iu_core.iu_instance_tombstone LIMIT 1"
        )
    assert await found(app_conn) == []
    await owner.execute(FORGE, kept["instance_collection_id"], rollback)
    await owner.execute(REMOVE, kept["instance_collection_id"])
    assert await found(app_conn) == [("tombstones_differ", f"rollback {rollback}")]


async def test_rollbacks_of_every_kind_hold(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """In one step, by a plan, and in chunks; and told again to who asks again."""
    request = OTHER
    await compose(app_conn, Item(template.key), Item(template.key))
    for _ in range(2):
        await by_actor(app_conn, "hr-bot", dry_run=False, request_id=request)
    assert len(await runs(owner, command="rollback_by_actor")) == 2
    await compose(app_conn, Item(template.key), Item(template.key))
    await apply(app_conn, HR, await plan(app_conn, HR))
    await compose(app_conn, Item(template.key), Item(template.key), Item(template.key))
    operation, runner = await rolling_back(app_conn, HR)
    for _ in range(2):
        await step(app_conn, operation, runner, limit=2)
    assert await found(app_conn) == []


async def test_a_rollback_whose_runs_were_retired_is_no_finding(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await compose(app_conn, Item(template.key))
    await by_actor(app_conn, "hr-bot", dry_run=False)
    await let_a_minute_pass(owner)
    await seal(app_conn)
    await export(app_conn)
    await retire(owner, 1)
    assert await found(app_conn) == []


@pytest.mark.parametrize(
    ("composed_at", "put_in_at", "kind"),
    [
        ("timestamptz '2020-01-01'", "clock_timestamp()", "run_inserted"),
        ("clock_timestamp()", "timestamptz '2020-01-01'", "instance_unrecorded"),
    ],
)
async def test_no_run_put_in_later_makes_an_instance_older_than_runs(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    composed_at: str,
    put_in_at: str,
    kind: str,
) -> None:
    await compose(app_conn, Item(template.key), Item(template.key, actor="ops-bot"))
    await owner.execute("DELETE FROM iu_core.iu_command_record WHERE actor = 'ops-bot'")
    await owner.execute(LOG + "batch_id = NULL WHERE actor = 'ops-bot'")
    instance = await owner.fetchval(
        f"""UPDATE iu_core.iu_collection_template_instance_lineage AS g
               SET composed_at = {composed_at}
              FROM iu_core.iu_auto_instantiate_event_log AS l
             WHERE l.instance_collection_id = g.instance_collection_id AND l.batch_id IS NULL
            RETURNING g.instance_collection_id"""
    )
    run = await owner.fetchval(
        f"""INSERT INTO iu_core.iu_command_record
                   (subject_id, first_at, last_at, command, outcome, code, actor, details)
            SELECT '00000000-0000-0000-0000-000000000000', {put_in_at}, {put_in_at},
                   'migrate_database', 'done', 'ok', 'iu-core-migration',
                   jsonb_build_object('instances', o.instances,
                                      'instances_sha256', o.instances_sha256, 'tombstones', 0)
              FROM iu_core.fn_iu_audit_older() AS o
            RETURNING record_id"""
    )
    await let_a_minute_pass(owner)
    await seal(app_conn)

    subjects = {"run_inserted": f"run {run}", "instance_unrecorded": f"instance {instance}"}
    assert await found(app_conn) == [(kind, subjects[kind])]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_what_runs_composed_is_digested_once_however_they_are_compared(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """With few rows expected runs are compared in a loop, and each digest was made for each run."""
    for _ in range(12):
        await compose(app_conn, Item(template.key))
    async with owner.transaction():
        await owner.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        told = await owner.fetchval(
            "EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) SELECT *"
            " FROM iu_core.fn_iu_audit_finding_instances('-infinity', 'infinity')"
        )
    found_nodes = list(nodes(json.loads(told)[0]["Plan"]))
    loops = [
        node["Actual Loops"]
        for node in found_nodes
        if "sha256(string_agg" in str(node.get("Output"))
    ]
    compared = [node["Actual Loops"] for node in found_nodes if node.get("CTE Name") == "made"]
    assert (loops, compared) == ([1], [12])


async def test_an_instance_is_looked_up_in_the_log_however_large_that_is(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """A join of the two went through the whole log for each segment."""
    await compose(app_conn, Item(template.key))
    async with owner.transaction():
        await owner.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = off")
        told = await owner.fetchval(
            "EXPLAIN (FORMAT JSON) SELECT *"
            " FROM iu_core.fn_iu_audit_finding_instances('-infinity', 'infinity')"
        )
    conditions = [
        node.get("Index Cond")
        for node in nodes(json.loads(told)[0]["Plan"])
        if node.get("Relation Name") == "iu_auto_instantiate_event_log"
    ]
    assert conditions == ["(instance_collection_id = g.instance_collection_id)"]
