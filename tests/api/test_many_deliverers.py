"""Deliverers beside each other and endpoints beside each other: none gets in another's way."""

import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from app.db.engine import Database as Pool
from app.metrics import Metrics
from app.services.delivering import MOST_OF_A_ROUTE, delivering
from tests.api.test_delivering import Receiver, receiver
from tests.support.databases import Database
from tests.support.delivery import facts, make_route, open_boundary, tell_more
from tests.support.interleaving import wait_until
from tests.support.templates import Template, make_template

__all__ = ["receiver"]

DELIVERERS = 10
INSTANCES = 60
MESSAGES = 4
HANGING = [f"hanging-{number}" for number in range(4)]


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from."""
    return await make_template(owner)


@asynccontextmanager
async def deliverers(database: Database, count: int = 1) -> AsyncIterator[None]:
    """So many, each with connections of its own, while the block runs."""
    async with AsyncExitStack() as running:
        for _ in range(count):
            pool = Pool(database.app_url, pool_size=2)
            running.push_async_callback(pool.close)
            await running.enter_async_context(
                delivering(pool, Metrics(), allow="127.0.0.1/32", source="/factory")
            )
        yield


async def ended(owner: asyncpg.Connection, route: UUID, count: int) -> None:
    """Wait until so many messages of a route are delivered."""

    async def enough() -> bool:
        found = await owner.fetchval(
            "SELECT count(*) FROM iu_core.iu_route_delivery"
            " WHERE state = 'delivered' AND route_id = $1",
            route,
        )
        return bool(found == count)

    await wait_until(enough, f"{count} messages are delivered")


async def test_ten_send_each_message_once_and_those_about_an_instance_in_order(
    database: Database, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    await open_boundary(owner, "hr")
    route = await make_route(owner, endpoint=receiver.url)
    async with deliverers(database, DELIVERERS):
        async with owner.transaction():
            await tell_more(owner, await facts(owner, template, INSTANCES), MESSAGES)
        await ended(owner, route, INSTANCES * MESSAGES)
    assert set(Counter(headers["webhook-id"] for headers, _ in receiver.came).values()) == {1}
    came: dict[str, list[int]] = defaultdict(list)
    for _, body in receiver.came:
        event = json.loads(body)
        came[event["subject"]].append(int(event["sequence"]))
    assert len(came) == INSTANCES
    assert all(numbers == list(range(1, MESSAGES + 1)) for numbers in came.values())
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM iu_core.iu_route_attempt WHERE outcome = 'delivered'"
        )
        == INSTANCES * MESSAGES
    )


async def test_endpoints_that_hang_delay_no_other_also_of_the_same_host(
    database: Database, owner: asyncpg.Connection, template: Template, receiver: Receiver
) -> None:
    """All is delivered to the one that answers before the first gives up on one that does not."""
    await open_boundary(owner, "quick", *HANGING)
    for name in HANGING:
        await make_route(owner, name, endpoint=receiver.url.replace("/hook", f"/{name}"))
    quick = await make_route(owner, "quick", endpoint=receiver.url)
    receiver.waits_at = "/hanging"
    receiver.lets_go.clear()
    await facts(owner, template, 200)
    try:
        async with deliverers(database):
            await ended(owner, quick, 200)
            attempts = await owner.fetch(
                "SELECT outcome FROM iu_core.iu_route_attempt WHERE route_id <> $1", quick
            )
            receiver.lets_go.set()
    finally:
        receiver.lets_go.set()
    assert [row["outcome"] for row in attempts] == [None] * (MOST_OF_A_ROUTE * len(HANGING))
