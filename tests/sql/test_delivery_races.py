"""Delivery against itself, against composing, against closing, and against rollbacks."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.delivery import (
    claim,
    facts,
    finish,
    make_route,
    open_boundary,
    put_route,
    replay,
    tell_more,
)
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.rollback import by_actor
from tests.support.templates import Template, make_template

DRAIN = "SELECT iu_core.fn_iu_outbound_routes_drain()"
FAN_OUT_LOCK = "PERFORM iu_core.fn_iu_lock('outbound_routes', ARRAY['outbound_routes'], true);"
ACTORS_LOCK = "PERFORM iu_core.fn_iu_lock('actor', v_actors, true);"
WAITING_LOCK = "d.state = 'pending' AND d.attempts = 0 AND EXISTS ("

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, all three layers open for the route `hr`."""
    await open_boundary(owner)
    return await make_template(owner)


def messages(claimed: list[dict[str, Any]]) -> set[UUID]:
    """Which messages were claimed."""
    return {one["outbox_id"] for one in claimed}


async def test_two_workers_claim_different_messages_and_wait_for_nobody(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 4)
    async with app_conn.transaction():
        first = await claim(app_conn, most=2)
        # What the first has claimed is not to be seen yet; it is passed over, not waited for.
        assert messages(await claim(second, most=2)) == set()
    rest = await claim(second)
    assert (len(first), len(rest), messages(first) & messages(rest)) == (2, 2, set())


async def test_many_workers_claim_every_message_once(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 60)

    async def work(connection: asyncpg.Connection) -> list[UUID]:
        done: list[UUID] = []
        while await owner_left():
            claimed = await claim(connection, most=7)
            done += [one["outbox_id"] for one in claimed]
            await finish(connection, claimed)
        return done

    lock = asyncio.Lock()

    async def owner_left() -> bool:
        async with lock:
            left: bool = await owner.fetchval(
                "SELECT EXISTS (SELECT FROM iu_core.iu_route_delivery WHERE state = 'pending')"
            )
            return left

    done = await asyncio.gather(*(work(one) for one in (app_conn, second, third)))
    sent = [message for one in done for message in one]
    assert (len(sent), len(set(sent))) == (60, 60)


