"""Firing routes of stored events again, against itself and against changes of the rules."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.db.event_intake import EventItem, Firing
from tests.support.events import a_firing, an_event, edition, fire, make_route, put_route, take
from tests.support.interleaving import DEADLINE, racing
from tests.support.mutation import take_out
from tests.support.parameters import NAMED, RIGHT, ask_for, digest_of_schema
from tests.support.templates import Template, make_template, open_gates

RESULTS_LOCK = "FOR NO KEY UPDATE"
FINISHED_STAYS = """
     WHERE r.outcome IN ('refused', 'pending')
        OR excluded.outcome = 'composed'
        OR r.outcome = 'dry_run' AND excluded.outcome = 'replayed'"""
RULES_LOCK = "PERFORM iu_core.fn_iu_lock('event_rules', ARRAY['event_rules'], true);"

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template that asks for data; only the intake's gate is open."""
    await open_gates(owner, "event_intake_enabled")
    made = await make_template(owner)
    await ask_for(owner, made, NAMED)
    return made


@pytest.fixture
async def route(app_conn: asyncpg.Connection, template: Template) -> UUID:
    """A route of every event to that template."""
    return await make_route(app_conn, template)


@pytest.fixture
async def event(app_conn: asyncpg.Connection) -> EventItem:
    """An event that is stored, and took no route."""
    stored = an_event(await edition(app_conn))
    await take(app_conn, stored)
    return stored


def judged(route: UUID, template: Template) -> Firing:
    """The route with data that its template takes, and that were judged."""
    return a_firing(route, template, data=RIGHT, schema_digest=digest_of_schema(NAMED))


async def unfinished(
    connection: asyncpg.Connection, owner: asyncpg.Connection, how: str, firing: Firing
) -> UUID:
    """An event whose route was refused at a closed gate, or cut off before it was judged.

    Afterwards all gates that it passes are open.
    """
    if how == "pending":
        await open_gates(owner)
        firing = a_firing(firing.route_id, firing.template, data=RIGHT)
    event = an_event(await edition(connection), firing)
    (answer,) = await take(connection, event)
    assert [result["outcome"] for result in answer["results"]] == [how]
    await open_gates(owner)
    return event.event_id


def told(answer: dict[str, Any]) -> tuple[str, bool]:
    """What became of it, and whether by this call."""
    return answer["outcome"], answer["fired"]


async def kept(owner: asyncpg.Connection) -> list[tuple[str, int]]:
    """Of each result what became of it, and how often it was fired."""
    rows = await owner.fetch("SELECT outcome, firings FROM iu_core.iu_event_result ORDER BY 1, 2")
    return [(row["outcome"], row["firings"]) for row in rows]


async def composed(owner: asyncpg.Connection) -> int:
    """How many instances there are."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


@either_way
@pytest.mark.parametrize("how", ["refused", "pending"])
async def test_of_two_who_fire_a_route_again_one_does(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    route: UUID,
    how: str,
    guarded: bool,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_event_fire_many", RESULTS_LOCK, "")
    firing = judged(route, template)
    event = await unfinished(app_conn, owner, how, firing)
    revision = await edition(app_conn)
    transaction = app_conn.transaction()
    await transaction.start()
    (first,) = await fire(app_conn, revision, (event, firing))
    async with racing(observer, second, fire(second, revision, (event, firing))) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        (answer,) = await late.result()
    assert told(first) == ("composed", True)
    assert answer["instance_collection_id"] == first["instance_collection_id"]
    assert told(answer) == (("composed", False) if guarded else ("replayed", True))
    assert await composed(owner) == 1


async def test_when_the_first_is_undone_the_second_fires_it(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    route: UUID,
) -> None:
    firing = judged(route, template)
    event = await unfinished(app_conn, owner, "refused", firing)
    revision = await edition(app_conn)
    transaction = app_conn.transaction()
    await transaction.start()
    await fire(app_conn, revision, (event, firing))
    async with racing(observer, second, fire(second, revision, (event, firing))) as late:
        await late.blocked(by=app_conn)
        await transaction.rollback()
        (answer,) = await late.result()
    assert told(answer) == ("composed", True)
    assert await kept(owner) == [("composed", 2)]
    assert await composed(owner) == 1


@either_way
async def test_of_two_who_fire_a_new_route_the_first_is_kept(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    event: EventItem,
    guarded: bool,
) -> None:
    """There is no result yet that the second could wait for: they meet at the instance's key."""
    if not guarded:
        await take_out(owner, "fn_iu_event_fired_again", FINISHED_STAYS, "")
    await open_gates(owner)
    firing = judged(await make_route(app_conn, template), template)
    revision = await edition(app_conn)
    transaction = app_conn.transaction()
    await transaction.start()
    (first,) = await fire(app_conn, revision, (event.event_id, firing))
    again = fire(second, revision, (event.event_id, firing))
    async with racing(observer, second, again) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        (answer,) = await late.result()
    assert (told(first), told(answer)) == (("composed", True), ("replayed", True))
    assert await kept(owner) == [("composed", 1) if guarded else ("replayed", 2)]
    assert await composed(owner) == 1


