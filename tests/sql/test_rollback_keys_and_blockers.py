"""What stands against a rollback, and what it does to messages and keys."""

import dataclasses
from datetime import datetime
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose_one, identity
from tests.support.rollback import (
    HR,
    OPERATOR,
    apply,
    buried,
    by_actor,
    composed,
    deliver,
    edit,
    plan,
    present,
    refusal,
    release_keys,
    row_counts,
)
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def test_blockers_stop_the_whole_rollback_and_nothing_is_changed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    edited, delivered, both, plain = await composed(
        app_conn, *(Item(template.key) for _ in range(4))
    )
    for instance in (edited, both):
        await edit(owner, instance, other)
    for instance in (delivered, both):
        await deliver(owner, instance)
    before = await row_counts(owner)
    blockers = [
        {"instance_collection_id": instance, "reason": reason}
        for instance, reason in sorted(
            [
                (str(edited), "edited"),
                (str(both), "edited"),
                (str(both), "delivered"),
                (str(delivered), "delivered"),
            ]
        )
    ]

    planned = await plan(app_conn, HR)
    assert planned["blockers"] == blockers
    assert (await by_actor(app_conn, "hr-bot", dry_run=True))["blockers"] == blockers
    assert await apply(app_conn, HR, planned) == {
        "status": "rollback_blocked",
        "blockers": blockers,
    }
    assert (await refusal(owner))["details"] == {"blockers": blockers}
    assert (await by_actor(app_conn, "hr-bot"))["blockers"] == blockers
    acknowledged = await apply(app_conn, HR, planned, acknowledge_delivered=True)
    assert acknowledged["blockers"] == [b for b in blockers if b["reason"] == "edited"]
    assert await row_counts(owner) == before
    assert plain in await present(owner)


async def test_what_was_delivered_is_rolled_back_when_acknowledged(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    delivered, _ = await composed(app_conn, Item(template.key), Item(template.key))
    await deliver(owner, delivered)
    planned = await plan(app_conn, HR)

    answer = await apply(app_conn, HR, planned, acknowledge_delivered=True)

    assert (answer["deleted"], answer["messages_cancelled"]) == (2, 1)
    assert await row_counts(owner) == {
        "collections": 0,
        "lineage": 0,
        "log": 0,
        "tombstones": 2,
        "messages": 4,
        "cancelled": 1,
        "counted": 0,
    }


async def test_more_than_a_hundred_blockers_are_counted(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    ids = await composed(app_conn, *(Item(template.key) for _ in range(103)))
    for instance in ids:
        await edit(owner, instance, other)
    planned = await plan(app_conn, HR)
    listed = [blocker["instance_collection_id"] for blocker in planned["blockers"]]
    assert listed == sorted(map(str, ids))[:100]
    assert planned["blockers_omitted"] == 3


async def test_messages_of_an_earlier_instance_of_the_key_are_left_alone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Delivered ones block nothing; unsent ones (that it was rolled back) are still sent."""
    item = Item(template.key)
    (instance,) = await composed(app_conn, item)
    await deliver(owner, instance)
    planned = await plan(app_conn, HR)
    await apply(app_conn, HR, planned, acknowledge_delivered=True, release_keys=True)
    await composed(app_conn, dataclasses.replace(item, request_id=uuid4()))

    answer = await by_actor(app_conn, "hr-bot")

    assert (answer["status"], answer["messages_cancelled"]) == ("ok", 1)
    messages = await owner.fetch(
        """SELECT event_type, delivered_at IS NOT NULL, cancelled_at IS NOT NULL
             FROM iu_core.event_outbox ORDER BY created_at"""
    )
    assert [tuple(message) for message in messages] == [
        ("iu.template.instance_auto_composed", True, False),
        ("iu.template.instance_rolled_back", False, False),
        ("iu.template.instance_auto_composed", False, True),
        ("iu.template.instance_rolled_back", False, False),
    ]
    assert await buried(owner) == [instance, instance]


async def test_another_content_under_a_kept_key_is_a_conflict_as_before_the_rollback(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, data='{"name":"Ada"}')
    (original,) = await composed(app_conn, item)
    other = dataclasses.replace(
        item, data='{"name":"Bob"}', event_type="hr.other", request_id=uuid4()
    )
    before = await compose_one(app_conn, other)
    await by_actor(app_conn, "hr-bot")

    answer = await compose_one(app_conn, other)

    assert answer == before
    assert (answer["status"], answer["details"]) == (
        "idempotency_conflict",
        {
            "fields": ["event_type", "data"],
            "idempotency_key": original.hex,
            "instance_collection_id": str(original),
        },
    )


async def test_a_kept_key_refuses_the_event_until_it_is_released(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    late = dataclasses.replace(item, request_id=uuid4())
    await composed(app_conn, item)
    await by_actor(app_conn, "hr-bot")
    assert (await compose_one(app_conn, late))["status"] == "rolled_back"

    released = await release_keys(app_conn, HR, reason="send again")

    at = datetime.fromisoformat(released.pop("released_at"))
    assert released == {"status": "ok", "released": 1}
    row = await one_row(
        owner, "SELECT released_at, released_by, release_reason FROM iu_core.iu_instance_tombstone"
    )
    assert tuple(row) == (at, OPERATOR, "send again")
    again = await release_keys(app_conn, HR, reason="and again")
    assert again["released"] == 0
    assert (await compose_one(app_conn, late))["status"] == "ok"
    assert len(await buried(owner)) == 1


async def test_keys_can_be_released_by_the_rollback_itself(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    await composed(app_conn, item)
    answer = await by_actor(app_conn, "hr-bot", release_keys=True)
    assert answer["keys_released"] == 1
    row = await one_row(
        owner,
        """SELECT released_at = rolled_back_at, released_by, release_reason
             FROM iu_core.iu_instance_tombstone""",
    )
    assert tuple(row) == (True, OPERATOR, "wrong list")
    late = dataclasses.replace(item, request_id=uuid4())
    assert (await compose_one(app_conn, late))["status"] == "ok"


async def test_a_version_published_meanwhile_does_not_compose_a_rolled_back_event_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.family)
    (instance,) = await composed(app_conn, item)
    assert instance == identity(item, template.family_id)
    await by_actor(app_conn, "hr-bot")
    await make_template(owner, version=2)
    late = dataclasses.replace(item, request_id=uuid4())
    assert (await compose_one(app_conn, late))["status"] == "rolled_back"
