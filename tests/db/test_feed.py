"""The feed, look by look: nothing is told before all that is earlier can be, and none is missed."""

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db.engine import Database as Pool
from app.portions import Portion
from app.services.feed import AT_A_TIME, MOST_BEHIND, Feed, Listener, pause_s, place_of
from tests.support.composing import Item, compose
from tests.support.databases import Database, Server, open_connection
from tests.support.delivery import claim, make_route, open_boundary
from tests.support.interleaving import racing, wait_until
from tests.support.mutation import take_out
from tests.support.release_dump import restored_database, statements
from tests.support.templates import Template, make_template, open_gates

NUMBER_FIRST = "PERFORM pg_catalog.pg_current_xact_id();"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[Feed]:
    """A feed that has looked once, so that it knows where it begins."""
    pool = Pool(database.app_url)
    feed = Feed(pool, lambda: False)
    await look(feed)
    yield feed
    await pool.close()


@pytest.fixture
def queue(feed: Feed) -> Listener:
    """A listener's."""
    queue: Listener = asyncio.Queue(MOST_BEHIND)
    feed._listeners.add(queue)
    return queue


def told(*portions: Portion | None) -> list[tuple[str, str]]:
    """Of each instance that was composed its suffix, and the place to go on from."""
    events = [
        event for one in portions if one for event in one.content.decode().split("\n\n") if event
    ]
    fields = [dict(line.split(": ", 1) for line in event.splitlines()) for event in events]
    return [(json.loads(one["data"])["suffix"], one["id"]) for one in fields]


def suffixes(queue: Listener) -> list[str]:
    """What a listener was told since the last time."""
    return [suffix for suffix, _ in told(*(queue.get_nowait() for _ in range(queue.qsize())))]


async def look(feed: Feed, times: int = 2) -> None:
    """Once to see which transactions there are, once to see that they are over."""
    for _ in range(times):
        await feed._look()
        await feed._tell_facts()


