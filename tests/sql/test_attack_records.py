"""What is recorded and counted: of dry runs, of refusals, and of everything that is composed."""

import dataclasses
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING, content, create_template, create_version
from tests.support.composing import Item, compose, compose_one
from tests.support.rollback import HR, by_actor, plan
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    return await make_template(owner)


async def test_the_summary_counts_dry_runs_of_composing_and_of_nothing_else(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """A rollback and a next version can be tried too; they compose nothing."""
    await create_template(app_conn, "tpl:file:report")
    await create_version(app_conn, "tpl:file:report", pieces=[content("new", "new")], dry_run=True)
    await by_actor(app_conn, "hr-bot", dry_run=True)
    await plan(app_conn, HR)
    await compose_one(app_conn, Item(template.key, emit_mode="dry_run"))

    rows = await owner.fetch(
        """SELECT template_key, emit_mode, events
             FROM iu_core.v_iu_auto_instantiate_event_summary"""
    )

    assert [tuple(row) for row in rows] == [(template.key, "dry_run", 1)]


async def test_a_dry_run_behind_the_live_item_of_its_key_is_judged_against_it(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    """Sent one after the other they would be told the same."""
    live = Item(template.key)
    dry = dataclasses.replace(live, emit_mode="dry_run", request_id=uuid4())
    other = dataclasses.replace(dry, data='{"other":1}', request_id=uuid4())

    answers = await compose(app_conn, dry, live, dry, other)

    assert [(answer["status"], answer["would_be"]) for answer in answers] == [
        ("ok", "composed"),
        ("ok", None),
        ("idempotent_replay", "replayed"),
        ("idempotency_conflict", "refused"),
    ]
    assert answers[0]["composed_at"] is None
    assert answers[2]["composed_at"] == answers[1]["composed_at"]


async def test_a_key_is_not_released_by_nobody(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The tombstone says who did it."""
    await compose_one(app_conn, Item(template.key))
    await by_actor(app_conn, "hr-bot")

    answer = await app_conn.fetchval(
        """SELECT iu_core.fn_iu_rollback_release_keys(
               'hr-bot', NULL, NULL, NULL, NULL, NULL, 'send again', NULL, NULL, NULL, NULL)"""
    )

    assert (answer["status"], [error["pointer"] for error in answer["errors"]]) == (
        "invalid_input",
        ["/actor"],
    )
    assert await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_instance_tombstone WHERE released_at IS NULL"
    )


async def test_a_key_of_the_service_expires_at_a_time_or_never(
    app_conn: asyncpg.Connection,
) -> None:
    """Infinity is later than now, and how many seconds are left of it is an error."""
    answer = await app_conn.fetchval(
        """SELECT iu_core.fn_iu_api_key_create(
               'abcd1234', sha256('x'), 'anna', 'viewer', 'ops-anna', NULL, 'infinity',
               'ops-anna', 'anna', NULL)"""
    )
    assert (answer["status"], [error["pointer"] for error in answer["errors"]]) == (
        "invalid_input",
        ["/expires_at"],
    )
