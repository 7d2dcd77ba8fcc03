"""The service's connections and transactions.

One request is one transaction. It runs in a task of its own that a cancelled request can't reach:
the client that went away cancels its answer, not the transaction, which ends by itself within its
timeouts. So a connection never comes back to the pool in the middle of something, and what was
half done for a client is found whole when it asks again.
"""

import asyncio
import json
import random
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeVar, cast

import asyncpg
from sqlalchemy import RowMapping, Select, event
from sqlalchemy.exc import DisconnectionError, EmulatedDBAPIException
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.db.failures import cause_of, is_blocked, is_disconnect, is_turned_away, is_undone
from app.db.limits import CALL, IDLE_IN_TRANSACTION_MS, Limits

Answer = TypeVar("Answer")

ATTEMPTS = 3
RETRY_WITHIN_S = 5.0
"""No further attempt begins later than this after the first one began."""

CONNECT_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0
"""What a connection may take to say good-bye; after that it is cut."""

_GENERATION = "generation"


def jsonb(value: object) -> str:
    """JSON text of a value, as a jsonb parameter wants it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


class Transaction:
    """One open transaction: calls functions and reads views, and nothing else."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def call(self, function: str, *arguments: object) -> Any:
        """The value of `iu_core.<function>(arguments…)`; jsonb comes as Python values.

        Parameters get the function's own types, so a jsonb argument is passed as text (`jsonb`).
        """
        result = await self._connection.exec_driver_sql(
            "SELECT " + _invocation(function, arguments), arguments
        )
        return result.scalar_one()

    async def call_rows(self, function: str, *arguments: object) -> Sequence[RowMapping]:
        """The rows of a set-returning function."""
        result = await self._connection.exec_driver_sql(
            "SELECT * FROM " + _invocation(function, arguments),  # noqa: S608 - names of ours
            arguments,
        )
        rows: Sequence[RowMapping] = result.mappings().all()
        return rows

    async def rows(self, query: Select[Any]) -> Sequence[RowMapping]:
        """The rows of a read over views."""
        result = await self._connection.execute(query)
        rows: Sequence[RowMapping] = result.mappings().all()
        return rows

    async def row(self, query: Select[Any]) -> RowMapping | None:
        """The only row of a read over views, or None."""
        result = await self._connection.execute(query)
        row: RowMapping | None = result.mappings().one_or_none()
        return row