@either_way
async def test_a_change_of_a_route_waits_for_whoever_fires_it_again(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    route: UUID,
    guarded: bool,
) -> None:
    """And whoever comes while it waits is told that the rules are others."""
    if not guarded:
        await take_out(owner, "fn_iu_event_rules_hold", RULES_LOCK)
    firing = judged(route, template)
    event = await unfinished(app_conn, owner, "refused", firing)
    other = await unfinished(app_conn, owner, "pending", firing)
    revision = await edition(app_conn)
    firing_again = app_conn.transaction()
    await firing_again.start()
    await fire(app_conn, revision, (event, firing))
    change = put_route(second, template, route_id=route, enabled=False)
    async with racing(observer, second, change) as changing:
        if not guarded:
            await changing.result()
            await firing_again.commit()
            assert await composed(owner) == 1, "by the old route, after the change was answered"
            return
        await changing.blocked(by=app_conn)
        async with racing(observer, third, fire(third, revision, (other, firing))) as late:
            await late.blocked(by=second)
            await firing_again.commit()
            await changing.result()
            (answer,) = await late.result()
    assert told(answer) == ("rules_changed", False)
    assert await kept(owner) == [("composed", 2), ("pending", 0)]
    assert await composed(owner) == 1


async def test_what_is_fired_again_is_answered_as_it_was_until_that_is_done(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
    route: UUID,
) -> None:
    """The sender who asks meanwhile does not wait for it."""
    firing = judged(route, template)
    revision = await edition(app_conn)
    sent = an_event(revision, firing, cloudevent_id="1")
    (first,) = await take(app_conn, sent)
    await open_gates(owner)
    async with app_conn.transaction():
        await fire(app_conn, revision, (sent.event_id, firing))
        again = take(second, an_event(revision, firing, cloudevent_id="1"))
        (answer,) = await asyncio.wait_for(again, DEADLINE)
    assert answer == {**first, "status": "known"}
    (answer,) = await take(second, an_event(revision, firing, cloudevent_id="1"))
    assert [result["outcome"] for result in answer["results"]] == ["composed"]


async def test_an_event_that_is_not_there_yet_is_not_fired(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    template: Template,
    route: UUID,
) -> None:
    revision = await edition(app_conn)
    sent = an_event(revision, judged(route, template))
    async with app_conn.transaction():
        await take(app_conn, sent)
        firing_it = fire(second, revision, (sent.event_id, judged(route, template)))
        (answer,) = await asyncio.wait_for(firing_it, DEADLINE)
    assert told(answer) == ("not_found", False)
    assert await kept(owner) == [("refused", 1)]


async def test_a_dry_run_waits_for_whoever_fires_it_and_changes_nothing(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    route: UUID,
) -> None:
    firing = judged(route, template)
    event = await unfinished(app_conn, owner, "refused", firing)
    revision = await edition(app_conn)
    (tried,) = await fire(app_conn, revision, (event, firing), dry_run=True)
    assert (told(tried), tried["details"]) == (("dry_run", True), {"would_be": "composed"})
    assert await kept(owner) == [("refused", 1)]
    transaction = app_conn.transaction()
    await transaction.start()
    await fire(app_conn, revision, (event, firing))
    trying = fire(second, revision, (event, firing), dry_run=True)
    async with racing(observer, second, trying) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        (answer,) = await late.result()
    assert told(answer) == ("composed", False)
    assert await kept(owner) == [("composed", 2)]
    assert await composed(owner) == 1
