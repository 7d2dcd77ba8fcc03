"""Requests that arrive while a call is in flight go together in the next one (2-design §7, §8).

Under load the round trip and the commit cost more than the rows. So one call carries what has
gathered meanwhile, and each request keeps its own outcome:

    idle          a request goes at once, alone: there is no delay to gather others
    busy          it waits for the next call, with whoever comes until then, in order of arrival
    lanes         dry runs take fewer locks than what writes, so neither waits in the other's call
    a failed call is halved, and each half is sent again, down to the request that it fails for
    a held lock   stalls a call 200 ms at most; the request that it is held for goes on by itself,
                  with the patience of an ordinary call
    a full house  is said at once, and who has waited too long is told: `overloaded`

A client that goes away harms nobody: what still waits for it is left out, and what is under way is
carried out, and found when it is sent again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from app.db.engine import Database
from app.db.failures import is_blocked, is_unreachable
from app.errors import Refusal
from app.metrics import Metrics
from app.refusals.unavailable import RETRY_AFTER_SECONDS

FLIGHTS = 2
"""Calls of one lane at a time: one commits while the other computes."""

REPAIRS = 2
"""Parts of failed calls that are sent again at a time."""

LONERS = 4
"""Requests that wait for a held lock by themselves, at a time."""

MOST_TOGETHER = 256
"""What the items of one call may weigh."""

MOST_ACTORS = 64
"""An actor is an entry of the server's lock table; the orchestrator refuses more in one call."""

MOST_BYTES = 4 * 1024 * 1024
"""Of the items' texts."""

MOST_UNANSWERED = 2048
"""Requests that a process takes on before it says that it is overloaded."""

LONGEST_WAIT_S = 2.0
"""Until a request that no call had room for, and that nobody waited for a lock with, is told so."""

CONNECTIONS = 2 * FLIGHTS + REPAIRS
"""What the calls of both lanes, and the repairs, use at most."""

Answer = dict[str, Any]


class Load(Protocol):
    """What a request asks of a call."""

    @property
    def writes(self) -> bool:
        """Whether it takes the locks of what writes; dry runs take fewer."""

    @property
    def weight(self) -> int:
        """How many instances it may compose; at least 1."""

    @property
    def actors(self) -> Collection[str]:
        """As whom."""

    @property
    def size(self) -> int:
        """About how many bytes it takes along."""


Item = TypeVar("Item", bound=Load)
Call = Callable[[Database, Sequence[Item]], Awaitable[list[Answer]]]


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item]):
    item: Item
    answer: "asyncio.Future[Answer]"
    until: float

    def tell(self, answer: Answer | Exception) -> None:
        """Give the request its answer, unless it has one, or nobody waits for it any more."""
        if self.answer.done():
            return
        if isinstance(answer, Exception):
            self.answer.set_exception(answer)
        else:
            self.answer.set_result(answer)


Carry = Callable[[Sequence[_Waiting[Item]]], Coroutine[Any, Any, None]]


