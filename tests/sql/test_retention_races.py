"""Cleanups that are killed, and cleanups beside others, step by step."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from tests.support import events
from tests.support.audit import found
from tests.support.composing import Item, compose
from tests.support.databases import Connect
from tests.support.delivery import claim, facts, finish, make_route, open_boundary, replay
from tests.support.gates import LIVE, close, drain, lease, open_gate, set_clock
from tests.support.interleaving import racing
from tests.support.retention import (
    GATE,
    YEARS,
    cleanup,
    count,
    dry_run,
    put_policy,
    rows,
    seal_and_export,
    set_limits,
)
from tests.support.templates import Template, make_template, open_gates


async def uncommitted(connection: asyncpg.Connection) -> tuple[Transaction, dict[str, Any]]:
    """A cleanup whose transaction is still to end, and what it answered."""
    transaction = connection.transaction()
    await transaction.start()
    return transaction, await cleanup(connection)


@pytest.fixture
async def leases(owner: asyncpg.Connection) -> None:
    """Three leases that may go, one a call, and the gate open."""
    await open_gate(owner, GATE)
    for _ in range(3):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, that of retention too."""
    await open_gates(
        owner,
        *("composer_enabled", "auto_instantiate_enabled", "event_intake_enabled"),
        "retention_enabled",
    )
    return await make_template(owner)


async def kill(observer: asyncpg.Connection, connection: asyncpg.Connection) -> None:
    """End a session as a power cut does."""
    await observer.fetchval("SELECT pg_terminate_backend($1, 10000)", connection.get_server_pid())


async def test_a_cleanup_that_is_killed_is_carried_on_by_another(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    leases: None,
) -> None:
    plan = await dry_run(app_conn)
    begun = await cleanup(app_conn, plan)
    assert (rows(begun), begun["complete"]) == ({"ended_leases": 1}, False)
    await app_conn.execute("BEGIN")
    assert rows(await cleanup(app_conn, plan)) == {"ended_leases": 1}
    await kill(observer, app_conn)
    assert await count(owner, "iu_gate_lease") == 2  # what was not committed is not lost

    carried_on = await cleanup(second, plan, by=("ops-bert", "bert"))
    assert (rows(carried_on), rows(carried_on, "rows_gone")) == (
        {"ended_leases": 1},
        {"ended_leases": 1},
    )
    assert (carried_on["begun_by"], carried_on["complete"]) == ("ops-anna", False)
    last = await cleanup(second, plan)
    assert (rows(last), last["complete"]) == ({"ended_leases": 1}, True)
    assert await count(owner, "iu_gate_lease") == 0


async def test_a_cleanup_without_a_plan_takes_up_what_a_killed_one_has_left(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    for minutes in (2, 4):
        await compose(owner, Item(template.key))
        await compose(owner, Item(template.key))
        await seal_and_export(owner, minutes)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)
    assert (await cleanup(app_conn))["segments_retired"] == [1]
    await app_conn.execute("BEGIN")
    assert (await cleanup(app_conn))["segments_retired"] == [2]
    await kill(observer, app_conn)
    assert await found(second) == []
    assert (await cleanup(second))["segments_retired"] == [2]
    assert await found(second) == []


async def test_of_two_with_the_same_plan_each_row_is_deleted_once_and_the_second_is_told(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    leases: None,
) -> None:
    await set_limits(owner, 10, 10)
    plan = await dry_run(app_conn)
    transaction = app_conn.transaction()
    await transaction.start()
    first = await cleanup(app_conn, plan)
    assert (rows(first), first["complete"]) == ({"ended_leases": 3}, True)
    applying = cleanup(second, plan, by=("ops-bert", "bert"))
    async with racing(observer, second, applying) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert (rows(answer), answer["complete"]) == ({}, True)
    assert (rows(answer, "rows_gone"), answer["begun_by"]) == ({"ended_leases": 3}, "ops-anna")


async def test_of_two_with_plans_of_their_own_the_second_is_stale(
    app_conn: asyncpg.Connection, second: asyncpg.Connection, leases: None
) -> None:
    plan, another = await dry_run(app_conn), await dry_run(second)
    assert plan["plan_digest"] != another["plan_digest"]
    assert rows(await cleanup(app_conn, plan)) == {"ended_leases": 1}
    assert await cleanup(second, another) == {"status": "plan_stale"}


async def test_closing_the_gate_waits_for_the_call_and_ends_the_cleanup(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    leases: None,
) -> None:
    transaction = app_conn.transaction()
    await transaction.start()
    begun = await cleanup(app_conn)
    await close(owner, GATE)
    async with racing(observer, second, drain(second, GATE)) as draining:
        await draining.blocked(by=app_conn)
        await transaction.commit()
        await draining.result()
    assert (await cleanup(app_conn, begun))["status"] == "retention_gate_closed"
    assert await count(owner, "iu_gate_lease") == 2


