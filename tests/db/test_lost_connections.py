"""Connections that are lost, or that answer no more; and what the pool keeps of the others."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from app.db import engine
from app.db.engine import Transaction
from app.db.failures import is_disconnect
from app.db.limits import Limits
from app.refusals.from_database import refusal_from_database_error
from tests.support.databases import Database
from tests.support.interleaving import DEADLINE, wait_until, wait_until_blocked
from tests.support.proxy import Proxy

# The service's connections to this database.
OURS = """
    SELECT pid, state, wait_event FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
"""

WAITING = """
    CREATE FUNCTION iu_core.own_pid() RETURNS integer LANGUAGE sql RETURN pg_backend_pid();
    CREATE FUNCTION iu_core.waits() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(42);
        RETURN pg_backend_pid();
    END $$;
    GRANT EXECUTE ON FUNCTION iu_core.own_pid, iu_core.waits TO iu_app
"""


@pytest.fixture(autouse=True)
async def functions(owner: asyncpg.Connection) -> None:
    """A function that waits for a lock, and one that tells which backend it is."""
    await owner.execute(WAITING)


GIVEN_UP_WITHIN_S = 5.0
"""Half a second of the attempt, two that SQLAlchemy gives a connection to say good-bye, slack."""


async def own_pid(transaction: Transaction) -> int:
    """Which backend serves the transaction."""
    pid: int = await transaction.call("own_pid")
    return pid


async def waits(transaction: Transaction) -> int:
    """The same, after it had the lock."""
    pid: int = await transaction.call("waits")
    return pid


async def backends(observer: asyncpg.Connection) -> set[int]:
    """The service's backends."""
    return {row["pid"] for row in await observer.fetch(OURS)}


async def fill(pool: engine.Database, connections: int) -> set[int]:
    """Open that many connections, and leave them idle in the pool."""
    met = asyncio.Barrier(connections)

    async def meet(transaction: Transaction) -> int:
        pid = await own_pid(transaction)
        await met.wait()
        return pid

    pids = set(await asyncio.gather(*(pool.run(meet) for _ in range(connections))))
    assert len(pids) == connections
    return pids


async def waiting_backends(observer: asyncpg.Connection, number: int = 1) -> set[int]:
    """The backends that wait for an advisory lock, as soon as there are that many."""
    found: set[int] = set()

    async def so_many_wait() -> bool:
        found.clear()
        found.update(
            row["pid"] for row in await observer.fetch(OURS) if row["wait_event"] == "advisory"
        )
        return len(found) == number

    await wait_until(so_many_wait, f"{number} of the service's backends wait for a lock")
    return found


@pytest.mark.parametrize("way", ["transaction", "single statement"])
async def test_idle_connections_that_died_in_the_pool_are_not_noticed_by_a_caller(
    pool: engine.Database, observer: asyncpg.Connection, way: str
) -> None:
    dead = await fill(pool, 3)
    for pid in dead:
        await observer.fetchval("SELECT pg_terminate_backend($1, 10000)", pid)
    if way == "transaction":
        assert await pool.run(own_pid) not in dead
    else:
        (row,) = await pool.fetch("SELECT iu_core.own_pid()")
        assert row[0] not in dead
    assert await fill(pool, 3) & dead == set()


@pytest.mark.parametrize("way", ["transaction", "single statement"])
async def test_nor_are_those_whose_server_has_said_good_bye_and_not_yet_hung_up(
    far_pool: engine.Database, proxy: Proxy, observer: asyncpg.Connection, way: str
) -> None:
    """The driver takes the word for an answer that nobody asked for, and is out of step."""
    dead = await fill(far_pool, 3)
    proxy.hold_ends()
    said = proxy.errors
    for pid in dead:
        await observer.fetchval("SELECT pg_terminate_backend($1, 10000)", pid)

    async def all_said() -> bool:
        return proxy.errors == said + 3

    await wait_until(all_said, "each server process has said good-bye")
    if way == "transaction":
        assert await far_pool.run(own_pid) not in dead
    else:
        (row,) = await far_pool.fetch("SELECT iu_core.own_pid()")
        assert row[0] not in dead
    proxy.ends_pass.set()  # or the pool would wait for them when it is closed


