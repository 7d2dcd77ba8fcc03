"""Gates against those whom they guard, and against each other, interleaved by hand.

The promise: when a closing has been answered (fn_iu_gate_close committed, fn_iu_gate_drain
returned), no guarded transaction commits afterwards. Each race runs as it is, and once more with
its guard taken out: then what the guard prevents must be seen to happen.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg
import pytest

from tests.support.composing import Item, compose_one
from tests.support.databases import Connect
from tests.support.gates import (
    COMPOSER,
    LIVE,
    PIECES,
    admits,
    close,
    drain,
    history,
    lease,
    open_gate,
    revoke,
    state,
)
from tests.support.interleaving import DEADLINE, racing
from tests.support.mutation import take_out
from tests.support.templates import Template, make_template, open_gates

COMPOSER_LOCK = "PERFORM iu_core.fn_iu_lock('gate', v_gates, true);"
ADMIT_LOCK = "PERFORM iu_core.fn_iu_lock('gate', p_gate_keys, true);"
EPOCH_OF_A_LEASE = "AND l.epoch = c.lease_epoch"
CLOSED_MEANWHILE = "c.lease_epoch <> v_epoch"

either_way = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "guard taken out"])


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from."""
    return await make_template(owner)


@pytest.fixture
async def operator(connect: Connect) -> asyncpg.Connection:
    """Who closes: a second connection of the service's role."""
    return await connect("app")


async def at_once(answer: Awaitable[Any]) -> Any:
    """What is answered without waiting for anybody; TimeoutError if it does wait."""
    return await asyncio.wait_for(answer, DEADLINE)


async def instances(owner: asyncpg.Connection) -> int:
    """How many instances there are for everyone to see."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


# ------------------------------------------------------------- closing against who is guarded


@either_way
async def test_what_was_admitted_before_is_committed_before_the_closing_is_answered(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gates(owner)
    if not guarded:
        await take_out(owner, "fn_iu_compose_admit", COMPOSER_LOCK)
    composing = app_conn.transaction()
    await composing.start()
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"

    await at_once(close(operator, COMPOSER))
    async with racing(observer, operator, drain(operator, COMPOSER)) as closing:
        if guarded:
            await closing.blocked(by=app_conn)
            await composing.commit()
            await closing.result()
            assert await instances(owner) == 1
        else:
            await closing.result()
            assert await instances(owner) == 0
            await composing.commit()
            assert await instances(owner) == 1, "it was committed after the closing was answered"


async def test_the_closed_state_is_there_at_once_and_newcomers_are_refused(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Closing does not wait for a long composer; only its answer does."""
    await open_gates(owner)
    composing = app_conn.transaction()
    await composing.start()
    await compose_one(app_conn, Item(template.key))

    await at_once(close(operator, COMPOSER))
    assert await state(third, COMPOSER) == "closed"
    refused = await at_once(compose_one(third, Item(template.key)))
    assert refused["status"] == "composer_gate_closed"

    async with (
        racing(observer, operator, drain(operator, COMPOSER)) as closing,
        racing(observer, third, compose_one(third, Item(template.key))) as newcomer,
    ):
        await closing.blocked(by=app_conn)
        await composing.commit()
        assert (await newcomer.result())["status"] == "composer_gate_closed"
        await closing.result()
    assert await instances(owner) == 1


@either_way
async def test_who_waited_for_the_closing_sees_it(
    guarded: bool,
    owner: asyncpg.Connection,
    operator: asyncpg.Connection,
    connect: Connect,
    observer: asyncpg.Connection,
) -> None:
    """Under the lock the gate is read in a later statement, with a snapshot of its own."""
    await open_gate(operator, PIECES)
    if not guarded:
        # A stable function reads what its caller's statement saw before it waited.
        await owner.execute("ALTER FUNCTION iu_core.fn_iu_gate_admit(text[], text) STABLE")
        await owner.execute(
            "ALTER FUNCTION iu_core.fn_iu_gate_admission(text, text, timestamptz) STABLE"
        )
    writer = await connect("owner")
    draining = operator.transaction()
    await draining.start()
    await drain(operator, PIECES)
    async with racing(observer, writer, admits(writer, PIECES)) as late:
        await late.blocked(by=operator)
        await close(owner, PIECES)
        await draining.commit()
        assert await late.result() is not guarded


