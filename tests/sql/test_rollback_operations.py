"""Rolling back in chunks: frozen ids, each accounted for, behind the fence of their actors."""

import dataclasses
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one
from tests.support.gates import LIVE
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.operation_calls import (
    ASKER,
    change,
    claimed,
    create_rollback,
    items,
    outcomes,
    rolling_back,
    standing,
    step,
)
from tests.support.rollback import (
    HR,
    NOTHING,
    Selectors,
    apply,
    buried,
    by_actor,
    composed,
    deliver,
    edit,
    many,
    plan,
    present,
    refusal,
    row_counts,
)
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def fenced(owner: asyncpg.Connection) -> dict[str, UUID]:
    """Who is fenced, and by which operation."""
    rows = await owner.fetch("SELECT actor, operation_id FROM iu_core.iu_actor_fence")
    return {row["actor"]: row["operation_id"] for row in rows}


# -------------------------------------------------------------------------------- what it does


async def test_more_than_one_transaction_takes_is_planned_and_removed_in_chunks(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await many(owner, template, 10_001)
    selectors = Selectors(template=template.key)
    planned = await plan(app_conn, selectors)
    assert (planned["instances"], planned["lineage_rows"], planned["log_rows"]) == (10_001,) * 3
    assert await apply(app_conn, selectors, planned) == {
        "status": "too_large",
        "counted": "instances",
        "limit": 10_000,
    }
    made = await create_rollback(app_conn, selectors, planned)
    operation = UUID(made["operation_id"])
    runner = await claimed(app_conn, operation)
    assert (await step(app_conn, operation, runner, limit=9_000))["state"] == "running"
    assert await standing(owner, operation) == {
        "state": "running",
        "deleted": 9_000,
        "not_attempted": 1_001,
    }
    assert (await step(app_conn, operation, runner, limit=9_000))["state"] == "completed"
    assert await standing(owner, operation) == {"state": "completed", "deleted": 10_001}
    assert await present(owner) == set()


async def test_it_leaves_what_a_rollback_in_one_transaction_leaves(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, *(Item(template.key) for _ in range(3)))
    planned = await plan(app_conn, HR)
    made = await create_rollback(app_conn, HR, planned, release_keys=True)
    operation = UUID(made["operation_id"])
    runner = await claimed(app_conn, operation)
    for done in (1, 2, 3):
        await step(app_conn, operation, runner, limit=1)
        assert len(await buried(owner)) == done

    assert await row_counts(owner) == {
        "collections": 0,
        "lineage": 0,
        "log": 0,
        "tombstones": 3,
        "messages": 6,
        "cancelled": 3,
        "counted": 0,
    }
    stones = await owner.fetch(
        """SELECT DISTINCT rollback_operation_id, rolled_back_by, reason, released_by,
                  released_at = rolled_back_at AS is_released
             FROM iu_core.iu_instance_tombstone"""
    )
    assert [tuple(stone) for stone in stones] == [(operation, ASKER, "wrong list", ASKER, True)]
    row = await one_row(owner, "SELECT kind, actor, parameters FROM iu_core.v_iu_operation")
    assert tuple(row) == (
        "rollback",
        ASKER,
        {
            "selectors": {"actor": "hr-bot"},
            "plan_digest": planned["plan_digest"],
            "planned_at": planned["planned_at"],
            "release_keys": True,
            "acknowledge_delivered": False,
        },
    )


async def test_each_of_the_frozen_is_deleted_or_gone_or_blocked_and_says_why(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:other")
    twice = Item(template.key, actor="it-bot")
    kept, edited, delivered, both = await composed(
        app_conn, *(Item(template.key) for _ in range(4))
    )
    (recomposed,) = await composed(app_conn, twice)
    selectors = Selectors(template=template.key)
    operation, runner = await rolling_back(app_conn, selectors)
    await edit(owner, edited, other)
    await edit(owner, both, other)
    await deliver(owner, delivered)
    await deliver(owner, both)
    await by_actor(app_conn, "it-bot", release_keys=True)
    new = await compose_one(
        app_conn, dataclasses.replace(twice, actor="new-bot", request_id=uuid4())
    )
    assert (new["status"], new["instance_collection_id"]) == ("ok", recomposed)

    await step(app_conn, operation, runner)

    def why(instance: UUID, *reasons: str) -> dict[str, object]:
        return {
            "blockers": [
                {"instance_collection_id": str(instance), "reason": reason} for reason in reasons
            ]
        }

    assert {
        item["instance_collection_id"]: (item["outcome"], item["code"], item["details"])
        for item in await items(app_conn, operation)
    } == {
        kept: ("deleted", None, None),
        edited: ("blocked", "rollback_blocked", why(edited, "edited")),
        delivered: ("blocked", "rollback_blocked", why(delivered, "delivered")),
        both: ("blocked", "rollback_blocked", why(both, "delivered", "edited")),
        recomposed: ("gone", None, None),
    }
    assert await standing(owner, operation) == {
        "state": "completed",
        "deleted": 1,
        "gone": 1,
        "blocked": 3,
    }
    assert await present(owner) == {edited, delivered, both, recomposed}
    assert await fenced(owner) == {}


async def test_without_the_look_at_tombstones_what_was_composed_again_would_be_deleted(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    since = "AND t.rolled_back_at >= least(v_planned_at, p_operation.created_at)"
    await take_out(owner, "fn_iu_operation_roll_back", since, "AND false")
    item = Item(template.key)
    await composed(app_conn, item)
    operation, runner = await rolling_back(app_conn, HR)
    await by_actor(app_conn, "hr-bot", release_keys=True)
    again = dataclasses.replace(item, actor="it-bot", request_id=uuid4())
    assert (await compose_one(app_conn, again))["status"] == "ok"
    await step(app_conn, operation, runner)
    assert await outcomes(app_conn, operation) == ["deleted"]


async def test_a_chunk_full_of_blockers_removes_the_others(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """More than one look lists."""
    other = await make_template(owner, "tpl:file:other")
    ids = await composed(app_conn, *(Item(template.key) for _ in range(240)))
    operation, runner = await rolling_back(app_conn, HR)
    await owner.execute(
        """UPDATE iu_core.iu_piece_collection SET composition_digest = $2
            WHERE collection_id = ANY ($1)""",
        ids[:230],
        other.composition_digest,
    )
    await step(app_conn, operation, runner, limit=500)
    assert await standing(owner, operation) == {"state": "completed", "deleted": 10, "blocked": 230}
    assert await present(owner) == set(ids[:230])


async def test_what_was_delivered_can_be_acknowledged(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    (instance,) = await composed(app_conn, Item(template.key))
    await deliver(owner, instance)
    operation, runner = await rolling_back(app_conn, HR, acknowledge_delivered=True)
    await step(app_conn, operation, runner)
    assert await standing(owner, operation) == {"state": "completed", "deleted": 1}


async def test_what_others_rolled_back_before_it_was_frozen_is_counted_as_gone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key), Item(template.key, actor="it-bot"))
    selectors = Selectors(template=template.key)
    planned = await plan(app_conn, selectors)
    await by_actor(app_conn, "it-bot")
    made = await create_rollback(app_conn, selectors, planned)
    operation = UUID(made["operation_id"])
    await step(app_conn, operation, await claimed(app_conn, operation))
    assert await standing(owner, operation) == {"state": "completed", "deleted": 1, "gone": 1}


async def test_a_plan_of_nothing_is_done_at_once(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    operation, runner = await rolling_back(app_conn, HR)
    assert await fenced(owner) == {"hr-bot": operation}
    assert (await step(app_conn, operation, runner))["state"] == "completed"
    assert await fenced(owner) == {}


async def test_what_is_cancelled_stays_and_the_actor_composes_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, *(Item(template.key) for _ in range(3)))
    operation, runner = await rolling_back(app_conn, HR)
    await step(app_conn, operation, runner, limit=1)
    await change(app_conn, "cancel", operation)
    assert await standing(owner, operation) == {
        "state": "cancelled",
        "deleted": 1,
        "not_attempted": 2,
    }
    assert await fenced(owner) == {}
    assert len(await present(owner)) == 2
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"


async def test_what_it_could_not_remove_needs_a_new_plan(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    (instance,) = await composed(app_conn, Item(template.key))
    operation, runner = await rolling_back(app_conn, HR)
    await deliver(owner, instance)
    await step(app_conn, operation, runner)
    assert await change(app_conn, "retry_failed", operation) == {
        "status": "operation_state",
        "state": "completed",
        "allowed": [],
    }


# ----------------------------------------------------------------------------------- making it


async def test_it_is_refused_as_applying_is(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR)
    stale = planned | {"plan_digest": NOTHING}
    assert await create_rollback(app_conn, HR, stale) == {"status": "plan_stale"}
    assert (await refusal(owner))["command"] == "apply_rollback"
    answer = await create_rollback(app_conn, HR, planned, allowed="it-")
    assert answer == {"status": "actor_not_allowed", "actor": "hr-bot"}
    by_template = Selectors(template=template.key)
    answer = await create_rollback(app_conn, by_template, planned, allowed="it-")
    assert answer == {"status": "actor_not_allowed"}, "whose, is not the caller's to know"
    answer = await create_rollback(app_conn, HR, planned, reason="")
    assert [error["pointer"] for error in answer["errors"]] == ["/reason"]
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_operation") == 0
    assert await fenced(owner) == {}


async def test_the_same_key_brings_back_the_same_rollback_also_when_its_ground_has_moved(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key), Item(template.key))
    planned = await plan(app_conn, HR)
    operation = uuid4()
    await create_rollback(app_conn, HR, planned, operation_id=operation, key="monday")
    await step(app_conn, operation, await claimed(app_conn, operation))
    await composed(app_conn, Item(template.key))
    again = await create_rollback(app_conn, HR, planned, operation_id=operation, key="monday")
    assert again == {"status": "idempotent_replay", "operation_id": str(operation)}
    other = await create_rollback(
        app_conn, HR, planned, operation_id=operation, key="monday", digest="1" * 64
    )
    assert other["status"] == "idempotency_conflict"
    assert await standing(owner, operation) == {"state": "completed", "deleted": 2}


async def test_an_actor_has_one_rollback_in_chunks_at_a_time(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key))
    operation, runner = await rolling_back(app_conn, HR)
    planned = await plan(app_conn, Selectors(template=template.key))
    answer = await create_rollback(app_conn, Selectors(template=template.key), planned)
    assert answer == {
        "status": "actor_rolling_back",
        "actor": "hr-bot",
        "operation_id": str(operation),
    }
    assert (await refusal(owner))["code"] == "actor_rolling_back"
    assert (await by_actor(app_conn, "hr-bot"))["instances"] == 1, "a small one goes first"
    await step(app_conn, operation, runner)
    assert await standing(owner, operation) == {"state": "completed", "gone": 1}


async def test_of_two_requests_with_one_key_one_makes_the_rollback(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR)
    operation = uuid4()
    transaction = app_conn.transaction()
    await transaction.start()
    await create_rollback(app_conn, HR, planned, operation_id=operation, key="monday")
    again = create_rollback(second, HR, planned, operation_id=operation, key="monday")
    async with racing(observer, second, again) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert (await late.result())["status"] == "idempotent_replay"
    assert await fenced(owner) == {"hr-bot": operation}


# ----------------------------------------------------------------------------------- the fence


async def test_nothing_is_composed_as_a_fenced_actor_and_everything_as_another(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    known = Item(template.key)
    await composed(app_conn, known, Item(template.key))
    operation, runner = await rolling_back(app_conn, HR)
    answers = await compose(
        app_conn,
        Item(template.key),
        Item(template.key, emit_mode="dry_run"),
        dataclasses.replace(known, request_id=uuid4()),
        Item("tpl:no:such"),
        Item(template.key, actor="it-bot"),
    )
    assert [(answer["status"], answer["would_be"]) for answer in answers] == [
        ("actor_rolling_back", None),
        ("actor_rolling_back", "refused"),
        ("idempotent_replay", None),
        ("actor_rolling_back", None),
        ("ok", None),
    ]
    assert answers[0]["details"] == {"actor": "hr-bot", "operation_id": str(operation)}

    await close_gates(owner)
    closed = await compose_one(app_conn, Item(template.key))
    assert (closed["status"], closed["details"]) == ("live_gate_closed", {"gate": LIVE})
    await open_gates(owner)

    await step(app_conn, operation, runner)
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "ok"


@pytest.mark.parametrize("guarded", [True, False])
async def test_who_waits_for_the_freezing_finds_the_fence(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_compose_verdicts", "v_fenced_by IS NOT NULL", "false")
    await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR)
    transaction = app_conn.transaction()
    await transaction.start()
    await create_rollback(app_conn, HR, planned)
    async with racing(observer, second, compose_one(second, Item(template.key))) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert answer["status"] == ("actor_rolling_back" if guarded else "ok")
    assert len(await present(owner)) == (1 if guarded else 2)


@pytest.mark.parametrize("guarded", [True, False])
async def test_freezing_waits_for_who_composes_as_an_actor_of_the_plan(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        lock = "PERFORM iu_core.fn_iu_lock('actor', v_actors, p_shared);"
        await take_out(owner, "fn_iu_rollback_lock_actors", lock)
    await composed(app_conn, Item(template.key))
    planned = await plan(app_conn, HR)
    transaction = app_conn.transaction()
    await transaction.start()
    await composed(app_conn, Item(template.key))
    async with racing(observer, second, create_rollback(second, HR, planned)) as late:
        if guarded:
            await late.blocked(by=app_conn)
            await transaction.commit()
            assert await late.result() == {"status": "plan_stale"}
        else:
            assert (await late.result())["status"] == "ok"
            await transaction.commit()
            assert len(await present(owner)) == 2, "composed as an actor that is fenced already"


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_chunk_waits_for_a_rollback_of_its_actor_and_finds_it_gone(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        await take_out(
            owner,
            "fn_iu_operation_roll_back",
            "p_operation.operation_id), false);",
            "p_operation.operation_id LIMIT 0), false);",
        )
    await composed(app_conn, Item(template.key))
    operation, runner = await rolling_back(app_conn, HR)
    transaction = app_conn.transaction()
    await transaction.start()
    await by_actor(app_conn, "hr-bot")
    async with racing(observer, second, step(second, operation, runner)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        if not guarded:
            with pytest.raises(asyncpg.SerializationError):
                await late.result()
            return
        assert (await late.result())["gone"] == 1
    assert await standing(owner, operation) == {"state": "completed", "gone": 1}
    assert len(await buried(owner)) == 1
