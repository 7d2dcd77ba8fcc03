"""What happens, told as it happens: one reader for a process, however many listen.

The tables are the truth: facts are read in the order of their times, up to the last moment before
which none can be missing any more, because every transaction that had begun by then is over
(fn_iu_fact_horizon). A place in the feed is a time and an id, so it also holds after a dump and a
restore, and for every process of the service.

Who listens for the first time hears what comes; who comes back says after which fact, and is told
first what it missed. What one reads is written for all of them once.
"""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from app.db import facts as db
from app.db.engine import Database
from app.db.facts import Facts, Place
from app.errors import Refusal
from app.portions import Portion
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.refusals.unavailable import RETRY_AFTER_SECONDS

log = structlog.get_logger(__name__)

POLL_S = 0.075
"""Between two portions, while anybody listens."""

SETTLE_S = 0.025
"""Between two looks at which transactions are running: until those are over that were, mostly."""

MOST_SETTLING = 2
"""Looks, until a transaction that lasts is waited for between portions."""

TROUBLE_S = 1.0
"""Between two looks while the database can't be asked."""

AT_A_TIME = 2000
"""Facts that are read at once."""

MOST_BEHIND = 64
"""Portions that wait for a listener who is slow. With one more the stream ends, and goes on where
it ended when the listener comes back."""

MOST_ASKED = 100
"""Answers that are kept of how far facts can be read, while a transaction takes long."""

MOST_CATCHING_UP = 2
"""Listeners who are told what they missed at a time: each asks the database without a pause."""

MOST_LISTENERS = 500

PACE_S = 0.001
"""For each listener between two portions: what many listen to is told less often, in larger ones,
so that telling takes a twentieth of a core however many listen."""

BUSY_POLL_S = 0.5
"""Between two portions while many facts come: telling them shall leave the time to those who make
them, and each portion costs what it does, be it of a hundred facts or of five hundred."""

BUSY_PACE_S = 0.005
"""For each listener between two portions while many facts come."""

MANY_PER_S = 250
"""Facts."""

FUTURE = timedelta(minutes=1)
"""That a place may be ahead of the database's clock, as after a restore on another machine."""

STILL_THERE_S = 15.0
"""Until a comment says that nothing has happened."""

_PLACE = re.compile(r"\d{4}(-\d\d){2}T(\d\d:){2}\d\d(\.\d+)?Z/[a-z_]+-[0-9a-f-]+")
_LISTENING = Portion(b": listening\n\n")
_STILL_THERE = Portion(b": still here\n\n")

Listener = asyncio.Queue[Portion | None]
"""What somebody is told; None: that was all."""


def place_of(last_event_id: str | None) -> Place | None:
    """The place that `Last-Event-ID` names. Refuses with `invalid_input` what is none."""
    if last_event_id is None:
        return None
    if not _PLACE.fullmatch(last_event_id):
        raise _no_place("is no id of this stream")
    at, _, fact_id = last_event_id.partition("/")
    try:
        return datetime.fromisoformat(at), fact_id
    except ValueError as error:
        raise _no_place("is no id of this stream") from error


def _no_place(detail: str) -> Refusal:
    return invalid_input(
        [InvalidField(location="header", pointer="/last-event-id", rule="place", detail=detail)]
    )


def pause_s(listeners: int, per_s: float) -> float:
    """Seconds between two portions, for so many who listen to so many facts a second."""
    if per_s < MANY_PER_S:
        return max(POLL_S, PACE_S * listeners)
    return max(BUSY_POLL_S, BUSY_PACE_S * listeners)


