"""In which order messages leave, and which of them wait for others."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.delivery import (
    COMPOSED,
    ROLLED_BACK,
    claim,
    deliveries,
    facts,
    finish,
    lane,
    make_route,
    open_boundary,
    replay,
    tell_more,
)
from tests.support.gates import set_clock
from tests.support.rollback import Selectors, apply, by_actor, plan
from tests.support.templates import Template, make_template


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, all three layers open for the route `hr`."""
    await open_boundary(owner)
    return await make_template(owner)


async def test_messages_of_one_instance_leave_in_their_order(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    (instance,) = await facts(owner, template)
    await tell_more(owner, [instance], 2)
    (first,) = await claim(app_conn)
    assert first["sequence"] == 1
    assert await finish(app_conn, [first], "failed", 500, "answered") == ["pending"]
    assert await claim(app_conn) == [], "the second waits for the first"
    await set_clock(owner, timedelta(seconds=10))
    (again,) = await claim(app_conn)
    assert (again["sequence"], again["attempt"]) == (1, 2)
    assert await finish(app_conn, [again]) == ["delivered"]
    assert [one["sequence"] for one in await claim(app_conn)] == [2]


async def test_messages_of_a_closed_lane_are_given_to_nobody_and_hold_nobody_back(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    item = Item(template.key)
    await compose(owner, item)
    await finish(app_conn, await claim(app_conn), "not_sent", None, "connect_failed")
    await lane(owner, ROLLED_BACK, "delayed")
    await by_actor(owner, "hr-bot", release_keys=True)
    await compose(owner, replace(item, request_id=uuid4()))
    assert await deliveries(owner) == {"cancelled": 1, "pending": 1}
    assert [one["sequence"] for one in await claim(app_conn)] == [3]
    await lane(owner, ROLLED_BACK, "live")
    assert await claim(app_conn) == [], "what happened before the lane was opened stays inside"


async def test_a_message_that_waits_for_its_lane_holds_nobody_back(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    item = Item(template.key)
    await compose(owner, item)
    await by_actor(owner, "hr-bot", release_keys=True)
    await compose(owner, replace(item, request_id=uuid4()))
    await lane(owner, ROLLED_BACK, "delayed")
    assert [one["sequence"] for one in await claim(app_conn)] == [3]


async def test_what_follows_a_rollback_waits_for_what_is_on_the_wire(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    (first,) = await claim(app_conn)
    selectors = Selectors(actor="hr-bot")
    planned = await plan(app_conn, selectors)
    assert (await apply(app_conn, selectors, planned, acknowledge_delivered=True))["deleted"] == 1
    assert await claim(app_conn) == []
    assert await finish(app_conn, [first]) == [None]
    assert await owner.fetchval(
        "SELECT delivered_at IS NOT NULL FROM iu_core.event_outbox WHERE sequence = 1"
    )
    assert [one["sequence"] for one in await claim(app_conn)] == [2]


async def test_what_waits_for_another_is_due_when_that_ends(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    item = Item(template.key)
    await compose(owner, item)
    await finish(app_conn, await claim(app_conn), "not_sent", None, "connect_failed")
    await by_actor(owner, "hr-bot", release_keys=True)
    await compose(owner, replace(item, request_id=uuid4()))
    (second,) = await claim(app_conn)
    assert second["sequence"] == 2
    assert await claim(app_conn) == []  # and the third is put off, until the lease is over
    assert await finish(app_conn, [second]) == ["delivered"]
    assert [one["sequence"] for one in await claim(app_conn)] == [3]


async def test_what_waits_for_what_may_not_leave_any_more_waits_some_minutes(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    instances = await facts(owner, template)
    await tell_more(owner, instances, 2)
    await finish(app_conn, await claim(app_conn), "failed", 503, "answered", retry_after_s=86400)
    assert await claim(app_conn) == []
    await lane(owner, COMPOSED, "delayed")
    await set_clock(owner, timedelta(minutes=6))
    assert [one["sequence"] for one in await claim(app_conn)] == [2]


async def tell_the_same(owner: asyncpg.Connection, instances: list[UUID]) -> None:
    """A second message about each, which takes nothing back."""
    await tell_more(owner, instances, 2)
    for table in ("event_outbox", "iu_route_delivery"):
        await owner.execute(f"UPDATE iu_core.{table} SET event_type = $1", COMPOSED)


async def test_what_was_lost_and_waits_again_stands_in_nobodys_way(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    """A killed worker had the second messages; then the first are sent again, and stay pending."""
    route = await make_route(app_conn)
    instances = await facts(owner, template, 8)
    await tell_the_same(owner, instances)
    await finish(app_conn, await claim(app_conn))
    assert {one["sequence"] for one in await claim(app_conn, lease_s=0)} == {2}
    await replay(app_conn, route, delivered=True)
    await finish(app_conn, await claim(app_conn), "failed", 503, "answered", retry_after_s=86400)
    others = await facts(owner, template, 3)
    claimed = [one for _ in others for one in await claim(app_conn, most=1, per_route=4)]
    assert {one["subject_id"] for one in claimed} == set(others)


async def test_nothing_of_an_instance_leaves_beside_another_message_of_it(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    instances = await facts(owner, template)
    await tell_the_same(owner, instances)
    await finish(app_conn, await claim(app_conn))
    (second,) = await claim(app_conn)
    await replay(app_conn, route, delivered=True)  # the first, again
    assert await claim(app_conn) == []
    await finish(app_conn, [second])
    assert [one["sequence"] for one in await claim(app_conn)] == [1]


async def test_what_waits_does_not_stand_in_the_way_of_what_it_waits_for(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await tell_more(owner, await facts(owner, template, 50), 4)
    # The first are done, and the second are due later than what waits for them.
    await owner.execute(
        """UPDATE iu_core.iu_route_delivery
              SET state = CASE WHEN sequence = 1 THEN 'delivered' ELSE state END,
                  due_at = CASE WHEN sequence = 2 THEN now() ELSE now() - interval '1 min' END"""
    )
    claimed = await claim(app_conn, most=10)
    assert [one["sequence"] for one in claimed] == [2] * 10