async def test_a_fact_is_told_when_no_earlier_one_can_come_any_more(
    feed: Feed,
    queue: Listener,
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    slow = app_conn.transaction()
    await slow.start()
    await compose(app_conn, Item(template.key, suffix="slow"))
    await compose(owner, Item(template.key, suffix="quick"))
    await look(feed, 5)
    assert suffixes(queue) == []
    await slow.commit()
    await look(feed)
    assert suffixes(queue) == ["slow", "quick"]
    await look(feed)
    assert suffixes(queue) == []


async def test_who_only_reads_keeps_nobody_waiting(
    feed: Feed,
    queue: Listener,
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    async with app_conn.transaction(isolation="repeatable_read", readonly=True):
        await app_conn.fetch("SELECT * FROM iu_core.v_iu_instance")
        await compose(owner, Item(template.key, suffix="a"))
        await look(feed)
        assert suffixes(queue) == ["a"]


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])
async def test_a_transaction_has_its_number_before_it_takes_its_time(
    feed: Feed,
    queue: Listener,
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    """Between the two it could not be seen, and its fact would be missed."""
    if not guarded:
        await take_out(owner, "fn_iu_fact_time", NUMBER_FIRST)
    async with owner.transaction():
        at = await owner.fetchval("SELECT iu_core.fn_iu_fact_time()")
        await look(feed)
        assert feed._until is not None
        assert (feed._until < at) is guarded


async def test_who_missed_something_is_told_it_and_joins_the_others(
    feed: Feed, owner: asyncpg.Connection, template: Template
) -> None:
    first: Listener = asyncio.Queue(MOST_BEHIND)
    feed._listeners.add(first)
    for suffix in "abc":
        await compose(owner, Item(template.key, suffix=suffix))
    await look(feed)
    (_, after), *rest = told(first.get_nowait())
    assert [suffix for suffix, _ in rest] == ["b", "c"]
    place = place_of(after)
    assert place is not None
    late: Listener = asyncio.Queue(MOST_BEHIND)
    missed = [portion async for portion in feed._missed(place, late)]
    assert told(*missed) == rest
    await compose(owner, Item(template.key, suffix="d"))
    await look(feed)
    assert suffixes(late) == suffixes(first) == ["d"]


async def test_a_place_holds_after_a_dump_and_a_restore(
    feed: Feed,
    queue: Listener,
    database: Database,
    server: Server,
    maintenance: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    for suffix in "abc":
        await compose(owner, Item(template.key, suffix=suffix))
    await look(feed)
    (_, after), *_ = told(queue.get_nowait())
    place = place_of(after)
    assert place is not None
    async with restored_database(server, maintenance, statements(database)) as restored:
        connection = await open_connection(restored, "owner")
        await compose(connection, Item(template.key, suffix="d"))
        await connection.close()
        pool = Pool(restored.app_url)
        there = Feed(pool, lambda: False)
        await look(there)
        missed = [portion async for portion in there._missed(place, asyncio.Queue())]
        await pool.close()
    assert [suffix for suffix, _ in told(*missed)] == ["b", "c", "d"]


async def test_more_than_is_read_at_once_is_told_in_portions(
    feed: Feed, queue: Listener, owner: asyncpg.Connection, template: Template
) -> None:
    count = AT_A_TIME + 20
    await compose(owner, *(Item(template.key, suffix=str(number)) for number in range(count)))
    await look(feed)
    assert queue.qsize() == 2
    assert sorted(suffixes(queue), key=int) == [str(number) for number in range(count)]


async def test_who_is_too_slow_is_let_go(
    feed: Feed, owner: asyncpg.Connection, template: Template
) -> None:
    slow: Listener = asyncio.Queue(1)
    feed._listeners.add(slow)
    for suffix in "ab":
        await compose(owner, Item(template.key, suffix=suffix))
        await look(feed)
    assert (slow.qsize(), slow in feed._listeners) == (1, False)


async def test_a_dead_letter_that_a_claim_makes_is_not_missed(
    feed: Feed,
    queue: Listener,
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_boundary(owner)
    await make_route(owner)
    await compose(owner, Item(template.key))
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 9")
    assert len(await claim(app_conn, lease_s=0)) == 1  # by somebody who is never heard of again
    await look(feed)
    queue.get_nowait()
    holding = owner.transaction()
    await holding.start()
    await owner.execute("LOCK TABLE iu_core.iu_route_attempt IN SHARE MODE")
    async with racing(observer, app_conn, claim(app_conn)) as claiming:
        await claiming.blocked(by=owner)
        await look(feed)
        await holding.commit()
        assert await claiming.result() == []
    await look(feed)
    portion = queue.get_nowait()
    assert portion is not None
    assert b"event: dead_letter" in portion.content


async def test_all_who_come_back_together_are_told_what_is_new_by_one_reader(
    feed: Feed,
    queue: Listener,
    database: Database,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    """As after a deployment: while they wait for their turns, nothing happens, and time goes on."""
    await compose(owner, Item(template.key, suffix="a"))
    await look(feed)
    ((_, last),) = told(queue.get_nowait())
    pool = Pool(database.app_url)
    feed = Feed(pool, lambda: False)
    listening = [feed.listen(place_of(last)) for _ in range(100)]
    for one in listening:
        assert (await anext(one)).content == b": listening\n\n"
    portions = [asyncio.ensure_future(anext(one)) for one in listening]

    async def joined() -> bool:
        return len(feed._listeners) == len(listening)

    await wait_until(joined, "all of them have caught up")
    await compose(owner, Item(template.key, suffix="b"))
    assert {suffix for portion in portions for suffix, _ in told(await portion)} == {"b"}
    await feed.close()
    await pool.close()


async def test_a_service_that_stops_tells_no_more(
    database: Database, owner: asyncpg.Connection, template: Template
) -> None:
    stopping = False
    pool = Pool(database.app_url)
    feed = Feed(pool, lambda: stopping)
    listening = feed.listen(None)
    assert (await anext(listening)).content == b": listening\n\n"
    stopping = True
    assert [portion async for portion in listening] == []
    await pool.close()


def test_many_are_told_less_often_and_least_of_all_while_much_happens() -> None:
    assert (pause_s(1, per_s=249), pause_s(1, per_s=250)) == (0.075, 0.5)
    assert pause_s(200, per_s=249) == 0.2
    assert pause_s(200, per_s=250) == 1.0