class Coalescer(Generic[Item]):
    """Sends one item for each request, many of them in one call. One for a process and a `call`.

    `call` answers one answer for each item, in their order, committed; safe to send again after an
    ambiguous COMMIT. `together` is a pool of CONNECTIONS connections with the limits of COALESCED;
    `alone` is that of ordinary calls. `metrics` counts the calls, and what came of each request.
    """

    def __init__(
        self, call: Call[Item], together: Database, alone: Database, metrics: Metrics
    ) -> None:
        self._call = call
        self._together = together
        self._alone = alone
        self.metrics = metrics
        self._repairs = asyncio.Semaphore(REPAIRS)
        self._loners = asyncio.Semaphore(LONERS)
        self._writing = _Lane[Item](self._carry, self._start)
        self._trying = _Lane[Item](self._carry, self._start)
        self._unanswered: set[asyncio.Future[Answer]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, item: Item) -> Answer:
        """The call's answer for one item, committed.

        Refuses with `overloaded` where too many wait already, or where it waited too long. Raises
        what the database's failure is for this item.
        """
        if len(self._unanswered) >= MOST_UNANSWERED:
            raise _overloaded("More requests wait already than the service can answer in time.")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._unanswered.add(answer)
        answer.add_done_callback(self._unanswered.discard)
        lane = self._writing if item.writes else self._trying
        lane.join(_Waiting(item, answer, loop.time() + LONGEST_WAIT_S))
        return await answer

    def status(self) -> dict[str, int]:
        """Requests: `unanswered` in all, and of these `waiting` for a call."""
        waiting = len(self._writing) + len(self._trying)
        return {"unanswered": len(self._unanswered), "waiting": waiting}

    async def close(self) -> None:
        """Waits until every request that was taken on has its answer, and every call has ended."""
        while pending := self._unanswered | self._tasks:
            await asyncio.wait(pending)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, passengers: Sequence[_Waiting[Item]]) -> None:
        """Send the items in one call, and give each request its answer."""
        self.metrics.composing_call(len(passengers))
        try:
            answers = await self._call(self._together, [one.item for one in passengers])
        except Exception as error:  # noqa: BLE001 - raised for those it concerns
            self._sort_out(passengers, error)
        except asyncio.CancelledError:
            for one in passengers:
                one.answer.cancel()
            raise
        else:
            for one, answer in zip(passengers, answers, strict=True):
                one.tell(answer)

    def _sort_out(self, passengers: Sequence[_Waiting[Item]], error: Exception) -> None:
        """Tell everybody, or find out whom the call failed for."""
        if len(passengers) > 1 and not is_unreachable(error):
            middle = len(passengers) // 2
            for half in (passengers[:middle], passengers[middle:]):
                self._start(self._repair(half))
        elif is_blocked(error):
            self._start(self._go_alone(passengers[0]))
        else:
            for one in passengers:
                one.tell(error)

    async def _repair(self, passengers: Sequence[_Waiting[Item]]) -> None:
        async with self._repairs:
            if present := [one for one in passengers if not one.answer.done()]:
                await self._carry(present)

    async def _go_alone(self, one: _Waiting[Item]) -> None:
        try:
            async with asyncio.timeout_at(one.until):
                await self._loners.acquire()
        except TimeoutError:
            one.tell(_waited_too_long())
            return
        try:
            (answer,) = await self._call(self._alone, [one.item])
        except Exception as error:  # noqa: BLE001 - raised in `send`
            one.tell(error)
        else:
            one.tell(answer)
        finally:
            self._loners.release()


class _Lane(Generic[Item]):
    """Requests that may share a call, in order of arrival."""

    def __init__(
        self, carry: Carry[Item], start: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._carry = carry
        self._start = start
        self._queue: deque[_Waiting[Item]] = deque()
        self._flights = 0
        self._departure: asyncio.Handle | None = None
        self._patience: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def join(self, waiting: _Waiting[Item]) -> None:
        """Wait for the next call."""
        self._queue.append(waiting)
        loop = asyncio.get_running_loop()
        if self._patience is None:
            self._patience = loop.call_at(waiting.until, self._dismiss)
        if self._departure is None and self._flights < FLIGHTS:
            # What the loop has read already goes along.
            self._departure = loop.call_soon(self._depart)

    def _depart(self) -> None:
        self._departure = None
        while self._flights < FLIGHTS and (passengers := list(self._board())):
            self._flights += 1
            self._start(self._fly(passengers))

    async def _fly(self, passengers: Sequence[_Waiting[Item]]) -> None:
        try:
            await self._carry(passengers)
        finally:
            self._flights -= 1
            if self._departure is None:
                self._depart()

    def _board(self) -> Iterator[_Waiting[Item]]:
        """Those who go with the next call: from the head of the queue, as many as it may carry."""
        actors: set[str] = set()
        size = weight = 0
        while self._queue:
            one = self._queue[0]
            if not one.answer.done():
                first = weight == 0
                actors.update(one.item.actors)
                size += one.item.size
                weight += one.item.weight
                full = weight > MOST_TOGETHER or len(actors) > MOST_ACTORS or size > MOST_BYTES
                if full and not first:
                    return
                yield one
            self._queue.popleft()

    def _dismiss(self) -> None:
        """Tell those that no call had room for in time, and come back for the next of them."""
        loop = asyncio.get_running_loop()
        self._patience = None
        while self._queue and (self._queue[0].until <= loop.time() or self._queue[0].answer.done()):
            self._queue.popleft().tell(_waited_too_long())
        if self._queue:
            self._patience = loop.call_at(self._queue[0].until, self._dismiss)


def _waited_too_long() -> Refusal:
    return _overloaded("The request waited too long for its turn; it was not carried out.")


def _overloaded(detail: str) -> Refusal:
    return Refusal("overloaded", detail, retry_after=RETRY_AFTER_SECONDS)
