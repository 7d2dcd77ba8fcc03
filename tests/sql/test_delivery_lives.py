"""An instance that is rolled back and composed again: each of its lives has its own messages."""

from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.delivery import claim, make_route, open_boundary, put_route, replay
from tests.support.rollback import by_actor
from tests.support.templates import make_template


@pytest.fixture
async def route(owner: asyncpg.Connection) -> UUID:
    """A route for everything, all three layers open."""
    await open_boundary(owner)
    return await make_route(owner)


@pytest.fixture
async def item(owner: asyncpg.Connection, route: UUID) -> Item:
    """What was composed, rolled back, and may be composed again."""
    item = Item((await make_template(owner)).key)
    await compose(owner, item)
    assert (await by_actor(owner, "hr-bot", release_keys=True))["status"] == "ok"
    return item


async def again(owner: asyncpg.Connection, item: Item) -> None:
    """Compose it once more."""
    (answer,) = await compose(owner, replace(item, request_id=uuid4()))
    assert answer["status"] == "ok", answer


async def states(owner: asyncpg.Connection) -> list[tuple[int, str]]:
    """What is to become of each message, in their order."""
    rows = await owner.fetch(
        "SELECT sequence, state FROM iu_core.iu_route_delivery ORDER BY sequence"
    )
    return [(row["sequence"], row["state"]) for row in rows]


async def test_what_is_composed_again_gives_its_new_message_alone_to_the_routes(
    owner: asyncpg.Connection, item: Item
) -> None:
    await again(owner, item)
    assert await states(owner) == [(1, "cancelled"), (2, "pending"), (3, "pending")]


async def test_a_rollback_cancels_nothing_of_an_earlier_life(
    owner: asyncpg.Connection, item: Item
) -> None:
    """That the first was rolled back is a fact, whatever becomes of the second."""
    await again(owner, item)
    assert (await by_actor(owner, "hr-bot"))["status"] == "ok"
    assert await states(owner) == [
        (1, "cancelled"),
        (2, "pending"),
        (3, "cancelled"),
        (4, "pending"),
    ]
    cancelled = await owner.fetch(
        "SELECT sequence FROM iu_core.event_outbox WHERE cancelled_at IS NOT NULL ORDER BY 1"
    )
    assert [row["sequence"] for row in cancelled] == [1, 3]


async def test_what_was_left_from_before_a_route_was_enabled_holds_nobody_back(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, route: UUID, item: Item
) -> None:
    for enabled in (False, True):
        await put_route(owner, route_id=route, enabled=enabled)
    await again(owner, item)
    assert await states(owner) == [(1, "cancelled"), (2, "pending"), (3, "pending")]
    assert [one["sequence"] for one in await claim(app_conn)] == [3]
    assert await claim(app_conn) == []


@pytest.mark.parametrize("dry_run", [True, False])
async def test_what_was_rolled_back_is_looked_at_by_a_replay_and_not_due(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, route: UUID, item: Item, dry_run: bool
) -> None:
    answer = await replay(app_conn, route, dry_run=dry_run)
    assert (answer["messages"], answer["due"]) == (2, 0)
    assert await states(owner) == [(1, "cancelled"), (2, "pending")]