class Database:
    """A pool of connections to one database, opened lazily and closed by `close`.

    `call` are the limits of an ordinary call, which every connection starts with. What ran into
    them is sent again unless `repeats_blocked` is false.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout_s: float = 2.0,
        call: Limits = CALL,
        repeats_blocked: bool = True,
    ) -> None:
        self._url = url
        self._call = call
        self._repeats_blocked = repeats_blocked
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=self._connect,
            isolation_level="READ COMMITTED",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout_s,
        )
        self._running: set[asyncio.Task[Any]] = set()
        self._opened: weakref.WeakSet[asyncpg.Connection] = weakref.WeakSet()
        self._generation = 0
        event.listen(self._engine.sync_engine, "checkout", self._leave_out_lost)

    async def _connect(self) -> asyncpg.Connection:
        connection: asyncpg.Connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={
                "application_name": "product-factory",
                "timezone": "UTC",
                "default_transaction_isolation": "read committed",
                "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
                **self._call.settings(),
            },
        )
        self._opened.add(connection)
        return connection

    async def run(
        self,
        work: Callable[[Transaction], Awaitable[Answer]],
        *,
        limits: Limits | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """What `work` answers, after its transaction was committed. `limits`: an ordinary call's.

        Sent again, a bounded number of times, when the server undid it (serialization, deadlock,
        lock or statement timeout), had no connection to spare, or the connection was lost before
        COMMIT was sent. A COMMIT whose answer was lost may have happened: only work that is
        `repeatable`, because its second run finds the first one's effect, is sent again then.
        Raises what the last attempt raised; or, when the outcome of an earlier one is unknown,
        what that one raised.
        """
        return await self._unreachable_by_cancellation(
            lambda: self._attempts(lambda: self._transact(work, limits or self._call, repeatable))
        )

    async def undone(self, work: Callable[[Transaction], Awaitable[Answer]]) -> Answer:
        """What `work` answers, in a transaction that is rolled back: to see what would come of it.

        Sent again like that of `run`.
        """

        async def undo(transaction: Transaction) -> NoReturn:
            raise _UndoneError(await work(transaction))

        try:
            return await self.run(undo)
        except _UndoneError as undone:
            answer: Answer = undone.answer
            return answer

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """The rows of one statement that is a transaction of its own, straight from asyncpg.

        For the hot calls; the statement must be safe to repeat after an ambiguous COMMIT.
        """
        return await self._unreachable_by_cancellation(
            lambda: self._attempts(lambda: self._fetch(sql, arguments))
        )

    def pool_status(self) -> dict[str, int]:
        """Connections: `size` at most, `checked_out` now, transactions `running`."""
        pool = self._engine.pool
        return {
            "size": pool.size(),  # type: ignore[attr-defined]
            "checked_out": pool.checkedout(),  # type: ignore[attr-defined]
            "running": len(self._running),
        }

    async def close(self) -> None:
        """Waits for the transactions that run, then closes every connection.

        Cancelled while it closes them, which takes CLOSE_TIMEOUT_S at most, it ends that first.
        """
        while self._running:
            await asyncio.wait(self._running)
        closing = asyncio.ensure_future(self._disconnect())
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await closing
            raise

    async def _disconnect(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._engine.dispose()
        except TimeoutError:
            for connection in list(self._opened):
                connection.terminate()

    async def _unreachable_by_cancellation(self, start: Callable[[], Awaitable[Answer]]) -> Answer:
        task: asyncio.Task[Answer] = asyncio.ensure_future(start())
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        # Read, because nobody else may be left to: its client is gone. A failure that a client
        # still waits for is raised there.
        if not task.cancelled():
            task.exception()

    async def _attempts(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        began = time.monotonic()
        unknown: Exception | None = None
        for number in range(1, ATTEMPTS + 1):
            try:
                return await attempt()
            except _SendAgainError as again:
                if again.outcome_unknown:
                    unknown = again.cause
                late = time.monotonic() - began > RETRY_WITHIN_S
                if number == ATTEMPTS or late:
                    cause = unknown or again.cause
                    raise cause from cause.__cause__
                await asyncio.sleep(random.uniform(0.005, 0.02) * number)  # noqa: S311 - jitter
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _transact(
        self,
        work: Callable[[Transaction], Awaitable[Answer]],
        limits: Limits,
        repeatable: bool,
    ) -> Answer:
        committing = False
        try:
            async with (
                asyncio.timeout(limits.attempt_s),
                self._engine.connect() as connection,
                connection.begin() as transaction,
            ):
                if limits != self._call:
                    await _set_locally(connection, limits)
                answer = await work(Transaction(connection))
                committing = True
                await transaction.commit()
                return answer
        except Exception as error:
            self._sort_out(error, sent=committing, repeatable=repeatable)
            raise

    async def _fetch(self, sql: str, arguments: Sequence[object]) -> list[asyncpg.Record]:
        sent = False
        try:
            async with asyncio.timeout(self._call.attempt_s), self._driver() as driver:
                sent = True
                rows: list[asyncpg.Record] = await driver.fetch(sql, *arguments)
                return rows
        except Exception as error:
            self._sort_out(error, sent=sent, repeatable=True)
            raise

    def _sort_out(self, error: Exception, *, sent: bool, repeatable: bool) -> None:
        """Raise _SendAgainError where what failed may be sent again.

        `sent` says that what commits was on its way, so that it may have happened.
        """
        lost = is_disconnect(error)
        if lost:
            # The idle connections are probably as dead: those that are there now are left out.
            self._generation += 1
        unknown = lost and sent
        undone = is_undone(error) and (self._repeats_blocked or not is_blocked(error))
        if undone or is_turned_away(error) or (lost and (repeatable or not unknown)):
            raise _SendAgainError(error, outcome_unknown=unknown) from error

    @asynccontextmanager
    async def _driver(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            pooled = await self._engine.raw_connection()
        except EmulatedDBAPIException as error:
            raise cause_of(error) from None  # bare, as everything else of a hot call
        driver = cast("asyncpg.Connection", pooled.driver_connection)
        try:
            yield driver
        except BaseException as error:
            # The pool did not see this error, so it can't know that the connection is gone, or that
            # it is still busy with what nobody waits for any longer.
            if not isinstance(error, Exception) or is_disconnect(error):
                driver.terminate()
                pooled.invalidate(error)
            raise
        finally:
            # Nothing is awaited here: the pool knows of no transaction that it would have to end.
            pooled.close()

    def _leave_out_lost(self, adapted: Any, record: Any, _proxy: Any) -> None:
        """On checkout: have the pool replace a connection that is closed, or as old as a lost one.

        A new connection has no generation yet. It is taken as it is: were it refused too, the pool
        would give up with an error that says nothing of the database.
        """
        generation = record.info.get(_GENERATION)
        if generation is None:
            record.info[_GENERATION] = self._generation
        elif generation != self._generation or adapted.driver_connection.is_closed():
            adapted.driver_connection.terminate()
            raise DisconnectionError


class _UndoneError(Exception):
    def __init__(self, answer: Any) -> None:
        super().__init__("undone, as it was meant to be")
        self.answer = answer


class _SendAgainError(Exception):
    def __init__(self, cause: Exception, *, outcome_unknown: bool) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.outcome_unknown = outcome_unknown


async def _set_locally(connection: AsyncConnection, limits: Limits) -> None:
    for name, value in limits.settings().items():
        await connection.exec_driver_sql("SELECT set_config($1, $2, true)", (name, value))


def _invocation(function: str, arguments: Sequence[object]) -> str:
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    return f"iu_core.{function}({places})"