@either_way
async def test_a_route_that_was_enabled_gets_what_is_committed_afterwards(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    """Whoever composes when the route is enabled is waited for: no message falls in between."""
    if not guarded:
        await take_out(owner, "fn_iu_outbox_fan_out", FAN_OUT_LOCK)
    composing = app_conn.transaction()
    await composing.start()
    await compose(app_conn, Item(template.key))
    await put_route(second)
    if guarded:
        with pytest.raises(asyncpg.LockNotAvailableError):
            await second.fetch(DRAIN)
    else:
        await second.fetch(DRAIN)  # answered, and what is committed now is lost to the route
    await composing.commit()
    await second.fetch(DRAIN)
    assert await claim(app_conn) == []
    await facts(owner, template)
    assert len(await claim(app_conn)) == 1


@pytest.mark.parametrize("how", ["gate", "route", "lane", "setting"])
async def test_who_closes_a_layer_is_answered_when_no_claim_is_under_way(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    how: str,
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template, 2)
    claiming = app_conn.transaction()
    await claiming.start()
    assert len(await claim(app_conn, most=1)) == 1
    match how:
        case "gate":
            await second.fetchval(
                "SELECT iu_core.fn_iu_gate_close(ARRAY['iu_core.delivery_enabled'], false, 'test',"
                " 'ops', 'test', gen_random_uuid())"
            )
        case "route":
            await put_route(second, route_id=route, enabled=False)
        case "lane":
            await second.fetchval(
                "SELECT iu_core.fn_iu_event_type_put('iu.template.instance_auto_composed',"
                " 'delayed', NULL, '', 'test', 'ops', 'test', gen_random_uuid())"
            )
        case _:
            await second.fetchval(
                "SELECT iu_core.fn_iu_setting_put('iu_core.delivery_live_routes', '[]', 'test',"
                " 'ops', 'test', gen_random_uuid())"
            )
    if how == "gate":
        drain = "SELECT iu_core.fn_iu_gate_drain(ARRAY['iu_core.delivery_enabled'])"
        async with racing(observer, second, second.fetch(drain)) as late:
            await late.blocked(by=app_conn)
            await claiming.commit()
            await late.result()
    else:
        with pytest.raises(asyncpg.LockNotAvailableError):
            await second.fetch(DRAIN)
        await claiming.commit()
        await second.fetch(DRAIN)
    assert await claim(third) == [], "an attempt begins after the closing was answered"
    boundary = await owner.fetchval("SELECT iu_core.fn_iu_boundary()")
    assert boundary["on_the_wire"] == 1
    assert boundary["internal_only_holds"] is (how != "lane")  # the other type is live still


async def test_a_rollback_that_waits_for_a_claim_finds_the_message_on_the_wire(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    claiming = app_conn.transaction()
    await claiming.start()
    await claim(app_conn)
    async with racing(observer, second, by_actor(second, "hr-bot")) as late:
        await late.blocked(by=app_conn)
        await claiming.commit()
        answer = await late.result()
    assert answer["status"] == "rollback_blocked"


async def test_a_claim_passes_over_what_is_being_rolled_back(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    rolling_back = app_conn.transaction()
    await rolling_back.start()
    assert (await by_actor(app_conn, "hr-bot"))["status"] == "ok"
    assert await claim(second) == []
    await rolling_back.commit()
    assert [one["sequence"] for one in await claim(second)] == [2]


@either_way
async def test_what_is_put_off_while_what_it_waits_for_ends_is_due_all_the_same(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    """Whoever ends the first waits for whoever puts the second off, and makes it due then."""
    if not guarded:
        await take_out(owner, "fn_iu_delivery_finish", WAITING_LOCK, "false AND EXISTS (")
    await make_route(app_conn)
    await tell_more(owner, await facts(owner, template), 2)
    first = await claim(app_conn)
    await owner.execute("UPDATE iu_core.iu_route_delivery SET due_at = now() WHERE sequence = 2")
    putting_off = second.transaction()
    await putting_off.start()
    assert await claim(second) == []
    async with racing(observer, app_conn, finish(app_conn, first)) as late:
        if guarded:
            await late.blocked(by=second)
        else:
            await late.result()
        await putting_off.commit()
        await late.result()
    assert [one["sequence"] for one in await claim(app_conn)] == ([2] if guarded else [])


@either_way
async def test_a_replay_waits_for_a_rollback_and_sends_nothing_that_it_took_back(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_delivery_due", ACTORS_LOCK)
    await facts(owner, template)
    route = await make_route(app_conn)  # it was never given the first message
    rolling_back = app_conn.transaction()
    await rolling_back.start()
    assert (await by_actor(app_conn, "hr-bot"))["status"] == "ok"
    async with racing(observer, second, replay(second, route)) as replaying:
        if guarded:
            await replaying.blocked()
            await rolling_back.commit()
        answer = await replaying.result()
    if not guarded:
        await rolling_back.commit()
    left = [one["sequence"] for one in await claim(app_conn)]
    assert (answer["due"], left) == ((0, [2]) if guarded else (1, [1]))


async def test_who_gives_attempts_up_passes_over_those_that_are_being_ended(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """A worker that comes back after its lease ends them while another one claims."""
    await make_route(app_conn)
    await facts(owner, template, 2)
    claimed = await claim(app_conn, lease_s=0)
    holding = owner.transaction()
    await holding.start()
    await owner.execute("SELECT FROM iu_core.iu_route_attempt FOR UPDATE")
    async with racing(observer, app_conn, finish(app_conn, claimed)) as finishing:
        await finishing.blocked(by=owner)
        assert await claim(second) == []
        await holding.commit()
        assert await finishing.result() == ["delivered"] * 2


async def test_a_route_that_is_gone_a_rollback_and_a_replay_wait_for_each_other_in_one_order(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    route = await make_route(app_conn)
    (gone, *_) = await facts(owner, template, 2)
    claimed = await claim(app_conn)
    mine = [one for one in claimed if one["subject_id"] == gone]
    await finish(app_conn, [one for one in claimed if one["subject_id"] != gone])
    holding = owner.transaction()
    await holding.start()
    await owner.execute("SELECT FROM iu_core.event_outbox WHERE subject_id = $1 FOR UPDATE", gone)
    ending = finish(app_conn, mine, "failed", 410, "answered")
    async with racing(observer, app_conn, ending) as finishing:
        await finishing.blocked(by=owner)
        async with racing(observer, second, by_actor(second, "hr-bot")) as rolling_back:
            await rolling_back.blocked(by=app_conn)
            again = replay(third, route, delivered=True)
            async with racing(observer, third, again) as replaying:
                await replaying.blocked(by=app_conn)
                await holding.commit()
                assert await finishing.result() == ["dead"]
                assert (await replaying.result())["status"] == "outbound_route_disabled"
            assert (await rolling_back.result())["status"] == "rollback_blocked"
