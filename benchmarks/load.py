"""A light generator of HTTP load, in a process of its own that works through plans one by one.

The API and PostgreSQL share few cores with it, so it does next to nothing for a request: it writes
bytes that were built before (with a new event id in their gap) and of the answer looks only at the
status and Content-Length. Its own share of a core is part of what it answers.

    async with load_generator() as load:
        measured = await load(Plan(ports=[8000], requests=[post(…)], clients=32, seconds=1.0))
"""

import asyncio
import math
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any, cast

from benchmarks.helper import help_with, helper

EVENT = "{event}"
"""The gap in a request that gets a new random UUID each time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `requests` by turns, over `clients` connections that are spread over `ports`.

    Either `total` requests, and none that would begin after `seconds` where both are given; or for
    `seconds` that count: they begin after `warm_up_s`, and in a closed loop when each connection
    was answered once. Closed loop: each connection sends as soon
    as it was answered. With a `rate`: requests are due at random moments, that many a second,
    whoever is still waiting (an open loop; needs `seconds`).
    """

    ports: Sequence[int]
    requests: Sequence[str]
    clients: int
    seconds: float = 0.0
    total: int = 0
    rate: float = 0.0
    warm_up_s: float = 0.3


@dataclass(frozen=True, slots=True)
class Measured:
    """What came back within the time that counts. Latencies are milliseconds.

    In an open loop they count from the moment at which a request was due. `statuses` are those of
    all answers, early and late ones too. `cpu_share` is the generator's own share of one core.
    """

    answered: int
    seconds: float
    statuses: dict[str, int]
    p50_ms: float
    p99_ms: float
    cpu_share: float

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def all(self, status: int) -> "Measured":
        """Itself; raises where anything was answered with another status."""
        if set(self.statuses) != {str(status)}:
            raise RuntimeError(f"expected {status} only, and got {self.statuses}")
        return self


Load = Callable[[Plan], Awaitable[Measured]]


def get(path: str, key: str, accept_encoding: str = "identity") -> str:
    """The bytes of a GET, as text."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Accept-Encoding: {accept_encoding}\r\n\r\n"
    )


def post(path: str, key: str, body: str, content_type: str = "application/json") -> str:
    """The bytes of a POST of JSON, as text. The gap for an event's id counts as 36 bytes."""
    length = len(body.encode()) + body.count(EVENT) * (36 - len(EVENT))
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    )


@asynccontextmanager
async def load_generator() -> AsyncIterator[Load]:
    """The generator's process, until the block ends."""
    async with helper("benchmarks.load") as ask:

        async def load(plan: Plan) -> Measured:
            return Measured(**await ask(asdict(plan)))

        yield load


