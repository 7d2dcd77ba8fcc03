"""Runners against each other, against people, and against the death of a connection.

Each race runs as it is; where a guard decides it, once more with the guard taken out, and then what
the guard prevents must be seen to happen.
"""

from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item
from tests.support.gates import set_clock
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.operation_calls import (
    change,
    claim,
    claimed,
    create,
    created,
    outcomes,
    standing,
    step,
)
from tests.support.rollback import present
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.mark.parametrize("guarded", [True, False])
async def test_two_runners_never_hold_the_same_operation(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Both have seen it free; the second has to look again when the first has committed."""
    if not guarded:
        set_if_free = (
            "WHERE o.operation_id = v_id\n           AND o.state = 'running' AND"
            " (o.runner_until IS NULL OR o.runner_until <= v_now);"
        )
        await take_out(owner, "fn_iu_operation_claim", set_if_free, "WHERE o.operation_id = v_id;")
    oldest = await created(app_conn, Item(template.key))
    next_one = await created(app_conn, Item(template.key))
    transaction = app_conn.transaction()
    await transaction.start()
    assert await claim(app_conn) == oldest
    async with racing(observer, second, claim(second)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() == (next_one if guarded else oldest)


@pytest.mark.parametrize("guarded", [True, False])
async def test_two_chunks_at_once_attempt_each_item_once(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """A runner that has lost its connection in the middle begins again while the server works."""
    if not guarded:
        await take_out(owner, "fn_iu_operation_hold", "FOR NO KEY UPDATE", "")
    operation = await created(app_conn, *(Item(template.key) for _ in range(3)))
    runner = await claimed(app_conn, operation)
    transaction = app_conn.transaction()
    await transaction.start()
    await step(app_conn, operation, runner, limit=2)
    async with racing(observer, second, step(second, operation, runner, limit=2)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        if not guarded:
            # It takes the same items for its own, and counts them a second time.
            with pytest.raises(asyncpg.CheckViolationError):
                await late.result()
            return
        assert (await late.result())["attempted"] == 1
    assert await standing(owner, operation) == {"state": "completed", "composed": 3}
    assert len(await present(owner)) == 3


async def test_a_chunk_whose_connection_is_killed_leaves_nothing_and_another_finishes(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await created(app_conn, *(Item(template.key) for _ in range(4)))
    runner = await claimed(app_conn, operation)
    await step(app_conn, operation, runner, limit=1)
    await app_conn.execute("BEGIN")
    assert (await step(app_conn, operation, runner, limit=2))["attempted"] == 2
    await observer.execute("SELECT pg_terminate_backend($1, 10000)", app_conn.get_server_pid())

    assert await standing(owner, operation) == {
        "state": "running",
        "composed": 1,
        "not_attempted": 3,
    }
    assert await claim(second) is None, "nobody knows yet that its runner is dead"
    await set_clock(owner, timedelta(seconds=61))
    other = await claimed(second, operation)
    assert (await step(second, operation, other))["attempted"] == 3
    assert await outcomes(second, operation) == ["composed"] * 4
    assert await standing(owner, operation) == {"state": "completed", "composed": 4}
    assert len(await present(owner)) == 4


async def test_a_claim_of_an_overdue_runner_waits_for_its_chunk_and_leaves_it_the_operation(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await created(app_conn, Item(template.key), Item(template.key))
    runner = await claimed(app_conn, operation)
    await set_clock(owner, timedelta(seconds=61))
    transaction = app_conn.transaction()
    await transaction.start()
    await step(app_conn, operation, runner, limit=1)
    async with racing(observer, second, claim(second)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() is None
    assert (await step(app_conn, operation, runner))["state"] == "completed"


async def test_a_chunk_behind_the_claim_of_another_runner_does_nothing(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await created(app_conn, Item(template.key))
    overdue = await claimed(app_conn, operation)
    await set_clock(owner, timedelta(seconds=61))
    transaction = app_conn.transaction()
    await transaction.start()
    await claimed(app_conn, operation)
    async with racing(observer, second, step(second, operation, overdue)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() == {"status": "not_yours"}
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}


async def test_cancelling_waits_for_the_chunk_and_keeps_what_it_did(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await created(app_conn, *(Item(template.key) for _ in range(3)))
    runner = await claimed(app_conn, operation)
    transaction = app_conn.transaction()
    await transaction.start()
    await step(app_conn, operation, runner, limit=2)
    async with racing(observer, second, change(second, "cancel", operation)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert (answer["state"], answer["composed"]) == ("cancelled", 2)
    assert await step(app_conn, operation, runner) == {"status": "not_yours"}
    assert await standing(owner, operation) == {
        "state": "cancelled",
        "composed": 2,
        "not_attempted": 1,
    }


async def test_a_chunk_behind_a_cancelling_does_nothing(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await created(app_conn, Item(template.key))
    runner = await claimed(app_conn, operation)
    transaction = app_conn.transaction()
    await transaction.start()
    await change(app_conn, "cancel", operation)
    async with racing(observer, second, step(second, operation, runner)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() == {"status": "not_yours"}
    assert await standing(owner, operation) == {"state": "cancelled", "not_attempted": 1}


@pytest.mark.parametrize("guarded", [True, False])
async def test_what_completes_while_cancelling_waits_is_not_cancelled(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_operation_admit", "FOR NO KEY UPDATE", "")
    operation = await created(app_conn, Item(template.key))
    runner = await claimed(app_conn, operation)
    transaction = app_conn.transaction()
    await transaction.start()
    await step(app_conn, operation, runner)
    async with racing(observer, second, change(second, "cancel", operation)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    expected = "completed" if guarded else "cancelled"
    assert answer["state"] == expected
    assert answer["status"] == ("operation_state" if guarded else "ok")
    assert await standing(owner, operation) == {"state": expected, "composed": 1}


async def test_of_two_requests_with_one_key_one_makes_the_operation(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation, item = uuid4(), Item(template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    await create(app_conn, item, operation_id=operation, key="monday")
    again = create(second, item, operation_id=operation, key="monday")
    async with racing(observer, second, again) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() == {
            "status": "idempotent_replay",
            "operation_id": str(operation),
        }
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}


async def test_when_the_first_request_of_a_key_is_undone_the_second_makes_the_operation(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    operation, item = uuid4(), Item(template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    await create(app_conn, item, operation_id=operation, key="monday")
    again = create(second, item, operation_id=operation, key="monday")
    async with racing(observer, second, again) as late:
        await late.blocked(by=app_conn)
        await transaction.rollback()
        assert await late.result() == {"status": "ok", "operation_id": str(operation)}
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}
