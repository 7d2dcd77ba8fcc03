"""The helpers that races are written with can fail, and say why."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from tests.support.databases import Connect, Database, open_connection
from tests.support.interleaving import racing


@pytest.fixture
async def connect(empty_database: Database) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def open_as(login):  # type: ignore[no-untyped-def]
            connection = await open_connection(empty_database, login)
            stack.push_async_callback(connection.close)
            return connection

        yield open_as


LOCK = "SELECT pg_advisory_xact_lock(1)"


async def test_a_racer_is_seen_waiting_and_ends_when_the_lock_is_free(connect: Connect) -> None:
    first, second, observer = [await connect("superuser") for _ in range(3)]
    transaction = first.transaction()
    await transaction.start()
    await first.execute(LOCK)
    async with racing(observer, second, second.execute(LOCK)) as late:
        await late.blocked(by=first)
        assert not late.done
        await transaction.commit()
        assert await late.result() == "SELECT 1"


async def test_a_racer_that_does_not_wait_is_a_failure(connect: Connect) -> None:
    second, observer = [await connect("superuser") for _ in range(2)]
    with pytest.raises(AssertionError, match="did not wait for a lock but ended: 'SELECT 1'"):
        async with racing(observer, second, second.execute("SELECT 1")) as late:
            await late.blocked()


async def test_an_error_that_nobody_asked_for_is_raised(connect: Connect) -> None:
    second, observer = [await connect("superuser") for _ in range(2)]
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with racing(observer, second, second.execute("SELECT 1 / 0")):
            pass


async def test_a_racer_is_stopped_when_the_test_fails(connect: Connect) -> None:
    first, second, observer = [await connect("superuser") for _ in range(3)]
    async with first.transaction():
        await first.execute(LOCK)
        late = None
        with contextlib.suppress(ZeroDivisionError):
            async with racing(observer, second, second.execute(LOCK)) as late:
                await late.blocked()
                raise ZeroDivisionError
        assert late is not None
        assert late.done
    assert await second.fetchval("SELECT 1") == 1
