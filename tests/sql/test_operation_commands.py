"""Who leads an operation where: claims of runners, and what people ask of it."""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item
from tests.support.gates import set_clock
from tests.support.operation_calls import (
    ASKER,
    change,
    claim,
    claimed,
    created,
    let_go,
    standing,
    step,
)
from tests.support.rollback import refusal
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template, open_gates

STATES = ("running", "halted", "cancelled", "completed")


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def in_state(
    owner: asyncpg.Connection, connection: asyncpg.Connection, state: str, template: Template
) -> UUID:
    """An operation of two items, the first refused, in this state."""
    operation = await created(connection, Item("tpl:no:such"), Item(template.key))
    runner = await claimed(connection, operation)
    await step(connection, operation, runner, limit=1)
    if state == "halted":
        await close_gates(owner)
        await step(connection, operation, runner)
    elif state == "cancelled":
        await change(connection, "cancel", operation)
    elif state == "completed":
        await step(connection, operation, runner)
    assert (await standing(owner, operation))["state"] == state
    return operation


# ------------------------------------------------------------------------- claims of runners


async def test_runners_get_different_operations_the_oldest_first(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    first = await created(app_conn, Item(template.key))
    second = await created(app_conn, Item(template.key))
    assert [await claim(app_conn) for _ in range(3)] == [first, second, None]


@pytest.mark.parametrize("state", STATES[1:])
async def test_what_does_not_run_is_not_claimed(
    state: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await in_state(owner, app_conn, state, template)
    assert await claim(app_conn) is None


async def test_only_its_runner_runs_it_or_lets_it_go(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, Item(template.key))
    other = uuid4()
    assert await step(app_conn, operation, other) == {"status": "not_yours"}, "nobody holds it"
    runner = await claimed(app_conn, operation)
    assert await step(app_conn, operation, other) == {"status": "not_yours"}
    assert await step(app_conn, uuid4(), runner) == {"status": "not_yours"}
    await let_go(app_conn, operation, other)
    assert await claim(app_conn) is None
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}
    await let_go(app_conn, operation, runner)
    assert await step(app_conn, operation, runner) == {"status": "not_yours"}
    assert await claim(app_conn, other) == operation


async def test_after_its_time_another_runner_takes_over_and_the_first_is_refused(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, Item(template.key), Item(template.key))
    first = await claimed(app_conn, operation)
    await set_clock(owner, timedelta(seconds=59))
    assert await claim(app_conn) is None
    await set_clock(owner, timedelta(seconds=61))
    second = await claimed(app_conn, operation)
    assert await step(app_conn, operation, first) == {"status": "not_yours"}
    await let_go(app_conn, operation, first)
    assert (await step(app_conn, operation, second))["attempted"] == 2


async def test_a_chunk_prolongs_the_claim_also_when_its_time_was_over(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    held = "SELECT is_held FROM iu_core.v_iu_operation"
    operation = await created(app_conn, Item(template.key), Item(template.key))
    assert not await app_conn.fetchval(held)
    runner = await claimed(app_conn, operation)
    assert await app_conn.fetchval(held)
    await set_clock(owner, timedelta(seconds=61))
    assert not await app_conn.fetchval(held)
    assert (await step(app_conn, operation, runner, limit=1))["attempted"] == 1
    assert await app_conn.fetchval(held)
    assert await claim(app_conn) is None
    assert (await step(app_conn, operation, runner))["state"] == "completed"
    assert not await app_conn.fetchval(held)


# ------------------------------------------------------------------------ what people ask of it

LEADS_TO = {
    ("cancel", "running"): "cancelled",
    ("cancel", "halted"): "cancelled",
    ("cancel", "cancelled"): "cancelled",
    ("resume", "halted"): "running",
    ("retry_failed", "halted"): "running",
    ("retry_failed", "completed"): "running",
}
ALLOWED = {
    "running": ["cancelled"],
    "halted": ["running", "cancelled"],
    "cancelled": [],
    "completed": ["running"],
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verb", ["cancel", "resume", "retry_failed"])
async def test_every_command_in_every_state(
    verb: str,
    state: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
) -> None:
    operation = await in_state(owner, app_conn, state, template)
    before = await one_row(owner, "SELECT * FROM iu_core.v_iu_operation")
    answer = await change(app_conn, verb, operation)
    after = await one_row(owner, "SELECT * FROM iu_core.v_iu_operation")
    expected = LEADS_TO.get((verb, state))
    if expected is None:
        assert answer == {"status": "operation_state", "state": state, "allowed": ALLOWED[state]}
        assert after == before
        recorded = await one_row(
            owner, "SELECT actor FROM iu_core.iu_command_record WHERE code = 'operation_state'"
        )
        assert recorded["actor"] == ASKER
    elif expected == state:
        assert (answer["status"], answer["state"]) == ("ok", state)
        assert after == before
    else:
        assert (answer["status"], answer["state"]) == ("ok", expected)
        assert (after["state"], after["changed_by"], after["change_reason"]) == (
            expected,
            ASKER,
            "because",
        )
        assert (after["finished_at"] is not None) == (expected == "cancelled")
        assert after["revision"] == before["revision"] + 1


async def test_what_was_cancelled_keeps_what_was_done_and_attempts_no_more(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, *(Item(template.key) for _ in range(3)))
    runner = await claimed(app_conn, operation)
    await step(app_conn, operation, runner, limit=1)
    await change(app_conn, "cancel", operation)
    assert await step(app_conn, operation, runner) == {"status": "not_yours"}
    assert await standing(owner, operation) == {
        "state": "cancelled",
        "composed": 1,
        "not_attempted": 2,
    }


@pytest.mark.parametrize(
    ("verb", "state"), [("cancel", "halted"), ("resume", "halted"), ("retry_failed", "completed")]
)
async def test_the_service_s_own_retry_is_told_where_it_stands(
    verb: str,
    state: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
) -> None:
    """As after a COMMIT whose answer was lost."""
    operation = await in_state(owner, app_conn, state, template)
    request = uuid4()
    first = await change(app_conn, verb, operation, request_id=request)
    assert await change(app_conn, verb, operation, request_id=request) == first


@pytest.mark.parametrize("verb", ["cancel", "resume", "retry_failed"])
async def test_who_may_not_act_as_the_asker_changes_nothing(
    verb: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, Item(template.key))
    answer = await change(app_conn, verb, operation, allowed="hr-bot it-")
    assert answer == {"status": "actor_not_allowed", "actor": ASKER}
    assert (await refusal(owner))["code"] == "actor_not_allowed"
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}


@pytest.mark.parametrize("verb", ["cancel", "resume", "retry_failed"])
async def test_an_unknown_operation_and_a_reason_of_two_lines(
    verb: str, owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert await change(app_conn, verb, uuid4()) == {"status": "operation_not_found"}
    assert (await refusal(owner))["code"] == "operation_not_found"
    answer = await change(app_conn, verb, uuid4(), reason="two\nlines")
    assert [error["pointer"] for error in answer["errors"]] == ["/reason"]


async def test_no_reason_is_needed(app_conn: asyncpg.Connection, template: Template) -> None:
    operation = await created(app_conn, Item(template.key))
    assert (await change(app_conn, "cancel", operation, reason=None))["state"] == "cancelled"
    row = await one_row(app_conn, "SELECT change_reason FROM iu_core.v_iu_operation")
    assert row["change_reason"] == ""
