"""Instances against the runs of the audit log: whatever is removed, put in or changed shows."""

from uuid import UUID

import asyncpg
import pytest

from tests.support.audit import export, found, let_a_minute_pass, retire, runs, seal
from tests.support.composing import Item, compose
from tests.support.operation_calls import rolling_back, step
from tests.support.rollback import HR, apply, by_actor, plan
from tests.support.templates import Template, make_template, open_gates

FIRST_RUN = "SELECT record_id FROM iu_core.iu_command_record ORDER BY last_at, record_id LIMIT 1"


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
