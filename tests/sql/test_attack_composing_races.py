"""Composing, stopped where it waits, while somebody changes what it has looked at before."""

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import AUTHORING, call, content, create_template, create_version
from tests.support.composing import Item, compose, compose_one, identity
from tests.support.databases import Connect
from tests.support.gates import COMPOSER, LIVE, close, drain, lease, set_clock
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.rollback import HR, by_actor, release_keys
from tests.support.templates import Template, make_template, open_gates

FAMILY = "tpl:file:report"


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


@asynccontextmanager
async def begun(
    connection: asyncpg.Connection,
) -> AsyncIterator[asyncpg.transaction.Transaction]:
    """A transaction that the test ends."""
    transaction = connection.transaction()
    await transaction.start()
    yield transaction


async def findings(connection: asyncpg.Connection) -> dict[str, int]:
    """What the integrity check finds, by kind."""
    answer = await connection.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    counts: dict[str, int] = answer["counts"]
    return counts


# ------------------------------------------------------------------------------------- leases


@pytest.mark.parametrize("held", ["actor", "family"])
async def test_a_limited_lease_that_is_taken_while_a_call_waits_pays_for_it_or_admits_it_not(
    held: str,
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    """Its row was not locked with the others, so nobody may be admitted by it in this call."""
    template = await make_template(owner)
    await open_gates(owner, "composer_enabled")
    holder = await connect("owner")
    name = "hr-bot" if held == "actor" else template.family
    async with begun(holder) as transaction:
        await holder.execute("SELECT iu_core.fn_iu_lock($1, ARRAY[$2], false)", held, name)
        two = compose(second, Item(template.key), Item(template.key))
        async with racing(observer, second, two) as late:
            await late.blocked(by=holder)
            await lease(app_conn, LIVE, uses=1)
            await transaction.commit()
            statuses = [answer["status"] for answer in await late.result()]
    left = await owner.fetchval("SELECT uses_left FROM iu_core.iu_gate_lease")
    assert 1 - left == statuses.count("ok")


async def test_what_a_lease_without_a_limit_admitted_first_is_not_free_when_it_ends(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    """It ends while the call waits; the limited one beside it was not locked, and pays nothing."""
    template = await make_template(owner)
    await open_gates(owner, "composer_enabled")
    await lease(app_conn, LIVE, seconds=60)
    await lease(app_conn, LIVE, uses=1)
    rollback = await connect("owner")
    async with begun(rollback) as transaction:
        await rollback.execute("SELECT iu_core.fn_iu_lock('actor', ARRAY['hr-bot'], false)")
        two = compose(second, Item(template.key), Item(template.key))
        async with racing(observer, second, two) as late:
            await late.blocked(by=rollback)
            await set_clock(owner, timedelta(seconds=61))
            await transaction.commit()
            statuses = [answer["status"] for answer in await late.result()]
    left = await owner.fetchval("SELECT sum(uses_left) FROM iu_core.iu_gate_lease")
    assert 1 - left == statuses.count("ok")


async def test_a_lease_that_two_calls_find_at_once_is_not_overspent(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    """Both hold another lease already; the one with a single use comes while they wait."""
    template = await make_template(owner)
    await open_gates(owner, "composer_enabled")
    for actor in ("a-bot", "b-bot"):
        await lease(app_conn, LIVE, uses=1, for_actor=actor)
    third = await connect("app")
    rollback = await connect("owner")
    async with begun(rollback) as transaction:
        await rollback.execute("SELECT iu_core.fn_iu_lock('actor', ARRAY['a-bot', 'b-bot'], false)")
        pairs = {
            actor: [Item(template.key, actor=actor) for _ in range(2)]
            for actor in ("a-bot", "b-bot")
        }
        async with (
            racing(observer, second, compose(second, *pairs["a-bot"])) as one,
            racing(observer, third, compose(third, *pairs["b-bot"])) as other,
        ):
            await one.blocked(by=rollback)
            await other.blocked(by=rollback)
            await lease(app_conn, LIVE, uses=1)
            await transaction.commit()
            answers = await one.result() + await other.result()
    composed = [answer["status"] for answer in answers].count("ok")
    left = await owner.fetchval("SELECT sum(uses_left) FROM iu_core.iu_gate_lease")
    assert 3 - left == composed


# ---------------------------------------------------------------------- replays and tombstones


async def test_a_replay_whose_original_is_rolled_back_meanwhile_is_not_answered_with_gaps(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """The early look finds it without a lock; it is gone when the answer is read back."""
    known = Item(template.key)
    await compose_one(app_conn, known)
    again = dataclasses.replace(known, request_id=uuid4())
    async with begun(app_conn) as transaction:
        await by_actor(app_conn, "hr-bot")
        async with racing(observer, second, compose(second, again, Item(template.key))) as late:
            await late.blocked(by=app_conn)
            await transaction.commit()
            with pytest.raises(asyncpg.SerializationError):
                await late.result()
    retried = await compose(second, again, Item(template.key))
    assert [answer["status"] for answer in retried] == ["rolled_back", "ok"]
    assert await findings(app_conn) == {}


async def without_the_early_look(owner: asyncpg.Connection) -> None:
    """It would answer replay for what is being rolled back: the races begin after it."""
    await take_out(
        owner,
        "fn_iu_auto_instantiate_many",
        "v_items := iu_core.fn_iu_compose_judge(v_items);\n\n    SELECT",
        "SELECT",
    )


async def test_a_claim_whose_tombstone_is_released_meanwhile_leaves_nothing_half_made(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """A call claims a key under a rollback in flight and sees its tombstone, has to claim another
    key once more, and finds the tombstone released when it looks for the last time.
    """
    await without_the_early_look(owner)
    third, fourth = await connect("app"), await connect("app")
    three = [Item(template.key) for _ in range(3)]
    three.sort(key=lambda item: identity(item, template.collection_id))
    buried, contested, blocking = (
        dataclasses.replace(item, actor=actor)
        for item, actor in zip(three, ("hr-bot", "it-bot", "other-bot"), strict=True)
    )
    await compose(app_conn, buried, contested)
    batch = [dataclasses.replace(item, actor="new-bot", request_id=uuid4()) for item in three]
    async with begun(app_conn) as rollback, begun(third) as blocker, begun(fourth) as rival:
        await by_actor(app_conn, "hr-bot")
        await compose_one(third, blocking)
        async with racing(observer, second, compose(second, *batch)) as late:
            await late.blocked(by=app_conn)
            await rollback.commit()  # the first key is claimed, the second is another's
            await late.blocked(by=third)
            await by_actor(app_conn, "it-bot", release_keys=True)
            again = dataclasses.replace(contested, actor="rival-bot", request_id=uuid4())
            await compose_one(fourth, again)
            await blocker.commit()  # the tombstone is seen; the second key is tried once more
            await late.blocked(by=fourth)
            await release_keys(app_conn, HR)
            await rival.commit()
            answers = await late.result()
    assert [answer["status"] for answer in answers] == [
        "rolled_back",
        "idempotent_replay",
        "idempotent_replay",
    ]
    assert await findings(app_conn) == {}
    (retried,) = await compose(second, dataclasses.replace(batch[0], request_id=uuid4()))
    assert retried["status"] == "ok"


async def test_a_key_that_was_given_back_and_is_free_again_is_tried_again(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Its tombstone is released between the look that gave it back and the last one."""
    await without_the_early_look(owner)
    known = Item(template.key)
    await compose_one(app_conn, known)
    again = dataclasses.replace(known, actor="it-bot", request_id=uuid4())
    new = Item(template.key, actor="it-bot")
    writer = await connect("owner")
    async with begun(app_conn) as rollback, begun(writer) as holding_up:
        await by_actor(app_conn, "hr-bot")
        await writer.execute(
            """SELECT FROM iu_core.iu_collection_template_registry
                WHERE template_collection_id = $1 FOR UPDATE""",
            template.collection_id,
        )
        async with racing(observer, second, compose(second, again, new)) as late:
            await late.blocked(by=app_conn)
            await rollback.commit()
            await late.blocked(by=writer)  # it has looked for tombstones, and writes the other
            await release_keys(app_conn, HR)
            await holding_up.commit()
            with pytest.raises(asyncpg.SerializationError):
                await late.result()
    answers = await compose(second, again, new)
    assert [answer["status"] for answer in answers] == ["ok", "ok"]
    assert await findings(app_conn) == {}


async def test_a_key_whose_instance_lost_its_log_is_refused_again_and_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """There is nothing to replay and nothing to claim: no second instance, and no gaps."""
    item = Item(template.key)
    await compose_one(app_conn, item)
    await owner.execute("DELETE FROM iu_core.iu_auto_instantiate_event_log")
    for _ in range(2):
        with pytest.raises(asyncpg.SerializationError):
            await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
    assert await findings(app_conn) == {"counter_mismatch": 2, "event_log_missing": 1}


# ------------------------------------------------------------------------------ gates, chains


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_an_older_snapshot_opens_no_closed_gate(
    isolation: Literal["repeatable_read", "serializable"],
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    template: Template,
) -> None:
    """A session may ask for any isolation level, and would then see the gate as it was."""
    async with second.transaction(isolation=isolation):
        await second.fetchval("SELECT count(*) FROM iu_core.v_iu_gate")
        await close(app_conn, COMPOSER, LIVE)
        await drain(app_conn, COMPOSER, LIVE)
        with pytest.raises(asyncpg.InvalidTransactionStateError):
            await compose_one(second, Item(template.key))


async def test_what_becomes_a_template_while_a_call_waits_is_none_to_it_yet(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Its family's lock is not held, so that a version could be withdrawn under the call."""
    await open_gates(owner, *AUTHORING)
    plain = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection (created_at, collection_key, composition_digest)
           VALUES (now(), 'plain', $1) RETURNING collection_id""",
        template.composition_digest,
    )
    author = await connect("owner")
    async with begun(author) as transaction:
        lock = "SELECT iu_core.fn_iu_lock('family', ARRAY[$1], false)"
        await author.execute(lock, template.family)
        two = compose(second, Item(str(plain)), Item(template.key))
        async with racing(observer, second, two) as late:
            await late.blocked(by=author)
            marked = await call(
                app_conn,
                "fn_iu_template_mark",
                collection_id=plain,
                template_key="tpl:file:report/v1",
                reason="test",
            )
            assert marked["status"] == "ok"
            await transaction.commit()
            answers = await late.result()
    assert [answer["status"] for answer in answers] == ["template_not_marked", "ok"]


@pytest.mark.parametrize("emit_mode", ["live", "dry_run"])
@pytest.mark.parametrize("reference", [f"{FAMILY}/v1", f"{FAMILY}/v2", FAMILY])
async def test_what_is_published_while_a_call_waits_is_not_there_yet_or_all_there(
    reference: str,
    emit_mode: str,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    """A reference that meant nothing before the family's lock has no identity to claim."""
    await open_gates(owner, *AUTHORING, "composer_enabled", "auto_instantiate_enabled")
    if reference != f"{FAMILY}/v1":
        await create_template(app_conn, FAMILY)
    async with begun(app_conn) as transaction:
        if reference == f"{FAMILY}/v1":
            await create_template(app_conn, FAMILY)
        else:
            await create_version(app_conn, FAMILY, pieces=[content("new", "new")])
        item = Item(reference, emit_mode=emit_mode)
        async with racing(observer, second, compose_one(second, item)) as late:
            if reference != f"{FAMILY}/v1":
                await late.blocked(by=app_conn)
                await transaction.commit()
            answer = await late.result()
            if reference == f"{FAMILY}/v1":
                await transaction.commit()
    if reference == FAMILY:
        assert (answer["status"], answer["template_key"]) == ("ok", f"{FAMILY}/v2")
    else:
        assert answer["status"] == "template_collection_not_found"
        assert answer["instance_collection_id"] is None
    assert (await compose_one(second, Item(reference, emit_mode=emit_mode)))["status"] == "ok"
    assert await findings(app_conn) == {}


async def test_a_collection_marked_while_its_family_was_not_locked_is_no_template_to_authors_yet(
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Stopped, in this test's database only, where the lock of no family was taken."""
    await open_gates(owner, *AUTHORING)
    plain = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection (created_at, collection_key, composition_digest)
           VALUES (now(), 'plain', $1) RETURNING collection_id""",
        template.composition_digest,
    )
    lock = "PERFORM iu_core.fn_iu_lock('family', ARRAY[v_family], false);"
    stop = f"{lock} PERFORM pg_advisory_xact_lock(1, 1);"
    await take_out(owner, "fn_iu_template_lock", lock, stop)
    registering = call(
        second,
        "fn_iu_template_register_version",
        ref=str(plain),
        title="",
        description="",
        expected_revisions=None,
        reason=None,
    )
    holder = await connect("owner")
    async with begun(holder) as transaction:
        await holder.execute("SELECT pg_advisory_xact_lock(1, 1)")
        async with racing(observer, second, registering) as late:
            await late.blocked(by=holder)
            await call(
                app_conn,
                "fn_iu_template_mark",
                collection_id=plain,
                template_key="tpl:file:report/v1",
                reason="test",
            )
            await transaction.commit()
            assert await late.result() == {"status": "template_not_marked"}
