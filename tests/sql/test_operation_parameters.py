"""Operations whose items were judged when they were frozen, and what a chunk meets since."""

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING
from tests.support.composing import Item
from tests.support.gates import set_clock
from tests.support.mutation import take_out
from tests.support.operation_calls import (
    change,
    claimed,
    created,
    data_of,
    items,
    judge,
    let_go,
    outcomes,
    standing,
    step,
)
from tests.support.parameters import (
    DATED,
    NAMED,
    RIGHT,
    WRONG,
    digest_of_schema,
    errors_in,
    judged,
    publish_asking,
)
from tests.support.templates import open_gates

FAMILY = "tpl:wf:onboarding"
BOTH = '{"name":"Ada","starts":"2026-03-02"}'


@pytest.fixture(autouse=True)
async def family(owner: asyncpg.Connection, app_conn: asyncpg.Connection) -> None:
    """tpl:wf:onboarding/v1, which asks for a name; all gates are open."""
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    await publish_asking(app_conn, NAMED)


async def under_way(connection: asyncpg.Connection, *of: Item) -> tuple[UUID, UUID]:
    """A new operation with these items, and the runner that holds it."""
    operation = await created(connection, *of)
    return operation, await claimed(connection, operation)


def by_name(data: str, **members: object) -> Item:
    """An item, judged by the first version's schema."""
    return judged(Item(FAMILY, data=data, **members), NAMED)  # type: ignore[arg-type]


async def test_items_are_composed_or_refused_as_they_were_judged(
    app_conn: asyncpg.Connection,
) -> None:
    operation, runner = await under_way(
        app_conn, by_name(RIGHT), by_name(WRONG), by_name(WRONG, emit_mode="dry_run"), Item(FAMILY)
    )
    answer = await step(app_conn, operation, runner)
    assert (answer["state"], answer["attempted"]) == ("completed", 4)
    assert await standing(app_conn, operation) == {
        "state": "completed",
        "composed": 1,
        "dry_runs": 1,
        "refused": 2,
    }
    named = {"template_key": f"{FAMILY}/v1", "schema_digest": digest_of_schema(NAMED)}
    told = [(item["code"], item["details"]) for item in await items(app_conn, operation)]
    assert told == [
        (None, None),
        ("payload_invalid", named | {"errors": errors_in(NAMED, WRONG)}),
        (
            "payload_invalid",
            named | {"errors": errors_in(NAMED, WRONG), "would_be": "refused", "warnings": []},
        ),
        ("payload_invalid", named | {"errors": errors_in(NAMED, "{}")}),
    ]


async def test_a_chunk_that_meets_another_schema_is_undone_and_says_which(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    free = Item("tpl:no:such")
    operation, runner = await under_way(
        app_conn, free, by_name(RIGHT), by_name(BOTH), by_name("{}")
    )
    await publish_asking(app_conn, DATED)
    dated = digest_of_schema(DATED)
    for _ in range(2):
        assert await step(app_conn, operation, runner) == {
            "status": "data_unjudged",
            "items": [
                {"ordinal": 2, "schema_digest": dated},
                {"ordinal": 3, "schema_digest": dated},
            ],
        }
        assert await standing(app_conn, operation) == {"state": "running", "not_attempted": 4}
    assert not await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    chunks = (
        "SELECT count(*) FROM iu_core.iu_command_record"
        " WHERE command = 'work_on_operations' OR outcome <> 'done'"
    )
    assert not await owner.fetchval(chunks)
    assert await data_of(app_conn, operation, 2, 3) == {2: RIGHT, 3: BOTH}
    assert await data_of(app_conn, operation, 4) == {4: "{}"}

    found = judged(Item(FAMILY, data=RIGHT), DATED).data_errors
    await judge(app_conn, operation, runner, {2: (dated, found), 3: (dated, None)})
    assert (await step(app_conn, operation, runner))["state"] == "completed"
    assert await outcomes(app_conn, operation) == ["refused", "refused", "composed", "refused"]
    codes = [item["code"] for item in await items(app_conn, operation)]
    assert codes == [
        "template_collection_not_found",
        "payload_invalid",
        None,
        "payload_invalid",
    ]


@pytest.mark.parametrize("guarded", [True, False])
async def test_the_second_of_one_key_does_not_take_it_while_the_first_waits_to_be_judged(
    guarded: bool, owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    if not guarded:
        await take_out(
            owner,
            "fn_iu_operation_instantiate",
            "RAISE EXCEPTION USING ERRCODE = 'PF001', MESSAGE = 'undo the chunk';",
        )
    event = uuid4()
    operation, runner = await under_way(
        app_conn, Item(FAMILY, event_id=event, data=RIGHT), by_name(BOTH, event_id=event)
    )
    answer = await step(app_conn, operation, runner)
    if guarded:
        assert answer["status"] == "data_unjudged"
        await judge(app_conn, operation, runner, {1: (digest_of_schema(NAMED), None)})
        await step(app_conn, operation, runner)
        assert await outcomes(app_conn, operation) == ["composed", "refused"]
    else:
        assert await outcomes(app_conn, operation) == ["refused", "composed"]


async def test_a_runner_that_has_lost_its_claim_judges_nothing(
    app_conn: asyncpg.Connection,
) -> None:
    operation, runner = await under_way(app_conn, by_name(BOTH))
    await publish_asking(app_conn, DATED)
    await let_go(app_conn, operation, runner)
    other = await claimed(app_conn, operation)
    dated = digest_of_schema(DATED)
    await judge(app_conn, operation, runner, {1: (dated, None)})
    assert (await step(app_conn, operation, other))["status"] == "data_unjudged"
    await judge(app_conn, operation, other, {1: (dated, None)})
    # Who goes on after a crash finds what was judged.
    await let_go(app_conn, operation, other)
    third = await claimed(app_conn, operation)
    assert (await step(app_conn, operation, third))["state"] == "completed"
    assert await outcomes(app_conn, operation) == ["composed"]


async def test_judging_prolongs_the_claim(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    operation, runner = await under_way(app_conn, by_name(BOTH))
    await set_clock(owner, timedelta(seconds=50))
    await judge(app_conn, operation, runner, {1: (digest_of_schema(NAMED), None)})
    await set_clock(owner, timedelta(seconds=100))
    assert await app_conn.fetchval("SELECT iu_core.fn_iu_operation_claim($1, 60)", uuid4()) is None
    await set_clock(owner, timedelta(seconds=120))
    other = uuid4()
    claim = "SELECT iu_core.fn_iu_operation_claim($1, 60)"
    assert await app_conn.fetchval(claim, other) == operation


async def test_what_was_refused_for_its_data_is_tried_again_by_what_is_asked_for_then(
    app_conn: asyncpg.Connection,
) -> None:
    operation, runner = await under_way(app_conn, by_name('{"starts":"2026-03-02"}'))
    await step(app_conn, operation, runner)
    assert await outcomes(app_conn, operation) == ["refused"]
    await publish_asking(app_conn, DATED)
    await change(app_conn, "retry_failed", operation)
    runner = await claimed(app_conn, operation)
    assert (await step(app_conn, operation, runner))["status"] == "data_unjudged"
    await judge(app_conn, operation, runner, {1: (digest_of_schema(DATED), None)})
    await step(app_conn, operation, runner)
    assert await outcomes(app_conn, operation) == ["composed"]
