"""The stream of what happens: how late it tells, and what its listeners cost."""

from collections.abc import Sequence
from functools import partial

from benchmarks.ground import Ground
from benchmarks.helper import helper
from benchmarks.load import Measured, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

CLIENTS = 32
SECONDS = 4.0
LISTENERS = 200
RATE = 100.0
LATE_SECONDS = 10.0
FEWEST_BYTES = 36
"""Of a fact, compressed: its two ids are random."""

TITLE = "What is told: `GET /observability/stream`"
WHAT = f"""\
{CLIENTS} clients compose one instance a request while nobody listens, and while {LISTENERS} do, in
the one process that also composes; {SECONDS:g} s, medians of {ROUNDS} rounds. The listeners are a
process of their own on the same two cores, and take the stream compressed. And how late a fact
comes: from its own time, which is before its COMMIT, until a client on the same machine has it,
while {RATE:g} requests a second are due at random moments ({LATE_SECONDS:g} s).

Asked for: 300 ms (p99); {LISTENERS} clients cost composing less than 5 %.
"""


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Requests per second, and milliseconds."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    compose = [compose_one(ground.key)]
    async with (
        service(ground.service_url()) as api,
        load_generator() as load,
        helper("benchmarks.listeners") as listeners,
    ):
        heard: dict[int, list[float]] = {0: [], 1: [], LISTENERS: []}

        async def composing(listening: int, plan: Plan) -> Measured:
            await listeners({"port": api.port, "key": ground.key, "clients": listening})
            measured = (await load(plan)).all(201)
            said = await listeners("heard")
            # Whoever was told nothing has cost nothing.
            told = min(said["facts"], said["fewest_bytes"] / FEWEST_BYTES)
            if listening and told < measured.answered / 2:
                raise RuntimeError(f"listeners were not told: {said}, of {measured.answered}")
            heard[listening] = [said["p50_ms"], said["p99_ms"]]
            return measured

        async def rate(listening: int) -> float:
            plan = Plan([api.port], compose, clients=CLIENTS, seconds=SECONDS)
            return (await composing(listening, plan)).per_s

        # First: what the server still has to write after the rounds would make facts late.
        for listening in (1, LISTENERS):
            plan = Plan([api.port], compose, CLIENTS, seconds=LATE_SECONDS, rate=RATE)
            await composing(listening, plan)
        late = [
            (f"{listening}", *(f"{milliseconds:.0f} ms" for milliseconds in heard[listening]))
            for listening in (1, LISTENERS)
        ]
        figures = await in_turns(
            {"nobody": partial(rate, 0), f"{LISTENERS} clients": partial(rate, LISTENERS)}
        )
    rates = [
        (who, f"{median(figures, who):,.0f}/s", f"{ratio(figures, who, 'nobody'):.2f}")
        for who in figures
    ]
    return [
        Table(("who listens", "composing", "of the rate with nobody"), rates),
        Table(("clients that listen", "p50", "p99"), late),
    ]
