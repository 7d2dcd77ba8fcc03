"""Operations that make instances: what becomes of each item, and where the whole stands."""

import dataclasses
import hashlib
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose_one, identity
from tests.support.gates import COMPOSER, LIVE, lease
from tests.support.mutation import take_out
from tests.support.operation_calls import (
    change,
    claim,
    claimed,
    create,
    created,
    fail_item,
    items,
    order,
    outcomes,
    standing,
    step,
)
from tests.support.rollback import present, refusal
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


# ----------------------------------------------------------------------- what becomes of items


async def test_each_item_has_its_own_outcome_and_the_counts_say_how_many(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    live = Item(template.key)
    instance = identity(live, template.collection_id)
    operation = await created(
        app_conn,
        live,
        live,
        dataclasses.replace(live, event_type="other"),
        Item("tpl:no:such"),
        Item(template.key, emit_mode="dry_run"),
        Item("tpl:no:such", emit_mode="dry_run"),
        Item(template.key, actor="Not An Actor"),
    )
    answer = await step(app_conn, operation, await claimed(app_conn, operation))

    assert answer == {
        "status": "ok",
        "operation_id": str(operation),
        "kind": "instantiate",
        "state": "completed",
        "total": 7,
        "composed": 1,
        "replayed": 1,
        "dry_runs": 2,
        "refused": 3,
        "failed": 0,
        "deleted": 0,
        "gone": 0,
        "blocked": 0,
        "not_attempted": 0,
        "revision": 2,
        "attempted": 7,
    }
    conflict = {
        "fields": ["event_type"],
        "idempotency_key": instance.hex,
        "instance_collection_id": str(instance),
    }
    wrong_actor = {
        "pointer": "/actor",
        "rule": "actor",
        "detail": "must match [a-z0-9][a-z0-9._:-]{0,127}",
    }
    unknown = {"template": "tpl:no:such"}
    assert [tuple(item.values()) for item in await items(app_conn, operation)] == [
        (1, "composed", instance, None, None),
        (2, "replayed", instance, None, None),
        (3, "refused", None, "idempotency_conflict", conflict),
        (4, "refused", None, "template_collection_not_found", unknown),
        (5, "dry_run", None, None, {"would_be": "composed", "warnings": []}),
        (
            6,
            "dry_run",
            None,
            "template_collection_not_found",
            unknown | {"would_be": "refused", "warnings": []},
        ),
        (7, "refused", None, "invalid_input", {"errors": [wrong_actor]}),
    ]
    assert await standing(owner, operation) == {
        "state": "completed",
        "composed": 1,
        "replayed": 1,
        "dry_runs": 2,
        "refused": 3,
    }


async def test_an_instance_is_what_a_single_call_makes_and_names_its_operation(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.family, suffix="a", reason="hired", data='{"name":"Zoë"}')
    operation = await created(app_conn, Item(template.key), item)
    await step(app_conn, operation, await claimed(app_conn, operation))
    row = await one_row(
        owner,
        """SELECT event_id, reference_id, suffix, actor, reason, data::text, operation_id,
                  request_id
             FROM iu_core.iu_auto_instantiate_event_log WHERE suffix = 'a'""",
    )
    own = hashlib.md5(f"{operation}:2".encode(), usedforsecurity=False).hexdigest()
    assert tuple(row) == (
        item.event_id,
        template.family_id,
        "a",
        "hr-bot",
        "hired",
        '{"name":"Zoë"}',
        operation,
        UUID(own),
    )
    sent_alone = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
    assert sent_alone["status"] == "idempotent_replay"


async def test_originals_of_others_are_no_more_shown_than_to_a_single_call(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, actor="it-bot")
    await compose_one(app_conn, item)
    operation = await created(app_conn, dataclasses.replace(item, actor="hr-bot"), allowed="hr-")
    await step(app_conn, operation, await claimed(app_conn, operation))
    (refused,) = await items(app_conn, operation)
    assert (refused["code"], refused["instance_collection_id"]) == ("actor_not_allowed", None)


async def test_the_counts_add_up_at_every_commit(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    orders = (Item(template.key), Item("tpl:no:such"), Item(template.key, emit_mode="dry_run"))
    operation = await created(app_conn, *orders, *orders, *orders[:1])
    runner = await claimed(app_conn, operation)
    seen = []
    for _ in range(4):
        await step(app_conn, operation, runner, limit=2)
        seen.append(tuple((await standing(owner, operation)).items()))
    assert seen == [
        (("state", "running"), ("composed", 1), ("refused", 1), ("not_attempted", 5)),
        (
            ("state", "running"),
            ("composed", 1),
            ("replayed", 1),
            ("dry_runs", 1),
            ("refused", 1),
            ("not_attempted", 3),
        ),
        (
            ("state", "running"),
            ("composed", 1),
            ("replayed", 1),
            ("dry_runs", 2),
            ("refused", 2),
            ("not_attempted", 1),
        ),
        (("state", "completed"), ("composed", 1), ("replayed", 2), ("dry_runs", 2), ("refused", 2)),
    ]


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_chunk_ends_before_the_sixty_fifth_actor(
    guarded: bool, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_operation_pending", "c.actors <= 64", "true")
    twice = [Item(template.key, actor=f"bot-{number}") for number in range(1, 71)] * 2
    operation = await created(
        app_conn, *sorted(twice, key=lambda item: int((item.actor or "").partition("-")[2]))
    )
    runner = await claimed(app_conn, operation)
    if not guarded:
        with pytest.raises(asyncpg.PostgresError, match="too_large"):
            await step(app_conn, operation, runner, limit=500)
        return
    assert (await step(app_conn, operation, runner, limit=500))["attempted"] == 128
    last = await step(app_conn, operation, runner, limit=500)
    assert (last["attempted"], last["state"]) == (12, "completed")


# ------------------------------------------------------------------------------- making them


async def test_a_bulk_of_nothing_is_no_operation(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    answer = await create(app_conn)
    assert answer["status"] == "invalid_input"
    assert [error["pointer"] for error in answer["errors"]] == ["/items"]
    assert (await refusal(owner))["command"] == "instantiate_bulk"
    assert await claim(app_conn) is None


async def test_a_bulk_of_more_than_a_hundred_thousand_is_too_large(
    app_conn: asyncpg.Connection,
) -> None:
    with pytest.raises(asyncpg.PostgresError, match="too_large") as raised:
        await create(app_conn, *[Item("tpl:wf:onboarding")] * 100_001)
    assert raised.value.sqlstate == "PF413"
    assert raised.value.as_dict()["detail"] == '{"limit": 100000, "counted": "items"}'
    assert await claim(app_conn) is None


async def test_the_same_key_brings_back_the_same_operation(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The caller makes the id of the key, so the primary key is the check."""
    operation = uuid4()
    item = Item(template.key)
    request = uuid4()
    first = await create(app_conn, item, operation_id=operation, key="monday", request_id=request)
    own_retry = await create(
        app_conn, item, operation_id=operation, key="monday", request_id=request
    )
    await step(app_conn, operation, await claimed(app_conn, operation))
    again = await create(app_conn, item, operation_id=operation, key="monday")

    assert first == own_retry == {"status": "ok", "operation_id": str(operation)}
    assert again == {"status": "idempotent_replay", "operation_id": str(operation)}
    assert await standing(owner, operation) == {"state": "completed", "composed": 1}


@pytest.mark.parametrize("other", [{"digest": "1" * 64}, {"key": "tuesday"}])
async def test_the_same_key_with_another_request_is_a_conflict_and_changes_nothing(
    other: dict[str, str],
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
) -> None:
    """Another key under the same id is what a malicious collision would look like."""
    operation = uuid4()
    await create(app_conn, Item(template.key), operation_id=operation, key="monday")
    with_more = await create(
        app_conn,
        Item(template.key),
        Item(template.key),
        operation_id=operation,
        **({"key": "monday"} | other),  # type: ignore[arg-type]
    )
    assert with_more == {
        "status": "idempotency_conflict",
        "fields": ["body"],
        "operation_id": str(operation),
    }
    assert (await refusal(owner))["code"] == "idempotency_conflict"
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 1}


# ------------------------------------------------------------------------------ closed gates


async def test_a_gate_that_closes_in_the_middle_halts_it_and_resuming_finishes(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, *(Item(template.key) for _ in range(5)))
    runner = await claimed(app_conn, operation)
    await step(app_conn, operation, runner, limit=2)
    await close_gates(owner)

    halted = await step(app_conn, operation, runner, limit=2)
    assert (halted["state"], halted["attempted"]) == ("halted", 0)
    assert (halted["halted_code"], halted["halted_details"]) == ("live_gate_closed", {"gate": LIVE})
    assert await standing(owner, operation) == {
        "state": "halted",
        "composed": 2,
        "not_attempted": 3,
    }
    assert await step(app_conn, operation, runner) == {"status": "not_yours"}
    assert await claim(app_conn) is None, "nobody runs what is halted"

    await open_gates(owner)
    resumed = await change(app_conn, "resume", operation)
    assert (resumed["state"], "halted_code" in resumed) == ("running", False)
    await step(app_conn, operation, await claimed(app_conn, operation))
    assert await standing(owner, operation) == {"state": "completed", "composed": 5}
    assert len(await present(owner)) == 5


async def test_what_a_gate_still_admits_of_the_chunk_is_done(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """A lease lets one actor through, and a use of it is one instance."""
    await close_gates(owner)
    await open_gates(owner, "auto_instantiate_enabled")
    await lease(app_conn, COMPOSER, for_actor="hr-bot", uses=2)
    other, own = Item(template.key, actor="it-bot"), Item(template.key)
    operation = await created(
        app_conn, other, own, own, Item("tpl:no:such"), Item(template.key), Item(template.key)
    )

    await step(app_conn, operation, await claimed(app_conn, operation))

    assert await outcomes(app_conn, operation) == [
        None,
        "composed",
        "replayed",
        "refused",
        "composed",
        None,
    ]
    row = await one_row(owner, "SELECT halted_code, halted_details FROM iu_core.v_iu_operation")
    assert tuple(row) == ("composer_gate_closed", {"gate": COMPOSER})

    await open_gates(owner)
    await change(app_conn, "resume", operation)
    await step(app_conn, operation, await claimed(app_conn, operation))
    assert await standing(owner, operation) == {
        "state": "completed",
        "composed": 4,
        "replayed": 1,
        "refused": 1,
    }


async def test_who_still_waits_does_not_keep_those_behind_from_their_turn(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    await open_gates(owner, "auto_instantiate_enabled")
    await lease(app_conn, COMPOSER, for_actor="hr-bot")
    operation = await created(
        app_conn, Item(template.key, actor="it-bot"), *(Item(template.key) for _ in range(3))
    )
    for done in (1, 2, 3):
        await step(app_conn, operation, await claimed(app_conn, operation), limit=2)
        assert await standing(owner, operation) == {
            "state": "halted",
            "composed": done,
            "not_attempted": 4 - done,
        }
        await change(app_conn, "resume", operation)


async def test_a_dry_run_at_a_closed_composer_gate_waits_too(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    operation = await created(app_conn, Item(template.key, emit_mode="dry_run"))
    halted = await step(app_conn, operation, await claimed(app_conn, operation))
    assert (halted["state"], halted["halted_code"]) == ("halted", "composer_gate_closed")


# ------------------------------------------------------------------------------------- failing


async def test_a_chunk_that_raises_leaves_nothing_and_its_item_can_be_given_up(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, *(Item(template.key) for _ in range(3)))
    broken = order(Item(template.key)).replace('"live"', '"live", "event_id": "no uuid"')
    await owner.execute(
        "UPDATE iu_core.iu_operation_item SET request = $1 WHERE ordinal = 2", broken
    )
    runner = await claimed(app_conn, operation)
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await step(app_conn, operation, runner)
    assert await standing(owner, operation) == {"state": "running", "not_attempted": 3}

    await step(app_conn, operation, runner, limit=1)
    failed = await fail_item(app_conn, operation, runner)
    last = await step(app_conn, operation, runner)

    assert (failed["state"], failed["attempted"]) == ("running", 1)
    assert last["state"] == "completed"
    assert await standing(owner, operation) == {"state": "completed", "composed": 2, "failed": 1}
    assert [(item["code"], item["details"]) for item in await items(app_conn, operation)] == [
        (None, None),
        ("internal", {"request_id": "r"}),
        (None, None),
    ]


async def test_giving_up_the_last_item_completes_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, Item(template.key))
    runner = await claimed(app_conn, operation)
    assert (await fail_item(app_conn, operation, runner))["state"] == "completed"
    assert await fail_item(app_conn, operation, runner) == {"status": "not_yours"}
    assert await standing(owner, operation) == {"state": "completed", "failed": 1}


async def test_what_was_refused_or_failed_is_tried_again_and_nothing_else(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    later = Item("tpl:file:later")
    operation = await created(app_conn, Item(template.key), later, Item(template.key))
    runner = await claimed(app_conn, operation)
    await step(app_conn, operation, runner, limit=2)
    await fail_item(app_conn, operation, runner)
    await make_template(owner, "tpl:file:later")

    answer = await change(app_conn, "retry_failed", operation)
    assert (answer["state"], answer["not_attempted"]) == ("running", 2)
    assert await standing(owner, operation) == {
        "state": "running",
        "composed": 1,
        "not_attempted": 2,
    }
    again = await step(app_conn, operation, await claimed(app_conn, operation))

    assert again["attempted"] == 2
    assert await standing(owner, operation) == {"state": "completed", "composed": 3}
    nothing = await change(app_conn, "retry_failed", operation)
    assert (nothing["status"], nothing["state"]) == ("ok", "completed")
    assert nothing["revision"] == again["revision"]


async def test_trying_again_lets_a_halted_one_run_with_all_that_waits(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = await created(app_conn, Item("tpl:no:such"), Item(template.key))
    runner = await claimed(app_conn, operation)
    await step(app_conn, operation, runner, limit=1)
    await close_gates(owner)
    await step(app_conn, operation, runner)
    await open_gates(owner)
    answer = await change(app_conn, "retry_failed", operation)
    assert (answer["state"], answer["not_attempted"]) == ("running", 2)
    await step(app_conn, operation, await claimed(app_conn, operation))
    assert await outcomes(app_conn, operation) == ["refused", "composed"]
