"""Instances against the runs of the audit log: whatever is removed, put in or changed shows."""

import asyncpg
import pytest

from tests.support.audit import found, let_a_minute_pass, seal
from tests.support.composing import Item, compose
from tests.support.rollback import by_actor
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

    await owner.execute(
        """DELETE FROM iu_core.iu_instance_tombstone WHERE instance_collection_id IN
               (SELECT instance_collection_id FROM iu_core.iu_instance_tombstone LIMIT 1)"""
    )
    assert await found(app_conn) == [("instances_differ", f"run {run}")]


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