@either_way
async def test_every_guarded_command_holds_a_closing_up(
    guarded: bool,
    owner: asyncpg.Connection,
    operator: asyncpg.Connection,
    connect: Connect,
    observer: asyncpg.Connection,
) -> None:
    """The same for whatever asks fn_iu_gate_admit: writing pieces, authoring, and the rest."""
    await open_gate(operator, PIECES)
    if not guarded:
        await take_out(owner, "fn_iu_gate_admit", ADMIT_LOCK)
    writer = await connect("owner")
    writing = writer.transaction()
    await writing.start()
    assert await admits(writer, PIECES)
    await close(operator, PIECES)
    async with racing(observer, operator, drain(operator, PIECES)) as closing:
        if guarded:
            await closing.blocked(by=writer)
        else:
            await closing.result()
            assert writer.is_in_transaction(), "still at it, and nobody waited for it"
        await writing.commit()


async def test_closing_one_gate_does_not_wait_for_who_passed_another(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gates(owner)
    await open_gate(operator, PIECES)
    async with app_conn.transaction():
        await compose_one(app_conn, Item(template.key))
        await at_once(close(operator, PIECES))
        await at_once(drain(operator, PIECES))


async def test_a_drain_waits_without_a_lock_timeout(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """The service's connections have one; with it the closing would be left unanswered."""
    await open_gates(owner)
    await operator.execute("SET lock_timeout = '1ms'")
    composing = app_conn.transaction()
    await composing.start()
    await compose_one(app_conn, Item(template.key))
    await close(operator, COMPOSER)
    async with racing(observer, operator, drain(operator, COMPOSER)) as closing:
        await closing.blocked(by=app_conn)
        await composing.commit()
        await closing.result()


async def test_openings_and_leases_do_not_hold_up_who_composes(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    third: asyncpg.Connection,
    template: Template,
) -> None:
    await lease(operator, LIVE)
    await lease(operator, COMPOSER)
    async with operator.transaction(), app_conn.transaction():
        await open_gate(operator, LIVE)
        await lease(operator, COMPOSER)
        composed = await at_once(compose_one(app_conn, Item(template.key)))
        assert composed["status"] == "ok"
        await at_once(lease(third, PIECES))
    async with app_conn.transaction():
        await compose_one(app_conn, Item(template.key))
        await at_once(lease(third, LIVE))
        await at_once(open_gate(third, COMPOSER))


# ---------------------------------------------------------------------- closing against leases


@either_way
async def test_a_lease_taken_while_closing_does_not_survive(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_gate_lock_to_open", CLOSED_MEANWHILE, "false")
    closing = operator.transaction()
    await closing.start()
    await close(operator, PIECES)
    async with racing(observer, app_conn, lease(app_conn, PIECES)) as late:
        await late.blocked(by=operator)
        await closing.commit()
        answer = await late.result()
    if guarded:
        assert answer == {
            "status": "operation_state",
            "state": "closed",
            "detail": "The gate was closed at the same moment.",
        }
        assert await history(owner, PIECES) == []
        assert not await admits(owner, PIECES)
    else:
        assert await admits(owner, PIECES), "open again behind the closer's back"


@either_way
async def test_an_opening_under_way_does_not_undo_a_closing(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gate(operator, PIECES)
    if not guarded:
        await take_out(owner, "fn_iu_gate_lock_to_open", CLOSED_MEANWHILE, "false")
    closing = operator.transaction()
    await closing.start()
    await close(operator, PIECES)
    async with racing(observer, app_conn, open_gate(app_conn, PIECES)) as late:
        await late.blocked(by=operator)
        await closing.commit()
        assert (await late.result())["status"] == ("operation_state" if guarded else "ok")
    assert await admits(owner, PIECES) is not guarded


@either_way
async def test_a_closing_ends_the_lease_that_it_waited_for(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_gate_admission", EPOCH_OF_A_LEASE, "")
    leasing = app_conn.transaction()
    await leasing.start()
    await lease(app_conn, PIECES)
    async with racing(observer, operator, close(operator, PIECES)) as closing:
        await closing.blocked(by=app_conn)
        await leasing.commit()
        answer = await closing.result()
    assert answer["gates"][0]["leases_ended"] == 1
    assert await admits(owner, PIECES) is not guarded


async def test_closing_does_not_wait_for_who_pays_with_a_limited_lease(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    third: asyncpg.Connection,
    template: Template,
) -> None:
    """The composer holds the lease's row; closing ends leases without touching their rows."""
    await open_gate(operator, COMPOSER)
    taken = await lease(operator, LIVE, uses=5)
    async with app_conn.transaction():
        assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"
        with pytest.raises(asyncpg.LockNotAvailableError):
            await owner.execute(
                "SELECT FROM iu_core.iu_gate_lease WHERE lease_id = $1 FOR NO KEY UPDATE NOWAIT",
                taken["lease_id"],
            )
        answer = await at_once(close(operator, LIVE))
        assert answer["gates"][0]["leases_ended"] == 1
    assert (await compose_one(third, Item(template.key)))["status"] == "live_gate_closed"


@either_way
async def test_revoking_waits_for_who_pays_with_the_lease_but_holds_up_no_closing(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    third: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gate(operator, COMPOSER)
    taken = await lease(operator, LIVE, uses=5)
    if not guarded:
        await take_out(
            owner,
            "fn_iu_gate_lease_revoke",
            "PERFORM FROM iu_core.iu_gate_lease AS l",
            "PERFORM iu_core.fn_iu_gate_lock_rows(ARRAY[p_gate_key]);"
            " PERFORM FROM iu_core.iu_gate_lease AS l",
        )
    composing = app_conn.transaction()
    await composing.start()
    await compose_one(app_conn, Item(template.key))
    async with racing(observer, operator, revoke(operator, LIVE, taken["lease_id"])) as revoking:
        await revoking.blocked(by=app_conn)
        async with racing(observer, third, close(third, LIVE)) as closing:
            if guarded:
                assert (await closing.result())["gates"][0]["leases_ended"] == 1
            else:
                await closing.blocked(by=operator)
            await composing.commit()
            await closing.result()
        assert (await revoking.result())["changed"] is not guarded


async def test_a_revoked_lease_is_waited_for_like_a_closed_gate(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    operator: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await open_gate(operator, COMPOSER)
    taken = await lease(operator, LIVE)
    composing = app_conn.transaction()
    await composing.start()
    await compose_one(app_conn, Item(template.key))
    await at_once(revoke(operator, LIVE, taken["lease_id"]))
    async with racing(observer, operator, drain(operator, LIVE)) as revoking:
        await revoking.blocked(by=app_conn)
        await composing.commit()
        await revoking.result()
    assert await instances(owner) == 1
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "live_gate_closed"


async def test_of_two_closings_the_second_finds_the_first(
    app_conn: asyncpg.Connection, operator: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    await lease(operator, PIECES)
    first = operator.transaction()
    await first.start()
    await close(operator, PIECES)
    async with racing(observer, app_conn, close(app_conn)) as second:
        await second.blocked(by=operator)
        await first.commit()
        answer = await second.result()
    (pieces,) = [gate for gate in answer["gates"] if gate["gate"] == PIECES]
    assert pieces == {"gate": PIECES, "changed": False, "sealed": False, "leases_ended": 0}
    assert [action for action, _ in await history(operator, PIECES)] == ["lease", "close"]


async def test_closings_in_either_order_do_not_deadlock(
    app_conn: asyncpg.Connection, operator: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    """Rows are locked sorted, whatever the order in which the gates are named."""
    holding = operator.transaction()
    await holding.start()
    await close(operator, COMPOSER)
    async with racing(observer, app_conn, close(app_conn, PIECES, COMPOSER)) as other:
        await other.blocked(by=operator)
        await at_once(close(operator, PIECES))
        await holding.commit()
        assert (await other.result())["status"] == "ok"
