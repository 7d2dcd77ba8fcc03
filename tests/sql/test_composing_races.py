"""Composing against itself and against rollback's traces, interleaved by hand.

Each race runs as it is, and once more with its guard taken out of the function: then what the
guard prevents must be seen to happen.
"""

import asyncio
import dataclasses
import random
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one, identity
from tests.support.databases import Connect
from tests.support.interleaving import racing, wait_until_blocked
from tests.support.mutation import take_out
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


async def instances(owner: asyncpg.Connection) -> int:
    """How many instance collections there are."""
    count: int = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_piece_collection WHERE is_instance"
    )
    return count


async def test_of_two_with_one_key_the_second_waits_and_replays(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    item = Item(template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    first = await compose_one(app_conn, item)
    again = dataclasses.replace(item, request_id=uuid4())
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert await late.result() == first | {"status": "idempotent_replay"}
    assert await instances(owner) == 1


async def test_when_the_first_rolls_back_the_second_composes(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    item = Item(template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    await compose_one(app_conn, item)
    again = dataclasses.replace(item, request_id=uuid4())
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await transaction.rollback()
        assert (await late.result())["status"] == "ok"
    assert await instances(owner) == 1


async def test_without_the_later_look_the_second_of_one_key_finds_nothing(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """The proof that the separate statement after a lost claim is what answers the replay."""
    await take_out(
        owner,
        "fn_iu_compose_claim",
        "v_items := iu_core.fn_iu_compose_judge(v_items);",
    )
    item = Item(template.key)
    transaction = app_conn.transaction()
    await transaction.start()
    await compose_one(app_conn, item)
    again = dataclasses.replace(item, request_id=uuid4())
    async with racing(observer, second, compose_one(second, again)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        with pytest.raises(asyncpg.SerializationError):
            await late.result()


async def test_without_the_leader_one_key_twice_in_a_batch_loses_the_batch(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The proof for the batch: without DISTINCT ON and ON CONFLICT nobody of it is served."""
    item = Item(template.key)
    batch = [item, dataclasses.replace(item, request_id=uuid4()), Item(template.key)]
    await take_out(
        owner,
        "fn_iu_compose_claim",
        "PARTITION BY u.instance_id, c.id ORDER BY u.ordinal",
        "PARTITION BY u.ordinal",
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await compose(app_conn, *batch)
    assert await instances(owner) == 0


async def bury(owner: asyncpg.Connection, item: Item, template: Template) -> None:
    """What a rollback of the instance does, in the caller's transaction."""
    instance = identity(item, template.collection_id)
    await owner.execute(
        """INSERT INTO iu_core.iu_instance_tombstone
                  (instance_collection_id, rollback_operation_id, event_id, reference_id,
                   template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,
                   data_digest, composition_digest, rolled_back_by, reason)
           SELECT instance_collection_id, gen_random_uuid(), event_id, reference_id,
                  template_collection_id, composed_at, now(), event_type, suffix, actor,
                  data_digest, 'digest', 'ops', 'test'
             FROM iu_core.iu_auto_instantiate_event_log WHERE instance_collection_id = $1""",
        instance,
    )
    for statement in (
        "DELETE FROM iu_core.iu_auto_instantiate_event_log WHERE instance_collection_id = $1",
        "DELETE FROM iu_core.iu_collection_template_instance_lineage"
        " WHERE instance_collection_id = $1",
        "DELETE FROM iu_core.iu_piece_collection WHERE collection_id = $1",
    ):
        await owner.execute(statement, instance)


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_key_whose_rollback_is_in_flight_is_not_composed_again(
    guarded: bool,
    owner: asyncpg.Connection,
    connect: Connect,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Another actor's claim waits for the rollback, wins the key, and must find the tombstone."""
    if not guarded:
        await take_out(
            owner,
            "fn_iu_compose_claim",
            "v_claimed := iu_core.fn_iu_compose_bury(v_claimed);",
        )
    item = Item(template.key, actor="hr-bot")
    await compose_one(app_conn, item)
    rollback = await connect("owner")
    transaction = rollback.transaction()
    await transaction.start()
    await bury(rollback, item, template)

    # The early look would answer replay, because it sees the instance that is being removed. The
    # race is between its end and the claim, so it is left out.
    await take_out(
        owner,
        "fn_iu_auto_instantiate_many",
        "v_items := iu_core.fn_iu_compose_judge(v_items);\n\n    SELECT",
        "SELECT",
    )
    again = dataclasses.replace(item, actor="it-bot", request_id=uuid4())
    async with racing(observer, app_conn, compose_one(app_conn, again)) as late:
        await late.blocked(by=rollback)
        await transaction.commit()
        answer = await late.result()
    if guarded:
        assert answer["status"] == "rolled_back"
        assert await instances(owner) == 0
    else:
        assert answer["status"] == "ok"
        assert await instances(owner) == 1, "an instance and a tombstone"


async def test_a_released_key_composes_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    await compose_one(app_conn, item)
    async with owner.transaction():
        await bury(owner, item, template)
    late = dataclasses.replace(item, request_id=uuid4())
    assert (await compose_one(app_conn, late))["status"] == "rolled_back"
    await owner.execute("UPDATE iu_core.iu_instance_tombstone SET released_at = now()")
    assert (await compose_one(app_conn, late))["status"] == "ok"


@pytest.mark.parametrize("guarded", [True, False])
async def test_batches_claim_in_key_order(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Two batches over the same two keys, given in opposite orders, must not deadlock.

    A trigger, in this test's database only, stops the first batch before its second claim.
    """
    one, two = sorted(
        (Item(template.key), Item(template.key)),
        key=lambda item: identity(item, template.collection_id),
    )
    if not guarded:
        await take_out(
            owner,
            "fn_iu_compose_claim",
            "ORDER BY i.instance_id\n                ON CONFLICT",
            "ORDER BY i.ordinal\n                ON CONFLICT",
        )
    # The first batch is given backwards; only sorting makes it claim `one` before `two`.
    stop_at = identity(two if guarded else one, template.collection_id)
    await owner.execute(
        f"""CREATE FUNCTION iu_core.stop() RETURNS trigger LANGUAGE plpgsql AS $f$
            BEGIN
                IF current_setting('application_name') = 'stops' THEN
                    PERFORM pg_advisory_xact_lock(1, 1);
                END IF;
                RETURN NEW;
            END $f$;
            CREATE TRIGGER stop BEFORE INSERT ON iu_core.iu_piece_collection FOR EACH ROW
            WHEN (NEW.collection_id = '{stop_at}') EXECUTE FUNCTION iu_core.stop()"""
    )
    await app_conn.execute("SET application_name = 'stops'")
    await owner.execute("SELECT pg_advisory_lock(1, 1)")
    backwards = [dataclasses.replace(item, request_id=uuid4()) for item in (two, one)]
    forwards = [dataclasses.replace(item, request_id=uuid4()) for item in (one, two)]
    async with racing(observer, app_conn, compose(app_conn, *backwards)) as first:
        await first.blocked(by=owner)
        async with racing(observer, second, compose(second, *forwards)) as late:
            await late.blocked(by=app_conn)
            await owner.execute("SELECT pg_advisory_unlock(1, 1)")
            outcomes = await asyncio.gather(first.result(), late.result(), return_exceptions=True)
    deadlocks = [out for out in outcomes if isinstance(out, asyncpg.DeadlockDetectedError)]
    answers = [out for out in outcomes if not isinstance(out, BaseException)]
    if guarded:
        assert [[answer["status"] for answer in some] for some in answers] == [
            ["ok", "ok"],
            ["idempotent_replay", "idempotent_replay"],
        ]
    else:
        assert len(deadlocks) == 1


async def test_withdrawing_waits_for_composers_of_the_family(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    """Composing holds its family's lock shared, so the chain can't change under it."""
    transaction = app_conn.transaction()
    await transaction.start()
    await compose_one(app_conn, Item(template.key))
    exclusive = "SELECT iu_core.fn_iu_lock('family', ARRAY['tpl:wf:onboarding'], false)"
    async with racing(observer, owner, owner.execute(exclusive)) as author:
        await author.blocked(by=app_conn)
        await transaction.commit()
        await author.result()
    async with owner.transaction():
        await owner.execute(exclusive)
        late = asyncio.create_task(compose_one(second, Item(template.family)))
        await wait_until_blocked(observer, second.get_server_pid(), by=owner.get_server_pid())
    assert (await late)["status"] == "ok"


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_limited_lease_is_never_overspent(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    await close_gates(owner)
    await open_gates(owner, "composer_enabled")
    await owner.execute(
        """INSERT INTO iu_core.iu_gate_lease
                  (gate_key, epoch, uses_limit, uses_left, opened_by, reason, opened_at, expires_at)
           VALUES ('iu_core.auto_instantiate_enabled', 0, 3, 3, 'ops', 'test', now(),
                   now() + interval '1 hour')"""
    )
    if not guarded:
        await take_out(owner, "fn_iu_lease_claim", "\n        FOR NO KEY UPDATE OF l", "")
        await owner.execute(
            "ALTER TABLE iu_core.iu_gate_lease DROP CONSTRAINT iu_gate_lease_uses_left_check"
        )
    transaction = app_conn.transaction()
    await transaction.start()
    item = Item(template.key)
    twin = dataclasses.replace(item, request_id=uuid4())
    first = await compose(app_conn, item, twin, Item(template.key))
    assert [answer["status"] for answer in first] == ["ok", "idempotent_replay", "ok"]
    pair = (Item(template.key), Item(template.key))
    async with racing(observer, second, compose(second, *pair)) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        statuses = [answer["status"] for answer in await late.result()]
    left = await owner.fetchval("SELECT uses_left FROM iu_core.iu_gate_lease")
    if guarded:
        assert statuses == ["ok", "live_gate_closed"]
        assert left == 0
    else:
        assert statuses == ["ok", "ok"]
        assert left == -1


async def test_a_storm_over_few_keys_composes_each_once(
    connect: Connect, owner: asyncpg.Connection, template: Template
) -> None:
    """Eight connections, random batches over 40 keys; the seed is printed."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = [Item(template.key if at % 2 else template.family) for at in range(40)]
    batches = [
        [
            [
                dataclasses.replace(item, request_id=uuid4(), actor=f"bot-{chance.randrange(3)}")
                for item in chance.sample(keys, chance.randint(1, 12))
            ]
            for _ in range(10)
        ]
        for _ in range(8)
    ]

    async def send(batches: list[list[Item]]) -> list[str]:
        connection = await connect("app")
        statuses: list[str] = []
        for batch in batches:
            while True:
                try:
                    answers = await compose(connection, *batch)
                except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
                    continue
                statuses += [answer["status"] for answer in answers]
                break
        return statuses

    statuses = [status for some in await asyncio.gather(*map(send, batches)) for status in some]
    used = {item.event_id for some in batches for batch in some for item in batch}
    assert set(statuses) <= {"ok", "idempotent_replay"}
    assert statuses.count("ok") == len(used)
    assert await instances(owner) == len(used)
    counted = await owner.fetchval("SELECT sum(instance_count) FROM iu_core.iu_template_counter")
    assert counted == len(used)
