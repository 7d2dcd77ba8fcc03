"""What happens, told as it happens: one reader for a process, however many listen.

The tables are the truth: facts are read in the order of their times, up to the last moment before
which none can be missing any more, because every transaction that had begun by then is over
(fn_iu_fact_horizon). A place in the feed is a time and an id, so it also holds after a dump and a
restore, and for every process of the service.

Who listens for the first time hears what comes; who comes back says after which fact, and is told
first what it missed. What one reads is written for all of them once.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from app.db import facts as db
from app.db.engine import Database
from app.db.facts import Place
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.unavailable import RETRY_AFTER_SECONDS

log = structlog.get_logger(__name__)

POLL_S = 0.05
"""Between two looks, while anybody listens. A fact is told after two of them, or three."""

TROUBLE_S = 1.0
"""Between two looks while the database can't be asked."""

AT_A_TIME = 500
"""Facts that are read at once."""

MOST_BEHIND = 64
"""Portions that wait for a listener who is slow. With one more the stream ends, and goes on where
it ended when the listener comes back."""

MOST_ASKED = 100
"""Answers that are kept of how far facts can be read, while a transaction takes long."""

MOST_CATCHING_UP = 2
"""Listeners who are told what they missed at a time: each asks the database without a pause."""

MOST_LISTENERS = 500

STILL_THERE_S = 15.0
"""Until a comment says that nothing has happened."""

LOOK_AROUND_S = 0.5
"""Between two looks whether the service stops."""

_PLACES = Keyset("facts", (datetime, str))


def place_of(last_event_id: str | None) -> Place | None:
    """The place that `Last-Event-ID` names. Refuses with `invalid_input` what is none."""
    position = _PLACES.position(last_event_id)
    return None if position is None else (position[0], position[1])


class Feed:
    """Reads facts while anybody listens. One for a process, to be closed at its end."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[asyncio.Queue[bytes]] = set()
        self._count = 0
        self._reading: asyncio.Task[None] | None = None
        self._asked: deque[tuple[datetime, frozenset[str]]] = deque()
        """When it was asked how far facts can be read, and what was running then."""
        self._place: Place | None = None
        """Up to here everything was told; None: nothing is known yet."""
        self._known = asyncio.Event()
        self._catching_up = asyncio.Semaphore(MOST_CATCHING_UP)

    async def admit(self) -> None:
        """Refuse with `overloaded` where as many listen as can, or as a database that is away does.

        Asked before the answer begins: a stream that has begun can only wait for the database.
        """
        await db.horizon(self._database)
        if self._count >= MOST_LISTENERS:
            raise Refusal(
                "overloaded",
                "As many as can listen already do.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    async def listen(
        self, after: Place | None, is_over: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """Server-sent events, from a place or from now on, until it is over."""
        queue: asyncio.Queue[bytes] = asyncio.Queue(MOST_BEHIND)
        self._count += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        try:
            await self._known.wait()
            if after is None:
                self._listeners.add(queue)
            yield b": listening\n\n"
            if after is not None:
                async for portion in self._missed(after, queue, is_over):
                    yield portion
            async for portion in self._live(queue, is_over):
                yield portion
        finally:
            self._count -= 1
            self._listeners.discard(queue)

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def _live(
        self, queue: asyncio.Queue[bytes], is_over: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        silent = 0.0
        while not is_over() and queue in self._listeners:
            try:
                async with asyncio.timeout(LOOK_AROUND_S):
                    portion = await queue.get()
            except TimeoutError:
                silent += LOOK_AROUND_S
                if silent < STILL_THERE_S:
                    continue
                portion = b": still here\n\n"
            silent = 0.0
            yield portion

    async def _missed(
        self, after: Place, queue: asyncio.Queue[bytes], is_over: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """What happened behind a place, up to where all others are; then it is one of them."""
        while not is_over():
            told = self._place
            if told is None or told < after:
                # Of another process that is further, or while nothing can be read.
                await asyncio.sleep(POLL_S)
                continue
            try:
                async with self._catching_up:
                    rows = await self._facts(after, told)
            except Exception as error:  # noqa: BLE001 - it goes on when the database does
                log.warning("feed_cannot_read", error=repr(error))
                await asyncio.sleep(TROUBLE_S)
                continue
            if rows:
                after = _place(rows[-1])
                yield _portion(rows)
            elif told == self._place:
                self._listeners.add(queue)
                return

    async def _read(self) -> None:
        try:
            while self._count:
                try:
                    await self._look()
                except Exception as error:  # noqa: BLE001 - it goes on when the database does
                    log.warning("feed_cannot_read", error=repr(error))
                    await asyncio.sleep(TROUBLE_S)
                await asyncio.sleep(POLL_S)
        finally:
            self._reading = self._place = None
            self._asked.clear()
            self._known.clear()

    async def _look(self) -> None:
        begun_at, running = await db.horizon(self._database)
        if len(self._asked) == MOST_ASKED:
            self._asked.pop()  # what runs since the first keeps all of them
        self._asked.append((begun_at, running))
        until = None
        while self._asked and self._asked[0][1].isdisjoint(running):
            until = self._asked.popleft()[0]
        if until is None:
            return
        if self._place is None:
            self._place = (until, "")
            self._known.set()
        while rows := await self._facts(self._place, (until, "")):
            # At once, without a turn of anybody's: who has caught up to the place joins here.
            self._place = _place(rows[-1])
            self._tell(_portion(rows))
        self._place = (until, "")

    async def _facts(self, after: Place, until: Place) -> list[Row]:
        return await self._database.run(lambda tx: db.facts(tx, after, until, AT_A_TIME))

    def _tell(self, portion: bytes) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(portion)
            except asyncio.QueueFull:
                self._listeners.discard(queue)  # its stream ends


def _place(row: Row) -> Place:
    return row["fact_at"], row["fact_id"]


def _portion(rows: Sequence[Row]) -> bytes:
    return "".join(map(_event, rows)).encode()


def _event(row: Row) -> str:
    document = {
        "kind": row["kind"],
        "at": row["fact_at"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "subject_id": None if row["subject_id"] is None else str(row["subject_id"]),
        **row["data"],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"id: {_PLACES.token(_place(row))}\nevent: {row['kind']}\ndata: {text}\n\n"
