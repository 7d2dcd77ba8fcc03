"""Rolling back against composing, against rolling back and against delivering, step by step.

Each race runs as it is, and once more with its guard taken out of the functions: then what the
guard prevents must be seen to happen.
"""

import asyncio
import dataclasses
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one
from tests.support.databases import Connect
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.rollback import (
    HR,
    Selectors,
    apply,
    buried,
    by_actor,
    composed,
    deliver,
    plan,
    present,
    row_counts,
)
from tests.support.templates import Template, make_template, open_gates

BY_ACTOR_LOCKS = "PERFORM iu_core.fn_iu_lock('actor', ARRAY[p_of_actor], false);"
ACTORS_LOCKED = "PERFORM iu_core.fn_iu_lock('actor', v_actors, p_shared);"
BY_ACTOR_READS_AGAIN = "v_ids := (iu_core.fn_iu_rollback_select(v_selection, v_limit)).ids;"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def rolled_back_messages(owner: asyncpg.Connection) -> int:
    """How many messages say that an instance was rolled back."""
    count: int = await owner.fetchval(
        """SELECT count(*) FROM iu_core.event_outbox
            WHERE event_type = 'iu.template.instance_rolled_back'"""
    )
    return count


# ------------------------------------------------------------------ rollback against composing


@pytest.mark.parametrize("guard", ["", "lock", "second look"])
async def test_a_rollback_waits_for_who_composes_as_the_actor_and_takes_that_too(
    guard: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if guard == "lock":
        await take_out(owner, "fn_iu_rollback_by_actor", BY_ACTOR_LOCKS)
    if guard == "second look":
        await take_out(owner, "fn_iu_rollback_by_actor", BY_ACTOR_READS_AGAIN, "v_ids := v_seen;")
    await composed(app_conn, Item(template.key))
    transaction = app_conn.transaction()
    await transaction.start()
    (in_flight,) = await composed(app_conn, Item(template.key))
    async with racing(observer, second, by_actor(second, "hr-bot")) as rollback:
        if guard == "lock":
            answer = await rollback.result()
            await transaction.commit()
        else:
            await rollback.blocked(by=app_conn)
            await transaction.commit()
            answer = await rollback.result()
    if guard:
        assert answer["instances"] == 1
        assert await present(owner) == {in_flight}, "composed before, and it survived the rollback"
    else:
        assert answer["instances"] == 2
        assert await present(owner) == set()


@pytest.mark.parametrize("guarded", [True, False])
async def test_applying_waits_for_who_composes_as_an_actor_of_the_plan(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """The selector is the template; whose instances they are comes from the plan."""
    if not guarded:
        await take_out(owner, "fn_iu_rollback_lock_actors", ACTORS_LOCKED)
    (planned_id,) = await composed(app_conn, Item(template.key))
    selectors = Selectors(template=template.key)
    planned = await plan(app_conn, selectors)
    transaction = app_conn.transaction()
    await transaction.start()
    (in_flight,) = await composed(app_conn, Item(template.key))
    async with racing(observer, second, apply(second, selectors, planned)) as rollback:
        if guarded:
            await rollback.blocked(by=app_conn)
            await transaction.commit()
            assert await rollback.result() == {"status": "plan_stale"}
            assert await present(owner) == {planned_id, in_flight}
        else:
            assert (await rollback.result())["deleted"] == 1
            await transaction.commit()
            assert await present(owner) == {in_flight}, "half of what the selectors name"


async def test_a_composer_waits_for_the_rollback_of_its_actor(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await composed(app_conn, Item(template.key))
    transaction = app_conn.transaction()
    await transaction.start()
    answer = await by_actor(app_conn, "hr-bot")
    async with racing(observer, second, compose_one(second, Item(template.key))) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        new = await late.result()
    assert new["status"] == "ok"
    assert new["composed_at"] > datetime.fromisoformat(answer["rolled_back_at"])
    assert await present(owner) == {new["instance_collection_id"]}


@pytest.mark.parametrize("guarded", [True, False])
async def test_another_actor_with_the_key_finds_the_tombstone_of_a_rollback_in_flight(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Its actor's lock is free, so the two meet at the key; an instance excludes a tombstone."""
    if not guarded:
        bury = "v_claimed := iu_core.fn_iu_compose_bury(v_claimed);"
        await take_out(owner, "fn_iu_compose_claim", bury)
    # The early look would answer that the instance is there, as it still is. The race is between
    # its end and the claim, so it is left out.
    early_look = "v_items := iu_core.fn_iu_compose_judge(v_items);\n\n    SELECT"
    await take_out(owner, "fn_iu_auto_instantiate_many", early_look, "SELECT")
    item = Item(template.key)
    (instance,) = await composed(app_conn, item)
    transaction = app_conn.transaction()
    await transaction.start()
    await by_actor(app_conn, "hr-bot")
    again = dataclasses.replace(item, actor="it-bot", request_id=uuid4())
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        answer = await late.result()
    assert await buried(owner) == [instance]
    if guarded:
        assert answer["status"] == "rolled_back"
        assert await present(owner) == set()
    else:
        assert answer["status"] == "ok"
        assert await present(owner) == {instance}, "an instance and a tombstone that keeps its key"


async def test_when_the_rollback_is_undone_the_other_actor_replays(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    early_look = "v_items := iu_core.fn_iu_compose_judge(v_items);\n\n    SELECT"
    await take_out(owner, "fn_iu_auto_instantiate_many", early_look, "SELECT")
    item = Item(template.key)
    (instance,) = await composed(app_conn, item)
    transaction = app_conn.transaction()
    await transaction.start()
    await by_actor(app_conn, "hr-bot")
    again = dataclasses.replace(item, actor="it-bot", request_id=uuid4())
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await transaction.rollback()
        assert (await late.result())["status"] == "idempotent_replay"
    assert await present(owner) == {instance}
    assert await buried(owner) == []


async def test_an_actor_who_appears_while_the_rollback_waits_makes_the_plan_stale(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Its lock is not held, and need not be: what it composed is not in the plan."""
    event = uuid4()
    selectors = Selectors(event_id=event)
    (first,) = await composed(app_conn, Item(template.key, event_id=event))
    planned = await plan(app_conn, selectors)
    transaction = app_conn.transaction()
    await transaction.start()
    await composed(app_conn, Item(template.key))
    async with racing(observer, second, apply(second, selectors, planned)) as rollback:
        await rollback.blocked(by=app_conn)
        third = await connect("app")
        (new,) = await composed(
            third, Item(template.key, event_id=event, suffix="new", actor="it-bot")
        )
        await transaction.commit()
        assert await rollback.result() == {"status": "plan_stale"}
    assert await present(owner) > {first, new}
    assert await buried(owner) == []


# --------------------------------------------------------------- rollback against rolling back


COUNTED = "v_deleted <> cardinality(p_ids)"


async def forget_messages(owner: asyncpg.Connection) -> None:
    """Empty the outbox: cancelling the same messages would make two rollbacks meet earlier."""
    await owner.execute("DELETE FROM iu_core.event_outbox")


@pytest.mark.parametrize("missing", ["", "lock", "lock and count"])
async def test_of_two_rollbacks_of_an_actor_one_deletes_and_the_other_says_gone(
    missing: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if "lock" in missing:
        await take_out(owner, "fn_iu_rollback_by_actor", BY_ACTOR_LOCKS)
    if "count" in missing:
        await take_out(owner, "fn_iu_rollback_remove", COUNTED, "false")
    ids = await composed(app_conn, Item(template.key), Item(template.key))
    await forget_messages(owner)
    transaction = app_conn.transaction()
    await transaction.start()
    first = await by_actor(app_conn, "hr-bot")
    async with racing(observer, second, by_actor(second, "hr-bot")) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        if missing == "lock":
            with pytest.raises(asyncpg.SerializationError):
                await late.result()
            return
        answer = await late.result()
    assert (first["instances"], first["gone"]) == (2, 0)
    assert await present(owner) == set()
    counted = (await row_counts(owner))["counted"]
    if missing:
        assert answer["instances"] == 2, "each was deleted twice"
        assert await buried(owner) == sorted(ids + ids)
        assert await rolled_back_messages(owner) == 4
        assert counted == -2
    else:
        assert (answer["instances"], answer["gone"]) == (0, 2)
        assert await buried(owner) == sorted(ids)
        assert await rolled_back_messages(owner) == 2
        assert counted == 0


@pytest.mark.parametrize("missing", ["", "lock", "lock and count"])
async def test_of_two_plans_that_overlap_each_instance_is_deleted_once(
    missing: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """One by actor, one by template: they meet because both lock the actors of their plans."""
    if "lock" in missing:
        await take_out(
            owner,
            "fn_iu_rollback_lock_actors",
            ACTORS_LOCKED,
            ACTORS_LOCKED.replace("v_actors", "ARRAY[p_selection.actor]"),
        )
    if "count" in missing:
        await take_out(owner, "fn_iu_rollback_remove", COUNTED, "false")
    both = await composed(app_conn, Item(template.key), Item(template.key))
    (other,) = await composed(app_conn, Item(template.key, actor="it-bot"))
    by_template = Selectors(template=template.key)
    await forget_messages(owner)
    small, large = await plan(app_conn, HR), await plan(app_conn, by_template)
    transaction = app_conn.transaction()
    await transaction.start()
    first = await apply(app_conn, HR, small)
    async with racing(observer, second, apply(second, by_template, large)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        if missing == "lock":
            with pytest.raises(asyncpg.SerializationError):
                await late.result()
            return
        answer = await late.result()
    assert (first["planned"], first["deleted"], first["gone"]) == (2, 2, 0)
    assert await present(owner) == set()
    if missing:
        assert answer["deleted"] == 3, "two of them were deleted already"
        assert await buried(owner) == sorted([*both, *both, other])
    else:
        assert (answer["planned"], answer["deleted"], answer["gone"]) == (3, 1, 2)
        assert await buried(owner) == sorted([*both, other])


async def test_when_the_first_rollback_is_undone_the_second_deletes(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    (instance,) = await composed(app_conn, Item(template.key))
    transaction = app_conn.transaction()
    await transaction.start()
    await by_actor(app_conn, "hr-bot")
    async with racing(observer, second, by_actor(second, "hr-bot")) as late:
        await late.blocked(by=app_conn)
        await transaction.rollback()
        answer = await late.result()
    assert (answer["instances"], answer["gone"]) == (1, 0)
    assert await buried(owner) == [instance]


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_plan_waits_for_the_rollback_in_flight(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Otherwise it would plan what is being removed, and could never be applied."""
    if not guarded:
        await take_out(owner, "fn_iu_rollback_lock_actors", ACTORS_LOCKED)
    await composed(app_conn, Item(template.key))
    await composed(app_conn, Item(template.key, actor="it-bot"))
    selectors = Selectors(template=template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    await by_actor(app_conn, "hr-bot")
    async with racing(observer, second, plan(second, selectors)) as planning:
        if guarded:
            await planning.blocked(by=app_conn)
            await transaction.commit()
        planned = await planning.result()
    if not guarded:
        await transaction.commit()
    answer = await apply(app_conn, selectors, planned)
    if guarded:
        assert (planned["instances"], answer["deleted"]) == (1, 1)
    else:
        assert planned["instances"] == 2
        assert answer == {"status": "plan_stale"}


# ----------------------------------------------------------------- rollback against delivering


@pytest.mark.parametrize("guarded", [True, False])
async def test_what_is_being_delivered_blocks_once_it_has_left(
    guarded: bool,
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    if not guarded:
        # The blockers are looked for before the cancelling instead of after it.
        look = "v_blockers := iu_core.fn_iu_rollback_blockers(p_ids, p_acknowledge_delivered);"
        update = "UPDATE iu_core.event_outbox AS o"
        await take_out(owner, "fn_iu_rollback_remove", look)
        await take_out(owner, "fn_iu_rollback_remove", update, f"{look} {update}")
    left, stays = await composed(app_conn, Item(template.key), Item(template.key))
    before = await row_counts(owner)
    deliverer = await connect("owner")
    transaction = deliverer.transaction()
    await transaction.start()
    await deliver(deliverer, left)
    async with racing(observer, app_conn, by_actor(app_conn, "hr-bot")) as rollback:
        await rollback.blocked(by=deliverer)
        await transaction.commit()
        answer = await rollback.result()
    if guarded:
        assert answer == {
            "status": "rollback_blocked",
            "blockers": [{"instance_collection_id": str(left), "reason": "delivered"}],
        }
        assert await present(owner) == {left, stays}
        assert await row_counts(owner) == before
    else:
        assert answer["instances"] == 2, "one of them was known outside"


# --------------------------------------------------------------------------------- all at once


async def test_a_storm_of_rollbacks_and_composers_leaves_an_instance_or_a_tombstone(
    connect: Connect, owner: asyncpg.Connection, template: Template
) -> None:
    """Six connections over 20 keys and 3 actors; the seed is printed."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = [Item(template.key) for _ in range(20)]
    actors = ["bot-0", "bot-1", "bot-2"]
    deleted: list[int] = []

    async def compose_some(connection: asyncpg.Connection) -> None:
        some = chance.sample(keys, chance.randint(1, 6))
        await compose(
            connection,
            *(
                dataclasses.replace(item, request_id=uuid4(), actor=chance.choice(actors))
                for item in some
            ),
        )

    async def roll_back_some(connection: asyncpg.Connection) -> None:
        release = chance.random() < 0.5
        if chance.random() < 0.5:
            answer = await by_actor(connection, chance.choice(actors), release_keys=release)
            deleted.append(answer["instances"])
            return
        selectors = Selectors(template=template.key)
        planned = await plan(connection, selectors)
        answer = await apply(connection, selectors, planned, release_keys=release)
        if answer["status"] == "ok":
            assert answer["deleted"] + answer["gone"] == answer["planned"]
            deleted.append(answer["deleted"])

    async def client(steps: list[Callable[[asyncpg.Connection], Awaitable[Any]]]) -> None:
        connection = await connect("app")
        for step in steps:
            while True:
                try:
                    await step(connection)
                except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                    continue
                break

    await asyncio.gather(
        *(client([compose_some] * 15) for _ in range(4)),
        *(client([roll_back_some] * 10) for _ in range(2)),
    )
    kept = await owner.fetch(
        """SELECT instance_collection_id AS id FROM iu_core.iu_instance_tombstone
            WHERE released_at IS NULL"""
    )
    there = await present(owner)
    keeping: list[UUID] = [row["id"] for row in kept]
    assert len(set(keeping)) == len(keeping)
    assert not there & set(keeping)
    counts = await row_counts(owner)
    assert counts["collections"] == counts["lineage"] == counts["log"] == counts["counted"]
    assert counts["tombstones"] == sum(deleted) == await rolled_back_messages(owner)
    integrity = await owner.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert integrity["findings"] == []
