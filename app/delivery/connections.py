"""Connections that are kept for the next attempt: few to each endpoint, few in all, not for long.

httpcore's pool (1.0.9) was tried first. Each request looks at all connections, which cost 3.7 ms of
processor time with 16 of them and 16 ms with 64, where the request itself costs 0.3; a request
that is cancelled while it waits leaves its place taken for ever; and connections that nobody asks
for again stay open.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from weakref import WeakValueDictionary

from app.delivery.endpoint import Origin
from app.delivery.errors import BrokenOffError
from app.delivery.exchange import Connection, Exchange
from app.delivery.network import Network


@dataclass(frozen=True, slots=True)
class Limits:
    """How long an attempt may take, in seconds, and how many connections there may be."""

    total_s: float = 15.0
    """For everything, from the look-up of the name to the end of the answer."""
    connect_s: float = 4.0
    """For the connection to one of several addresses."""
    idle_s: float = 4.0
    """How long a connection waits for the next attempt. Common servers close after five."""
    age_s: float = 60.0
    """How old a connection gets, before its name is resolved, and judged, again."""
    per_origin: int = 16
    """Connections to one origin. Attempts beyond wait, in their own time."""
    idle: int = 128
    """Connections that wait, in all."""


@dataclass(eq=False, slots=True)
class _Kept:
    origin: Origin
    connection: Connection
    made_at: float
    waits_since: float


class Connections:
    """The connections of one Sender."""

    def __init__(self, network: Network, limits: Limits) -> None:
        self._network = network
        self._limits = limits
        self._places: WeakValueDictionary[Origin, asyncio.Semaphore] = WeakValueDictionary()
        self._waiting: OrderedDict[_Kept, None] = OrderedDict()  # the longest waiting first
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def carry(self, origin: Origin, exchange: Exchange) -> None:
        """Carry the exchange over a connection to the origin, a kept one where there is one.

        Where a kept one turns out to be closed, the request is sent again over a new one: servers
        close what waits, at any time, and the receiver knows a message by its id. Raises
        UnansweredError.
        """
        place = self._places.get(origin) or asyncio.Semaphore(self._limits.per_origin)
        self._places[origin] = place
        async with place:
            kept = self._take(origin)
            if kept is not None:
                try:
                    await self._carry(kept, exchange)
                except BrokenOffError:
                    if exchange.read:
                        raise
                else:
                    return
            stream = await self._network.connect(origin)
            now = _now()
            await self._carry(_Kept(origin, Connection(stream), now, now), exchange)

    def close(self) -> None:
        """Close what waits, and keep nothing any more."""
        self._closed = True
        for kept in self._waiting:
            kept.connection.close()
        self._waiting.clear()
        if self._sweep is not None:
            self._sweep.cancel()

    async def _carry(self, kept: _Kept, exchange: Exchange) -> None:
        try:
            await kept.connection.carry(exchange)
        finally:
            self._keep(kept)

    def _take(self, origin: Origin) -> _Kept | None:
        for kept in reversed(self._waiting):
            if kept.origin == origin:
                del self._waiting[kept]
                if kept.connection.is_reusable:
                    return kept
                kept.connection.close()
                return self._take(origin)
        return None

    def _keep(self, kept: _Kept) -> None:
        kept.waits_since = _now()
        old = kept.waits_since - kept.made_at > self._limits.age_s
        if self._closed or old or not kept.connection.is_reusable:
            kept.connection.close()
            return
        self._waiting[kept] = None
        if len(self._waiting) > self._limits.idle:
            self._close_longest_waiting()
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(
                self._limits.idle_s, self._close_idle
            )

    def _close_idle(self) -> None:
        """Close those that have waited long enough, and come again while others wait."""
        self._sweep = None
        due = _now() - self._limits.idle_s
        while self._waiting and (first := next(iter(self._waiting))).waits_since <= due:
            self._close_longest_waiting()
        if self._waiting:
            self._sweep = asyncio.get_running_loop().call_at(
                first.waits_since + self._limits.idle_s, self._close_idle
            )

    def _close_longest_waiting(self) -> None:
        kept, _ = self._waiting.popitem(last=False)
        kept.connection.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