@dataclass(slots=True)
class _Run:
    """One plan at work."""

    plan: Plan
    done: asyncio.Event = field(default_factory=asyncio.Event)
    idle: deque["_Connection"] = field(default_factory=deque)
    due: deque[float] = field(default_factory=deque)
    unanswered: set["_Connection"] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    open: int = 0
    began: float = 0.0
    counts_from: float = math.inf
    counts_to: float = math.inf
    cpu_since: float = 0.0
    cpu_before: float = 0.0

    async def measure(self) -> Measured:
        plan, loop = self.plan, asyncio.get_running_loop()
        gaps = cycle([request.encode().split(EVENT.encode()) for request in plan.requests])
        connections = []
        for number in range(plan.clients):
            port = plan.ports[number % len(plan.ports)]
            _, connection = await loop.create_connection(
                lambda: _Connection(self, gaps), "127.0.0.1", port
            )
            connections.append(connection)
        self.began = time.perf_counter()
        if plan.rate:
            self._count_from(self.began + plan.warm_up_s)
            self.idle.extend(connections)
            await self._send_when_due()
        else:
            self.unanswered.update(connections)
            if plan.total:
                self._count_from(self.began)
            for connection in connections:
                self.next(connection, time.perf_counter())
        await self.done.wait()
        for connection in connections:
            connection.close()
        return self._measured()

    def next(self, connection: "_Connection", now: float) -> None:
        """Send the next request of a connection that has nothing to do, if there is one."""
        if self.plan.rate:
            if self.due:
                self._send(connection, self.due.popleft())
                return
            self.idle.append(connection)
        elif now < self.counts_to and (self.sent < self.plan.total or not self.plan.total):
            self._send(connection, now)
            return
        if self.open == 0 and (self.plan.rate == 0 or now >= self.counts_to):
            self.done.set()

    def answered(self, connection: "_Connection", status: str, since: float) -> None:
        """Take an answer, and go on."""
        now = time.perf_counter()
        self.open -= 1
        self.statuses[status] += 1
        # An open loop's late answers count too: they are what waiting looks like.
        late = now >= self.counts_to and not (self.plan.rate or self.plan.total)
        if now >= self.counts_from and not late:
            self.latencies.append(now - since)
        self.unanswered.discard(connection)
        warm = not self.unanswered and now >= self.began + self.plan.warm_up_s
        if self.counts_from == math.inf and warm:
            self._count_from(now)
        self.next(connection, now)

    def _send(self, connection: "_Connection", since: float) -> None:
        self.sent += 1
        self.open += 1
        connection.send(since)

    async def _send_when_due(self) -> None:
        moment = self.began
        while (now := time.perf_counter()) < self.counts_to:
            while moment <= now:
                self.due.append(now)
                moment += random.expovariate(self.plan.rate)
            while self.due and self.idle:
                self._send(self.idle.popleft(), self.due.popleft())
            await asyncio.sleep(0.001)
        if self.open == 0 and not self.due:
            self.done.set()

    def _count_from(self, moment: float) -> None:
        self.counts_from = moment
        self.counts_to = moment + (self.plan.seconds or math.inf)
        self.cpu_since, self.cpu_before = time.perf_counter(), time.process_time()

    def _measured(self) -> Measured:
        ended = time.perf_counter()
        ordered = sorted(self.latencies)
        if not ordered:
            raise RuntimeError(f"nothing was answered within {self.plan.seconds} s")
        return Measured(
            answered=len(ordered),
            seconds=ended - self.counts_from if self.plan.total else self.plan.seconds,
            statuses=dict(self.statuses),
            p50_ms=ordered[len(ordered) // 2] * 1000,
            p99_ms=ordered[len(ordered) * 99 // 100] * 1000,
            cpu_share=(time.process_time() - self.cpu_before) / (ended - self.cpu_since),
        )


class _Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time."""

    def __init__(self, run: _Run, gaps: "cycle[list[bytes]]") -> None:
        self._run = run
        self._gaps = gaps
        self._head = b""
        self._left = 0
        self._status = ""
        self._since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, since: float) -> None:
        self._since = since
        parts = next(self._gaps)
        request = parts[0] if len(parts) == 1 else _with_events(parts)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._head = b""
            self._status = data[9:12].decode()
            self._left = _content_length(data[:end]) - (len(data) - end - 4)
        if self._left == 0:
            self._run.answered(self, self._status, self._since)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._run.done.is_set():
            raise SystemExit("the service closed a connection while it was measured")

    def close(self) -> None:
        self._transport.close()


def _content_length(head: bytes) -> int:
    at = head.lower().index(b"content-length:")
    value, _, _ = head[at + 15 :].partition(b"\r\n")
    return int(value)


def _with_events(parts: list[bytes]) -> bytes:
    pieces = [parts[0]]
    for part in parts[1:]:
        digits = b"%032x" % random.getrandbits(128)
        event = b"-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        pieces += (event, part)
    return b"".join(pieces)


async def _work(plan: dict[str, Any]) -> object:
    return asdict(await _Run(Plan(**plan)).measure())


if __name__ == "__main__":
    help_with(_work)