async def test_when_one_connection_is_lost_the_others_stay_counted_and_are_closed(
    pool: engine.Database, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    """A pool that were thrown away with connections still out would never close those."""
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(42)")
        held = asyncio.ensure_future(pool.run(waits))
        waiting = await waiting_backends(observer)
        await fill(pool, 2)

        lost = await pool.run(own_pid)
        await observer.fetchval("SELECT pg_terminate_backend($1, 10000)", lost)
        await pool.fetch("SELECT 1")
        assert pool.pool_status() == {"size": 3, "checked_out": 1, "running": 1}
        await fill(pool, 2)
        assert len(await backends(observer)) <= 3
    assert {await held} == waiting
    assert pool.pool_status() == {"size": 3, "checked_out": 0, "running": 0}

    await pool.close()

    async def none_left() -> bool:
        return await backends(observer) == set()

    await wait_until(none_left, "every connection is closed")


async def test_closing_that_is_cancelled_ends_in_order(
    database: Database, observer: asyncpg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A second Ctrl-C comes at any time, and the library logs a traceback of what is cut short."""
    pool = engine.Database(database.app_url, pool_size=3)
    await fill(pool, 3)
    closing = asyncio.create_task(pool.close())
    for _ in range(3):  # the turns of the loop until it waits for the first connection
        await asyncio.sleep(0)
    assert not closing.done()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []

    async def none_left() -> bool:
        return await backends(observer) == set()

    await wait_until(none_left, "every connection is closed")


@pytest.mark.parametrize("way", ["transaction", "single statement"])
async def test_a_server_that_keeps_silent_is_given_up(proxy: Proxy, way: str) -> None:
    """Nothing tells that the other machine has gone: no answer comes, and no end either."""
    brief = Limits(statement_ms=200, lock_ms=100, slack_ms=300)
    pool = engine.Database(proxy.app_url, pool_size=3, call=brief)
    try:
        await fill(pool, 3)
        proxy.stall()
        began = time.monotonic()
        call: Any = pool.run(own_pid) if way == "transaction" else pool.fetch("SELECT 1")
        with pytest.raises(TimeoutError) as given_up:
            await asyncio.wait_for(call, 60)
        assert time.monotonic() - began < engine.ATTEMPTS * GIVEN_UP_WITHIN_S
        assert is_disconnect(given_up.value)
        refusal = refusal_from_database_error(given_up.value)
        assert refusal is not None
        assert refusal.code == "database_unavailable"
        assert pool.pool_status()["checked_out"] == 0
    finally:
        began = time.monotonic()
        await pool.close()
    assert time.monotonic() - began < engine.CLOSE_TIMEOUT_S + 5.0


async def test_a_commit_that_is_not_answered_is_not_sent_twice_either(
    proxy: Proxy, owner: asyncpg.Connection
) -> None:
    pool = engine.Database(proxy.app_url, call=Limits(statement_ms=200, lock_ms=100, slack_ms=300))

    async def work(transaction: Transaction) -> int:
        pid = await own_pid(transaction)
        proxy.stall()
        return pid

    try:
        with pytest.raises(TimeoutError):
            await pool.run(work)
        assert proxy.sent("own_pid") == 1
    finally:
        await pool.close()


async def test_a_cancelled_caller_does_not_cancel_the_transaction(
    pool: engine.Database, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(42)")
        caller = asyncio.ensure_future(pool.run(waits))
        (waiting,) = await waiting_backends(observer)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert pool.pool_status() == {"size": 3, "checked_out": 1, "running": 1}
        await wait_until_blocked(observer, waiting)

    async def all_back() -> bool:
        return pool.pool_status() == {"size": 3, "checked_out": 0, "running": 0}

    await wait_until(all_back, "the transaction ends by itself")
    assert await pool.run(own_pid) == waiting, "and its connection serves on"


async def test_closing_waits_for_what_runs(
    database: Database, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    pool = engine.Database(database.app_url, pool_size=3)
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(42)")
        running = asyncio.ensure_future(pool.run(waits))
        abandoned = asyncio.ensure_future(pool.run(waits))
        waiting = await waiting_backends(observer, 2)
        abandoned.cancel()
        closing = asyncio.ensure_future(pool.close())
        assert await waiting_backends(observer, 2) == waiting
        assert not closing.done()
    await asyncio.wait_for(closing, DEADLINE)
    assert running.done()
    assert running.result() in waiting

    async def none_left() -> bool:
        return await backends(observer) == set()

    await wait_until(none_left, "every connection is closed")


async def test_an_exhausted_pool_answers_within_its_time(
    database: Database, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    pool = engine.Database(database.app_url, pool_size=2, pool_timeout_s=0.3)
    try:
        async with owner.transaction():
            await owner.execute("SELECT pg_advisory_xact_lock(42)")
            holders = [asyncio.ensure_future(pool.run(waits)) for _ in range(2)]
            await waiting_backends(observer, 2)
            began = time.monotonic()
            turned_away = await asyncio.gather(
                *(pool.run(own_pid) for _ in range(10)),
                *(pool.fetch("SELECT 1") for _ in range(10)),
                return_exceptions=True,
            )
            took = time.monotonic() - began
        codes = set()
        for error in turned_away:
            assert isinstance(error, BaseException)
            refusal = refusal_from_database_error(error)
            assert refusal is not None
            codes.add((refusal.code, refusal.status, refusal.members["retry_after"]))
        assert codes == {("database_unavailable", 503, 1)}
        assert 0.3 <= took < 1.5
        assert len(await asyncio.gather(*holders)) == 2
        assert await pool.run(own_pid)
    finally:
        await pool.close()
