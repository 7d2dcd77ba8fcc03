"""What is sent again, how often, and what is not.

Calls are counted by a sequence, which keeps its value whatever is undone.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
import sqlalchemy.exc

from app.db import engine
from app.db.engine import ATTEMPTS, Transaction
from app.db.failures import cause_of, is_disconnect, sqlstate_of
from app.db.limits import Limits
from app.refusals.from_database import refusal_from_database_error
from tests.support.databases import Connect, Database
from tests.support.interleaving import racing, wait_until
from tests.support.proxy import Proxy

# Fails the first p_times calls with a SQLSTATE; the one after them answers its number.
FAILING = """
    CREATE SEQUENCE iu_core.calls;
    CREATE FUNCTION iu_core.fails(p_state text, p_times bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        v_call bigint := nextval('iu_core.calls');
    BEGIN
        IF v_call <= p_times THEN
            RAISE EXCEPTION USING ERRCODE = p_state, MESSAGE = 'as the test wants it';
        END IF;
        RETURN v_call;
    END $$;
    GRANT EXECUTE ON FUNCTION iu_core.fails TO iu_app
"""

Lane = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["transaction", "single statement"])
async def lane(
    request: pytest.FixtureRequest, owner: asyncpg.Connection, pool: engine.Database
) -> Lane:
    """Calls a function by either of the two ways to the database."""
    await owner.execute(FAILING)

    async def by_transaction(function: str, *arguments: object) -> Any:
        return await pool.run(lambda transaction: transaction.call(function, *arguments))

    async def by_statement(function: str, *arguments: object) -> Any:
        places = ", ".join(f"${place}" for place in range(1, len(arguments) + 1))
        (row,) = await pool.fetch(f"SELECT iu_core.{function}({places})", *arguments)
        return row[0]

    return by_transaction if request.param == "transaction" else by_statement


async def calls(owner: asyncpg.Connection) -> int:
    """How often a counting function was called."""
    last: int = await owner.fetchval(
        "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM iu_core.calls"
    )
    return last


def answered(error: BaseException) -> tuple[str, int, dict[str, Any]] | None:
    """The refusal that the error becomes."""
    refusal = refusal_from_database_error(error)
    return None if refusal is None else (refusal.code, refusal.status, refusal.members)


OVERLOADED = ("overloaded", 503, {"retry_after": 1})
UNAVAILABLE = ("database_unavailable", 503, {"retry_after": 1})


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
async def test_what_the_server_undid_is_sent_again(
    owner: asyncpg.Connection, lane: Lane, state: str
) -> None:
    assert await lane("fails", state, ATTEMPTS - 1) == ATTEMPTS
    assert await calls(owner) == ATTEMPTS


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014"])
async def test_a_bounded_number_of_times(owner: asyncpg.Connection, lane: Lane, state: str) -> None:
    with pytest.raises(Exception, match="as the test wants it") as failed:
        await lane("fails", state, 1000)
    assert sqlstate_of(failed.value) == state
    assert answered(failed.value) == OVERLOADED
    assert await calls(owner) == ATTEMPTS


@pytest.mark.parametrize(
    "state",
    [
        "42501",  # no right
        "23505",  # a duplicate
        "23514",  # a check
        "PF409",  # a refusal of ours
        "P0001",  # raised by a function
        "XX000",  # a defect of the server
        "53100",  # disk full
        "53200",  # out of memory
    ],
)
async def test_what_would_only_fail_again_is_not_sent_again(
    owner: asyncpg.Connection, lane: Lane, state: str
) -> None:
    with pytest.raises(Exception, match="as the test wants it") as failed:
        await lane("fails", state, 1)
    assert sqlstate_of(failed.value) == state
    assert await calls(owner) == 1
    assert await lane("fails", state, 1) == 2, "the connection serves on"


async def test_a_mistake_of_the_program_is_not_sent_again(
    owner: asyncpg.Connection, pool: engine.Database
) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        await pool.run(work)
    assert attempts == 1
    assert pool.pool_status() == {"size": 3, "checked_out": 0, "running": 0}


async def test_a_failed_attempt_leaves_nothing_of_itself(
    owner: asyncpg.Connection, pool: engine.Database
) -> None:
    await owner.execute(FAILING)
    await owner.execute(
        """CREATE TABLE iu_core.effects (call bigint);
           CREATE FUNCTION iu_core.leave() RETURNS void LANGUAGE sql SECURITY DEFINER AS
               'INSERT INTO iu_core.effects SELECT last_value FROM iu_core.calls';
           GRANT EXECUTE ON FUNCTION iu_core.leave TO iu_app"""
    )

    async def work(transaction: Transaction) -> Any:
        await transaction.call("leave")
        return await transaction.call("fails", "40001", 2)

    assert await pool.run(work) == 3
    assert [row["call"] for row in await owner.fetch("SELECT * FROM iu_core.effects")] == [2]


# The same by real causes.


async def test_a_lock_that_is_not_to_be_had_in_time(
    owner: asyncpg.Connection, pool: engine.Database, observer: asyncpg.Connection
) -> None:
    await owner.execute(FAILING)
    await owner.execute(
        """CREATE FUNCTION iu_core.locks() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
           DECLARE
               v_call bigint := nextval('iu_core.calls');
           BEGIN
               PERFORM pg_advisory_xact_lock(42);
               RETURN v_call;
           END $$;
           GRANT EXECUTE ON FUNCTION iu_core.locks TO iu_app"""
    )
    brief = Limits(statement_ms=5000, lock_ms=50)
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(42)")
        with pytest.raises(sqlalchemy.exc.DBAPIError) as failed:
            await pool.run(lambda transaction: transaction.call("locks"), limits=brief)
        assert sqlstate_of(failed.value) == "55P03"
        assert answered(failed.value) == OVERLOADED
        assert await calls(observer) == ATTEMPTS
        # Freed between two attempts, it is had.
        waiting = asyncio.ensure_future(
            pool.run(lambda transaction: transaction.call("locks"), limits=brief)
        )

        async def second_attempt() -> bool:
            return await calls(observer) > ATTEMPTS + 1

        await wait_until(second_attempt, "a second attempt")
    assert await waiting > ATTEMPTS + 1


async def test_a_statement_that_takes_too_long(
    owner: asyncpg.Connection, pool: engine.Database
) -> None:
    await owner.execute(FAILING)
    await owner.execute(
        """CREATE FUNCTION iu_core.dawdles(p_times bigint) RETURNS bigint
           LANGUAGE plpgsql SECURITY DEFINER AS $$
           DECLARE
               v_call bigint := nextval('iu_core.calls');
           BEGIN
               WHILE v_call <= p_times LOOP
                   PERFORM pg_sleep(0.01);
               END LOOP;
               RETURN v_call;
           END $$;
           GRANT EXECUTE ON FUNCTION iu_core.dawdles TO iu_app"""
    )
    brief = Limits(statement_ms=100, lock_ms=0)
    assert await pool.run(lambda tx: tx.call("dawdles", 2), limits=brief) == 3
    with pytest.raises(sqlalchemy.exc.DBAPIError) as failed:
        await pool.run(lambda tx: tx.call("dawdles", 1000), limits=brief)
    assert sqlstate_of(failed.value) == "57014"
    assert await calls(owner) == 3 + ATTEMPTS


async def test_after_a_long_attempt_there_is_no_further_one(
    owner: asyncpg.Connection, pool: engine.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bulk that took its minute in vain is not started again: who asked has long gone."""
    monkeypatch.setattr(engine, "RETRY_WITHIN_S", 0.0)
    await owner.execute(FAILING)
    with pytest.raises(sqlalchemy.exc.DBAPIError) as failed:
        await pool.run(lambda transaction: transaction.call("fails", "40001", 1))
    assert sqlstate_of(failed.value) == "40001"
    assert await calls(owner) == 1


async def test_a_deadlock(
    owner: asyncpg.Connection,
    pool: engine.Database,
    observer: asyncpg.Connection,
    connect: Connect,
) -> None:
    """One of two that wait for each other is undone by the server, and sent again."""
    await owner.execute(FAILING)
    # As the superuser, who alone may set when deadlocks are looked for.
    await observer.execute(
        """CREATE FUNCTION iu_core.locks_both() RETURNS bigint
           LANGUAGE plpgsql SECURITY DEFINER SET deadlock_timeout = '10ms' AS $$
           DECLARE
               v_call bigint := nextval('iu_core.calls');
           BEGIN
               PERFORM pg_advisory_xact_lock(1);
               PERFORM pg_advisory_xact_lock(2);
               RETURN v_call;
           END $$;
           GRANT EXECUTE ON FUNCTION iu_core.locks_both TO iu_app"""
    )
    other = await connect("superuser")
    await other.execute("SET deadlock_timeout = '1min'")
    async with other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock(2)")
        first = asyncio.ensure_future(pool.run(lambda transaction: transaction.call("locks_both")))

        async def waits_for_other() -> bool:
            waiting: bool = await observer.fetchval(
                """SELECT EXISTS (SELECT FROM pg_locks
                                   WHERE locktype = 'advisory' AND objid = 2 AND NOT granted
                                     AND database = (SELECT oid FROM pg_database
                                                      WHERE datname = current_database()))"""
            )
            return waiting

        await wait_until(waits_for_other, "the first waits for the other")
        # The victim is the one that looks: the service's. The other gets its lock thereby.
        async with racing(
            observer, other, other.execute("SELECT pg_advisory_xact_lock(1)")
        ) as late:
            await late.result()
    assert await first == 2


async def test_a_terminated_backend(
    observer: asyncpg.Connection, owner: asyncpg.Connection, lane: Lane
) -> None:
    await observer.execute(TERMINATING)
    assert await lane("ends_itself", 2) == 3
    with pytest.raises(Exception, match="terminating connection") as failed:
        await lane("ends_itself", 1000)
    assert is_disconnect(failed.value)
    assert answered(failed.value) == UNAVAILABLE
    assert await calls(owner) == 3 + ATTEMPTS


TERMINATING = """
    CREATE FUNCTION iu_core.ends_itself(p_times bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER AS $$
    DECLARE
        v_call bigint := nextval('iu_core.calls');
    BEGIN
        IF v_call <= p_times THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        END IF;
        RETURN v_call;
    END $$;
    GRANT EXECUTE ON FUNCTION iu_core.ends_itself TO iu_app
"""


async def test_no_connection_to_spare(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    proxy: Proxy,
    far_pool: engine.Database,
) -> None:
    await owner.execute(FAILING)

    async def limit(connections: int) -> None:
        await observer.execute(f"ALTER DATABASE {database.name} CONNECTION LIMIT {connections}")

    await limit(0)
    for call in (
        far_pool.run(lambda transaction: transaction.call("fails", "", 0)),
        far_pool.fetch("SELECT iu_core.fails('', 0)"),
    ):
        before = proxy.connections
        with pytest.raises(Exception, match="too many connections") as failed:
            await call
        assert isinstance(cause_of(failed.value), asyncpg.TooManyConnectionsError)
        assert answered(failed.value) == UNAVAILABLE
        assert proxy.connections - before == ATTEMPTS

    # One is free again before the last attempt.
    before = proxy.connections

    async def free(number: int) -> None:
        if number == before + ATTEMPTS:
            await limit(-1)

    proxy.before_connecting = free
    assert await far_pool.run(lambda transaction: transaction.call("fails", "", 0)) == 1
    assert proxy.connections - before == ATTEMPTS


async def test_a_statement_whose_result_has_changed_since_it_was_prepared(
    owner: asyncpg.Connection, database: Database
) -> None:
    """As after a migration: the connection has it prepared with the columns of before."""

    async def create(columns: str, values: str) -> None:
        await owner.execute(
            f"""DROP FUNCTION IF EXISTS iu_core.changes();
                CREATE FUNCTION iu_core.changes() RETURNS TABLE ({columns})
                LANGUAGE sql AS 'SELECT {values}';
                GRANT EXECUTE ON FUNCTION iu_core.changes TO iu_app"""
        )

    async def work(transaction: Transaction) -> list[dict[str, Any]]:
        return [dict(row) for row in await transaction.call_rows("changes")]

    # One connection, so that it is the same one.
    pool = engine.Database(database.app_url, pool_size=1)
    try:
        for fetch in (
            lambda: pool.run(work),
            lambda: pool.fetch("SELECT * FROM iu_core.changes()"),
        ):
            await create("one integer", "1")
            assert [dict(row) for row in await fetch()] == [{"one": 1}]
            await create("one integer, two text", "1, ''2''")
            assert [dict(row) for row in await fetch()] == [{"one": 1, "two": "2"}]
    finally:
        await pool.close()