async def test_a_policy_is_changed_once_the_call_that_goes_by_it_is_over(
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    leases: None,
) -> None:
    transaction = app_conn.transaction()
    await transaction.start()
    begun = await cleanup(app_conn)
    async with racing(observer, second, put_policy(second, "ended_leases", 5000)) as putting:
        await putting.blocked(by=app_conn)
        await transaction.commit()
        assert (await putting.result())["changed"] is True
    assert await cleanup(app_conn, begun) == {"status": "plan_stale"}


async def test_a_message_that_is_being_sent_again_keeps_its_attempts(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_boundary(owner)
    route = await make_route(owner)
    await facts(owner, template)
    await finish(owner, await claim(owner))
    await set_clock(owner, YEARS)
    transaction = app_conn.transaction()
    await transaction.start()
    assert (await replay(app_conn, route, delivered=True))["due"] == 1
    async with racing(observer, second, cleanup(second)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert (rows(answer), rows(answer, "rows_left")) == ({}, {"delivery_attempts": 1})
    assert await count(owner, "iu_route_attempt") == 1


async def an_old_event(owner: asyncpg.Connection, template: Template) -> tuple[Any, UUID]:
    """An event whose time has come, and the route that it took."""
    route = await events.make_route(owner, template)
    event = events.an_event(await events.edition(owner), events.a_firing(route, template))
    await events.take(owner, event)
    await set_clock(owner, YEARS)
    return event, route


async def test_an_event_that_is_being_fired_stays_with_what_comes_of_it(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    event, _ = await an_old_event(owner, template)
    other = await events.make_route(owner, template, "another")
    revision = await events.edition(owner)
    transaction = app_conn.transaction()
    await transaction.start()
    firing = events.a_firing(other, template, suffix="another")
    (fired,) = await events.fire(app_conn, revision, (event.event_id, firing))
    assert fired["outcome"] == "composed"
    async with racing(observer, second, cleanup(second)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert (rows(answer), rows(answer, "rows_left")) == ({}, {"stored_events": 1})
    assert (await count(owner, "iu_event"), await count(owner, "iu_event_result")) == (1, 2)


async def test_an_event_that_is_deleted_is_not_fired_again(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    event, _ = await an_old_event(owner, template)
    other = await events.make_route(owner, template, "another")
    revision = await events.edition(owner)
    transaction, answer = await uncommitted(app_conn)
    assert rows(answer) == {"stored_events": 1}
    firing = events.a_firing(other, template, suffix="another")
    firing_again = events.fire(second, revision, (event.event_id, firing))
    async with racing(observer, second, firing_again) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        (fired,) = await late.result()
    assert fired["outcome"] == "not_found"
    assert await count(owner, "iu_event_result") == 0
    assert await count(owner, "iu_auto_instantiate_event_log") == 1


async def test_an_event_that_is_redelivered_while_it_is_deleted_replays(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    template: Template,
) -> None:
    event, _ = await an_old_event(owner, template)
    transaction, answer = await uncommitted(app_conn)
    assert rows(answer) == {"stored_events": 1}
    # It is known still, to whoever can't see that it is gone.
    (known,) = await events.take(second, replace(event, request_id=uuid4()))
    assert known["status"] == "known"
    await transaction.commit()
    (again,) = await events.take(second, replace(event, request_id=uuid4()))
    assert again["status"] == "accepted"
    assert await count(owner, "iu_auto_instantiate_event_log") == 1


async def test_an_event_that_goes_between_being_known_and_being_answered_is_taken_anew(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The call fails as one that may be sent again, and not with half an answer."""
    with pytest.raises(asyncpg.SerializationError):
        await owner.fetch(
            """SELECT * FROM iu_core.fn_iu_event_answer(ARRAY[ROW(
                   1, 'known', false, gen_random_uuid(), NULL, 'x', NULL, 'x', '', NULL
               )::iu_core.iu_event_item])"""
        )


async def test_sealing_waits_for_what_retires_and_goes_on(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    connect: Connect,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await compose(owner, Item(template.key))
    await seal_and_export(owner, 2)
    await set_clock(owner, YEARS)
    await compose(owner, Item(template.key))
    await set_clock(owner, YEARS + timedelta(minutes=2))
    sealer = await connect("app")
    transaction, answer = await uncommitted(app_conn)
    assert answer["segments_retired"] == [1]
    sealing = sealer.fetchval("SELECT iu_core.fn_iu_audit_seal('tester', 20)")
    async with racing(observer, sealer, sealing) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert (await late.result())["status"] == "ok"
    assert await found(owner) == []


async def test_what_is_verified_while_it_is_retired_is_not_found_to_be_wrong(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """The segment is read before the cleanup is over, and its instances are looked at after."""
    await compose(owner, Item(template.key))
    await seal_and_export(owner, 2)
    await set_clock(owner, YEARS)
    transaction, answer = await uncommitted(owner)
    assert answer["segments_retired"] == [1]
    # What verifying looks at last of a segment: it waits between its statements.
    await owner.execute(
        "LOCK TABLE iu_core.iu_collection_template_instance_lineage IN ACCESS EXCLUSIVE MODE"
    )
    async with racing(observer, app_conn, found(app_conn)) as verifying:
        await verifying.blocked(by=owner)
        await transaction.commit()
        assert await verifying.result() == []
