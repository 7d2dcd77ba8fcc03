"""The stream of what happens: how late it tells, and what its listeners cost."""

import asyncio
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import psutil

from benchmarks.ground import Ground
from benchmarks.helper import Ask, helper
from benchmarks.load import Load, Measured, Plan, load_generator
from benchmarks.page import Table
from benchmarks.processor_time import used_s
from benchmarks.requests import compose_one
from benchmarks.service import Service, service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import Figures, in_turns, median, ratio, ratios

CLIENTS = 32
SECONDS = 4.0
ROUNDS = 24
LISTENERS = 200
RATE = 100.0
LATE_SECONDS = 10.0
FEWEST_BYTES = 36
"""Of a fact, compressed: its two ids are random."""

_NOBODY, _MANY = "nobody", f"{LISTENERS} clients"
_TOLD_PAUSE_S, _TOLD_AT_MOST = 0.1, 100

TITLE = "What is told: `GET /observability/stream`"
WHAT = f"""\
{CLIENTS} clients compose one instance a request while nobody listens, and while {LISTENERS} do,
in the one process that also composes; {SECONDS:g} s each, in {ROUNDS} rounds. The listeners are a
process of their own on the same two cores, and take the stream compressed. A figure is the median
of the rounds, a ratio that of the rounds' ratios; beside it, between which ratios the middle half
of the rounds lies, and all of them.

The rate is what the {CLIENTS} clients get. What the listeners themselves do takes from it here,
too, since all share the cores. So what the service spends is the better answer: its processor
time, user and system, for each instance, of the API process, and of all processes of PostgreSQL;
from the first request until the listeners have been told of the last instance. What the listeners
spend to read, and the load generator, is told beside it and in none of the ratios.

How late a fact comes: from its own time, which is before its COMMIT, until a client on the same
machine has it, while {RATE:g} requests a second are due at random moments ({LATE_SECONDS:g} s).

Asked for: 300 ms (p99); {LISTENERS} clients cost composing less than 5 %.
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """Instances a second, and microseconds of processor time for each instance, by whose it is."""

    per_s: float
    api_us: float
    postgresql_us: float
    generator_us: float
    listeners_us: float

    @property
    def service_us(self) -> float:
        """What the service spends."""
        return self.api_us + self.postgresql_us


@dataclass(frozen=True, slots=True)
class Scene:
    """The programs of this subject, and the request that composes."""

    ground: Ground
    api: Service
    postmaster: psutil.Process
    load: Load
    listeners: Ask
    compose: str

    async def late(self, listening: int) -> tuple[str, ...]:
        """How late facts come under an ordinary load: half of them, and 99 %."""
        await self._have_listeners(listening)
        plan = Plan([self.api.port], [self.compose], CLIENTS, seconds=LATE_SECONDS, rate=RATE)
        measured = (await self.load(plan)).all(201)
        await self._told(measured, listening)
        heard = await self.listeners("heard")
        return (f"{listening}", f"{heard['p50_ms']:.0f} ms", f"{heard['p99_ms']:.0f} ms")

    async def turn(self, listening: int) -> Turn:
        """One turn of composing as fast as it goes."""
        await self._have_listeners(listening)
        plan = Plan([self.api.port], [self.compose], CLIENTS, seconds=SECONDS)
        before = await self._used_s()
        measured = (await self.load(plan)).all(201)
        await self._told(measured, listening)
        after = await self._used_s()
        composed = measured.statuses["201"]
        api, postgresql, listeners = (
            (b - a) / composed * 1e6 for a, b in zip(before, after, strict=True)
        )
        generator = measured.cpu_share / measured.per_s * 1e6
        return Turn(measured.per_s, api, postgresql, generator, listeners)

    async def _have_listeners(self, listening: int) -> None:
        """So many listen from now on; those before are forgotten also by the service."""
        await self.listeners({"port": self.api.port, "key": self.ground.key, "clients": 0})
        await self.ground.quiet()
        await self.listeners({"port": self.api.port, "key": self.ground.key, "clients": listening})

    async def _told(self, measured: Measured, listening: int) -> None:
        """Wait until the listeners were told of all. Who is told nothing costs nothing."""
        if not listening:
            return
        composed = measured.statuses["201"]
        for _ in range(_TOLD_AT_MOST):
            heard = await self.listeners("heard")
            if min(heard["facts"], heard["fewest_bytes"] / FEWEST_BYTES) >= composed:
                return
            await asyncio.sleep(_TOLD_PAUSE_S)
        raise RuntimeError(f"listeners were not told: {heard}, of {composed}")

    async def _used_s(self) -> tuple[float, float, float]:
        listeners: float = (await self.listeners("heard"))["cpu_s"]
        return used_s(self.api.process), used_s(self.postmaster), listeners


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Instances a second, microseconds of processor time, and how many milliseconds late."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    async with (
        service(ground.service_url()) as api,
        load_generator() as load,
        helper("benchmarks.listeners") as listeners,
    ):
        postmaster = await ground.postmaster()
        scene = Scene(ground, api, postmaster, load, listeners, compose_one(ground.key))
        # First: what the server still has to write after the rounds would make facts late.
        late = [await scene.late(listening) for listening in (1, LISTENERS)]
        turns = await in_turns(
            {_NOBODY: partial(scene.turn, 0), _MANY: partial(scene.turn, LISTENERS)}, ROUNDS
        )
    return [*_costs(turns), Table(("clients that listen", "p50", "p99"), late)]


def _costs(turns: Mapping[str, Sequence[Turn]]) -> tuple[Table, Table]:
    """What listeners cost: of the rate, and of the service's processor time."""
    spread = ("middle half of the rounds", "all rounds")

    def of(figure: Callable[[Turn], float]) -> Figures:
        return {who: [figure(turn) for turn in taken] for who, taken in turns.items()}

    rates = of(lambda turn: turn.per_s)
    service_us = of(lambda turn: turn.service_us)
    parts = [
        of(lambda turn: turn.api_us),
        of(lambda turn: turn.postgresql_us),
        service_us,
    ]
    others = [of(lambda turn: turn.listeners_us), of(lambda turn: turn.generator_us)]
    return (
        Table(
            ("who listens", "composing", "of the rate with nobody", *spread),
            [(who, f"{median(rates, who):,.0f}/s", *_against_nobody(rates, who)) for who in turns],
        ),
        Table(
            (
                *("who listens", "API process", "PostgreSQL", "both, an instance"),
                *("of that with nobody", *spread, "the listeners", "load generator"),
            ),
            [
                (
                    who,
                    *(f"{median(figures, who):,.0f} µs" for figures in parts),
                    *_against_nobody(service_us, who),
                    *(f"{median(figures, who):,.0f} µs" for figures in others),
                )
                for who in turns
            ],
        ),
    )


def _against_nobody(figures: Figures, who: str) -> tuple[str, str, str]:
    """The ratio to what it is with nobody, and how it varies."""
    if who == _NOBODY:
        return "1.00", "", ""
    of_rounds = ratios(figures, who, _NOBODY)
    low, _, high = statistics.quantiles(of_rounds, n=4)
    return (
        f"{ratio(figures, who, _NOBODY):.3f}",
        f"{low:.3f} to {high:.3f}",
        f"{min(of_rounds):.3f} to {max(of_rounds):.3f}",
    )
