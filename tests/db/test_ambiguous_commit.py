"""The connection is lost after a COMMIT was sent and before its answer came.

What was asked for has happened, and nobody was told. Composing is sent again: the request id,
which is stored with the instance, tells the service's own retry from another's replay.
"""

from uuid import uuid4

import asyncpg
import pytest

from app.db import engine
from app.db.composing import compose_atomic, compose_many
from app.db.engine import Transaction
from app.db.failures import is_disconnect, sqlstate_of
from tests.support.composing import an_item
from tests.support.mutation import take_out
from tests.support.proxy import Proxy
from tests.support.templates import Template, make_template, open_gates

OWN_RETRY = "WHEN k.request_id = i.request_id AND i.emit_mode = 'live' THEN 'ok'"

# Counts its calls, those that were undone included, and leaves a row for each that was not.
COUNTING = """
    CREATE SEQUENCE iu_core.calls;
    CREATE TABLE iu_core.effects (call bigint NOT NULL);
    CREATE FUNCTION iu_core.count_call() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        v_call bigint := nextval('iu_core.calls');
    BEGIN
        INSERT INTO iu_core.effects VALUES (v_call);
        RETURN v_call;
    END $$;
    CREATE FUNCTION iu_core.count_call_and_fail_later() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        v_call bigint := iu_core.count_call();
    BEGIN
        IF v_call > 1 THEN
            RAISE lock_not_available;
        END IF;
        RETURN v_call;
    END $$;
    GRANT EXECUTE ON FUNCTION iu_core.count_call, iu_core.count_call_and_fail_later TO iu_app
"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
async def counting(owner: asyncpg.Connection) -> None:
    """Functions that count their calls."""
    await owner.execute(COUNTING)


async def effects(owner: asyncpg.Connection) -> list[int]:
    """The calls of `count_call` that were committed."""
    return [row["call"] for row in await owner.fetch("SELECT * FROM iu_core.effects ORDER BY 1")]


async def count_call(transaction: Transaction) -> int:
    """The number of this call."""
    number: int = await transaction.call("count_call")
    return number


async def instances(owner: asyncpg.Connection) -> int:
    """How many instances there are."""
    count: int = await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log")
    return count


async def test_a_single_call_whose_answer_was_lost_still_answers_that_it_composed(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy, template: Template
) -> None:
    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    item = an_item(template)
    (answer,) = await compose_many(far_pool, [item])
    assert (answer["status"], answer["event_id"]) == ("ok", item.event_id)
    assert proxy.sent("fn_iu_auto_instantiate_many") == 2
    assert await instances(owner) == 1


async def test_without_the_request_id_it_would_answer_a_replay(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy, template: Template
) -> None:
    """The proof that the stored request id is what tells the retry from a replay."""
    await take_out(owner, "fn_iu_compose_judge", OWN_RETRY, "")
    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    (answer,) = await compose_many(far_pool, [an_item(template)])
    assert answer["status"] == "idempotent_replay"
    assert await instances(owner) == 1


async def test_a_call_that_never_arrived_is_sent_again(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy, template: Template
) -> None:
    proxy.lose("fn_iu_auto_instantiate_many", times=2)
    (answer,) = await compose_many(far_pool, [an_item(template)])
    assert answer["status"] == "ok"
    assert proxy.sent("fn_iu_auto_instantiate_many") == 3
    assert await instances(owner) == 1


async def test_each_item_of_a_batch_keeps_its_outcome(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy, template: Template
) -> None:
    known = an_item(template)
    (first,) = await compose_many(far_pool, [known])
    again = an_item(template, event_id=known.event_id)
    unknown = an_item(template)

    proxy.lose_answer_to("fn_iu_auto_instantiate_many")
    answers = await compose_many(far_pool, [unknown, again])
    assert [answer["status"] for answer in answers] == ["ok", "idempotent_replay"]
    assert answers[1] | {"ordinal": 1, "status": "ok"} == first
    assert await instances(owner) == 2


async def test_an_atomic_bulk_whose_commit_was_not_answered_is_found_composed(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy, template: Template
) -> None:
    operation_id = uuid4()
    proxy.lose_answer_to("COMMIT;")
    items = [an_item(template) for _ in range(3)]
    answers = await compose_atomic(far_pool, items, operation_id, window=False)
    assert [answer["status"] for answer in answers] == ["ok"] * 3
    assert {answer["operation_id"] for answer in answers} == {operation_id}
    assert proxy.sent("COMMIT;") == 2
    assert await instances(owner) == 3


@pytest.mark.usefixtures("counting")
async def test_work_that_may_not_be_repeated_is_not_sent_twice(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy
) -> None:
    proxy.lose_answer_to("COMMIT;")
    with pytest.raises(Exception, match="connection") as lost:
        await far_pool.run(count_call)
    assert is_disconnect(lost.value)
    assert proxy.sent("count_call") == 1
    assert await effects(owner) == [1]


@pytest.mark.usefixtures("counting")
async def test_work_that_may_be_repeated_is(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy
) -> None:
    proxy.lose_answer_to("COMMIT;")
    assert await far_pool.run(count_call, repeatable=True) == 2
    assert await effects(owner) == [1, 2]


@pytest.mark.usefixtures("counting")
async def test_what_was_lost_before_the_commit_is_sent_again_even_so(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy
) -> None:
    proxy.lose_answer_to("count_call")
    assert await far_pool.run(count_call) == 2
    assert await effects(owner) == [2]


@pytest.mark.usefixtures("counting")
async def test_an_unknown_outcome_is_not_hidden_by_how_its_retries_failed(
    owner: asyncpg.Connection, far_pool: engine.Database, proxy: Proxy
) -> None:
    """A lock that was not to be had means that nothing was stored; here something was."""
    proxy.lose_answer_to("count_call_and_fail_later")
    with pytest.raises(Exception, match="connection") as failed:
        await far_pool.fetch("SELECT iu_core.count_call_and_fail_later()")
    assert is_disconnect(failed.value)
    assert sqlstate_of(failed.value) != "55P03"
    assert proxy.sent("count_call_and_fail_later") == 3
    assert await effects(owner) == [1]
