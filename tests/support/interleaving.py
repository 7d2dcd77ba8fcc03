"""Races, step by step: the test decides who goes first, and no test sleeps.

async with racing(observer, second, second.fetchval("SELECT …")) as late:
    await late.blocked()          # it now waits for what `first` holds
    await first_transaction.commit()
    assert await late.result() == …
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

import asyncpg

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds after which a test gives up waiting for what should have happened at once."""

_POLL = 0.005


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Look again and again until `condition` holds; AssertionError, naming `what`, if never."""
    deadline = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < deadline, f"{what}: not within {DEADLINE:.0f} s"
        await asyncio.sleep(_POLL)


async def wait_until_blocked(observer: asyncpg.Connection, pid: int, by: int | None = None) -> None:
    """Wait until the backend `pid` waits for a lock (that the backend `by` holds, if given).

    `observer` is a connection of the superuser that is used for nothing else meanwhile.
    """

    async def blocked() -> bool:
        blockers = await observer.fetchval("SELECT pg_blocking_pids($1)", pid)
        return bool(blockers) if by is None else by in blockers

    await wait_until(blocked, f"backend {pid} waits for a lock")


class Racer(Generic[T]):
    """A statement that runs beside the test on a connection of its own."""

    def __init__(
        self, observer: asyncpg.Connection, connection: asyncpg.Connection, task: asyncio.Task[T]
    ) -> None:
        self.pid: int = connection.get_server_pid()
        self._observer = observer
        self._task = task
        self._asked = False

    @property
    def done(self) -> bool:
        """Whether it has ended, either way."""
        return self._task.done()

    async def blocked(self, by: asyncpg.Connection | None = None) -> None:
        """Wait until it waits for a lock; AssertionError if it ends instead or never does."""
        by_pid = None if by is None else by.get_server_pid()
        waiting = asyncio.create_task(wait_until_blocked(self._observer, self.pid, by_pid))
        try:
            await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                outcome = await asyncio.gather(self.result(), return_exceptions=True)
                raise AssertionError(f"it did not wait for a lock but ended: {outcome[0]!r}")
            await waiting
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})

    async def result(self) -> T:
        """What it answered, or the error that it raised; AssertionError if it never ends."""
        self._asked = True
        ended, _ = await asyncio.wait({self._task}, timeout=DEADLINE)
        assert ended, f"not ended within {DEADLINE:.0f} s"
        return self._task.result()


@contextlib.asynccontextmanager
async def racing(
    observer: asyncpg.Connection,
    connection: asyncpg.Connection,
    statement: Coroutine[Any, Any, T],
) -> AsyncIterator[Racer[T]]:
    """Start `statement`, which runs on `connection`, and see to it that it ends with the block.

    An error that the test did not ask for by `result()` is raised at the end of the block.
    """
    task = asyncio.create_task(statement)
    racer = Racer(observer, connection, task)
    try:
        yield racer
        if not racer._asked:
            await racer.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