class Feed:
    """Reads facts while anybody listens. One for a process, to be closed at its end.

    It ends what it tells when `is_stopping` says so.
    """

    def __init__(self, database: Database, is_stopping: Callable[[], bool]) -> None:
        self._database = database
        self._is_stopping = is_stopping
        self._listeners: set[Listener] = set()
        self._count = 0
        self._reading: asyncio.Task[None] | None = None
        self._asked: deque[tuple[datetime, frozenset[str]]] = deque()
        """When it was asked how far facts can be read, and what was running then."""
        self._until: datetime | None = None
        """Up to here none can be missing any more."""
        self._place: Place | None = None
        """The last fact that was told, or where it began; None: nothing is known yet."""
        self._known = asyncio.Event()
        self._catching_up = asyncio.Semaphore(MOST_CATCHING_UP)

    async def admit(self, after: Place | None) -> None:
        """Refuse with `overloaded` where as many listen as can, or as a database that is away does.

        And with `invalid_input` a place that is not there yet. Asked before the answer begins: a
        stream that has begun can only wait.
        """
        now, _ = await db.horizon(self._database)
        if after is not None and after[0] > now + FUTURE:
            raise _no_place("is of the future")
        if self._count >= MOST_LISTENERS:
            raise Refusal(
                "overloaded",
                "As many as can listen already do.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    async def listen(self, after: Place | None) -> AsyncIterator[Portion]:
        """Server-sent events, from a place or from now on, until the service stops."""
        queue: Listener = asyncio.Queue(MOST_BEHIND)
        self._count += 1
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        try:
            await self._known.wait()
            if self._is_stopping():
                return
            if after is None:
                self._listeners.add(queue)
            yield _LISTENING
            if after is not None:
                async for missed in self._missed(after, queue):
                    yield missed
            # Whoever was too slow is none any more, and neither is anybody when the service stops.
            while queue in self._listeners and (portion := await queue.get()) is not None:
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

    async def _missed(self, after: Place, queue: Listener) -> AsyncIterator[Portion]:
        """What happened behind a place, up to where all others are; then it is one of them."""
        while not self._is_stopping():
            if self._place is None or self._place < after:
                # Of another process that is further, or while nothing can be read.
                await asyncio.sleep(POLL_S)
                continue
            try:
                async with self._catching_up:
                    told = self._place
                    facts = await self._facts(after, told)
            except Exception as error:  # noqa: BLE001 - it goes on when the database does
                log.warning("feed_cannot_read", error=repr(error))
                await asyncio.sleep(TROUBLE_S)
                continue
            if facts is not None:
                after = facts.last
                yield Portion(facts.events.encode())
            elif told == self._place:
                self._listeners.add(queue)
                return

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        told_at = looked_at = clock()
        per_s = 0.0
        try:
            while self._count and not self._is_stopping():
                try:
                    await self._settle()
                    told = await self._tell_facts()
                    before, looked_at = looked_at, clock()
                    per_s = told / (looked_at - before)
                    if told:
                        told_at = looked_at
                except Exception as error:  # noqa: BLE001 - it goes on when the database does
                    log.warning("feed_cannot_read", error=repr(error))
                    await asyncio.sleep(TROUBLE_S)
                if clock() - told_at >= STILL_THERE_S:
                    self._tell(_STILL_THERE)
                    told_at = clock()
                await asyncio.sleep(pause_s(len(self._listeners), per_s))
        finally:
            self._tell(None)
            self._listeners.clear()
            self._reading = self._until = self._place = None
            self._asked.clear()
            known, self._known = self._known, asyncio.Event()
            known.set()

    async def _settle(self) -> None:
        """See how far facts can be read: up to now, unless a transaction lasts."""
        now = await self._look()
        for _ in range(MOST_SETTLING):
            if self._until is not None and self._until >= now:
                return
            await asyncio.sleep(SETTLE_S)
            await self._look()

    async def _look(self) -> datetime:
        """Look which transactions are running, and see which times are settled by now."""
        begun_at, running = await db.horizon(self._database)
        if len(self._asked) == MOST_ASKED:
            self._asked.pop()  # what runs since the first keeps all of them
        self._asked.append((begun_at, running))
        while self._asked and self._asked[0][1].isdisjoint(running):
            self._until = self._asked.popleft()[0]
        if self._until is not None and self._place is None:
            self._place = (self._until, "")
            self._known.set()
        return begun_at

    async def _tell_facts(self) -> int:
        """Tell as far as facts can be read; how many there were."""
        told = 0
        if self._until is None or self._place is None:
            return told
        while facts := await self._facts(self._place, (self._until, "")):
            # At once, without a turn of anybody's: who has caught up to the place joins here.
            self._place = facts.last
            self._tell(Portion(facts.events.encode()))
            told += facts.count
        return told

    async def _facts(self, after: Place, until: Place) -> Facts | None:
        return await db.facts(self._database, after, until, AT_A_TIME)

    def _tell(self, portion: Portion | None) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait(portion)
            except asyncio.QueueFull:
                self._listeners.discard(queue)  # its stream ends
