"""Events, and changes of the rules that they are judged by, at the same time: step by step."""

import asyncpg
import pytest

from tests.support.events import a_firing, an_event, edition, make_route, put_route, take
from tests.support.gates import COMPOSER, INTAKE, close, drain
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.templates import Template, make_template, open_gates

RULES_LOCK = "PERFORM iu_core.fn_iu_lock('event_rules', ARRAY['event_rules'], true);"
JUDGED_AGAIN = "v_items := iu_core.fn_iu_event_reconsider(v_before, v_items, p_contents);"
GATES_LOCK = """PERFORM iu_core.fn_iu_lock('gate', CASE WHEN p_composes
        THEN ARRAY[v_gate, 'iu_core.auto_instantiate_enabled', 'iu_core.composer_enabled']
        ELSE ARRAY[v_gate] END, true);"""
COMPOSING_LOCK = "PERFORM iu_core.fn_iu_lock('gate', v_gates, true);"

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, the intake's among them."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    return await make_template(owner)


async def stored(owner: asyncpg.Connection) -> int:
    """How many events there are for everyone to see."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_event")
    return count


@either_way
async def test_a_change_of_a_route_waits_for_the_events_that_go_by_it(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    route = await make_route(app_conn, template)
    if not guarded:
        await take_out(owner, "fn_iu_event_rules_hold", RULES_LOCK)
    taking = app_conn.transaction()
    await taking.start()
    await take(app_conn, an_event(await edition(app_conn), a_firing(route, template)))
    change = put_route(second, template, route_id=route, enabled=False)
    async with racing(observer, second, change) as late:
        if guarded:
            await late.blocked(by=app_conn)
            await taking.commit()
            await late.result()
            assert await stored(owner) == 1
        else:
            await late.result()
            assert await stored(owner) == 0
            await taking.commit()
            assert await stored(owner) == 1, (
                "it went by the old route after the change was answered"
            )


async def test_who_comes_after_a_change_is_told_that_the_rules_are_others(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    route = await make_route(app_conn, template)
    event = an_event(await edition(app_conn), a_firing(route, template))
    changing = app_conn.transaction()
    await changing.start()
    await put_route(app_conn, template, route_id=route, enabled=False)
    async with racing(observer, second, take(second, event)) as late:
        await late.blocked(by=app_conn)
        await changing.commit()
        (answer,) = await late.result()
    assert answer["status"] == "rules_changed"


@pytest.mark.parametrize("committed", [True, False])
async def test_the_same_event_at_the_same_time_is_stored_once(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    committed: bool,
) -> None:
    route = await make_route(app_conn, template)
    revision = await edition(app_conn)
    transaction = app_conn.transaction()
    await transaction.start()
    (first,) = await take(
        app_conn, an_event(revision, a_firing(route, template), cloudevent_id="1")
    )
    again = take(second, an_event(revision, a_firing(route, template), cloudevent_id="1"))
    async with racing(observer, second, again) as late:
        await late.blocked(by=app_conn)
        await (transaction.commit() if committed else transaction.rollback())
        (answer,) = await late.result()
    assert answer["status"] == ("known" if committed else "accepted")
    assert [result["outcome"] for result in answer["results"]] == ["composed"]
    if committed:
        assert answer["results"] == first["results"]
    assert await stored(owner) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_of_two_contents_under_one_id_at_the_same_time_one_is_stored(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    committed: bool,
) -> None:
    route = await make_route(app_conn, template)
    revision = await edition(app_conn)
    ada, grace = (
        an_event(revision, a_firing(route, template), cloudevent_id="1", data={"name": name})
        for name in ("Ada", "Grace")
    )
    transaction = app_conn.transaction()
    await transaction.start()
    (first,) = await take(app_conn, ada)
    async with racing(observer, second, take(second, grace)) as late:
        await late.blocked(by=app_conn)
        await (transaction.commit() if committed else transaction.rollback())
        (answer,) = await late.result()
    assert first["status"] == "accepted"
    if committed:
        assert (answer["status"], answer["results"], answer["details"]) == (
            "event_conflict",
            [],
            {"event_id": str(ada.event_id), "fields": ["data"]},
        )
    else:
        assert answer["status"] == "accepted"
    kept = ada if committed else grace
    assert await owner.fetchval("SELECT content::text FROM iu_core.iu_event") == kept.content
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log") == 1


@either_way
@pytest.mark.parametrize("gate", [INTAKE, COMPOSER])
async def test_a_closing_waits_for_the_events_that_passed_the_gate(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    gate: str,
    guarded: bool,
) -> None:
    route = await make_route(app_conn, template)
    revision = await edition(app_conn)
    if not guarded:
        await take_out(owner, "fn_iu_event_admit", GATES_LOCK)
        await take_out(owner, "fn_iu_compose_admit", COMPOSING_LOCK)
    taking = app_conn.transaction()
    await taking.start()
    await take(app_conn, an_event(revision, a_firing(route, template)))
    await close(second, gate)
    async with racing(observer, second, drain(second, gate)) as closing:
        if not guarded:
            await closing.result()
            assert await stored(owner) == 0
            await taking.commit()
            assert await stored(owner) == 1, "it was committed after the closing was answered"
            return
        await closing.blocked(by=app_conn)
        newcomer = take(third, an_event(revision, a_firing(route, template)))
        async with racing(observer, third, newcomer) as late:
            await late.blocked(by=second)
            await taking.commit()
            (answer,) = await late.result()
        await closing.result()
    if gate == INTAKE:
        assert answer["status"] == "event_intake_gate_closed"
        assert await stored(owner) == 1
    else:
        (result,) = answer["results"]
        assert (answer["status"], result["outcome"]) == ("accepted", "refused")
        assert result["details"] == {"gate": gate}
        assert await stored(owner) == 2


@either_way
async def test_an_event_that_was_stored_while_the_gate_was_waited_for_is_known(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    guarded: bool,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_event_intake_many", JUDGED_AGAIN)
    revision = await edition(app_conn)
    taking = app_conn.transaction()
    await taking.start()
    await take(app_conn, an_event(revision, cloudevent_id="1"))
    await close(second, INTAKE)
    async with racing(observer, second, drain(second, INTAKE)) as closing:
        await closing.blocked(by=app_conn)
        async with racing(
            observer, third, take(third, an_event(revision, cloudevent_id="1"))
        ) as late:
            await late.blocked()
            await taking.commit()
            await closing.result()
            (answer,) = await late.result()
    assert answer["status"] == ("known" if guarded else "event_intake_gate_closed")
