"""Composing must cost the same, whatever the template's size."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import asyncpg

from benchmarks.ground import Ground
from benchmarks.load import Load, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import Service, service
from benchmarks.sql import compose
from benchmarks.subjects import Options
from benchmarks.templates import create_template, open_gates
from benchmarks.turns import in_turns, median, ratio

SIZES = (5, 100, 1000)
ROUNDS = 9

TITLE = "The template's size does not matter"
WHAT = f"""\
An instance refers to its template's composition, so composing must cost the same for 5 pieces and
for 1,000. Medians of {ROUNDS} rounds; the ratios are against 5 pieces.

Asked for: 0.95.
"""

Way = Callable[[str], Awaitable[float]]
"""Composes from the template of a family; instances per second."""


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Instances per second with each size: of the function, of many at once, over HTTP."""
    families = {size: f"tpl:bench:size-{size}" for size in SIZES}
    async with ground.client() as client:
        await open_gates(client)
        for size, family in families.items():
            await create_template(client, family, size)
    connection = await asyncpg.connect(ground.service_url())
    try:
        async with service(ground.service_url()) as api, load_generator() as load:
            rows = [
                await _row(what, way, families)
                for what, way in (
                    ("one a call, SQL function", _calls(connection, 300, 1)),
                    ("100 a call, SQL function", _calls(connection, 15, 100)),
                    ("one a request, 32 clients over HTTP", _requests(load, api, ground.key)),
                )
            ]
    finally:
        await connection.close()
    small, *others = SIZES
    columns = ["", f"{small} pieces"]
    for size in others:
        columns += [f"{size:,} pieces", "ratio"]
    return [Table(tuple(columns), rows)]


def _calls(connection: asyncpg.Connection, calls: int, per_call: int) -> Way:
    async def run(family: str) -> float:
        await compose(connection, per_call, family)
        began = time.perf_counter()
        for _ in range(calls):
            await compose(connection, per_call, family)
        return calls * per_call / (time.perf_counter() - began)

    return run


def _requests(load: Load, api: Service, key: str) -> Way:
    async def run(family: str) -> float:
        plan = Plan([api.port], [compose_one(key, family)], clients=32, seconds=0.5)
        return (await load(plan)).all(201).per_s

    return run


async def _row(what: str, way: Way, families: Mapping[int, str]) -> tuple[str, ...]:
    contestants = {str(size): partial(way, family) for size, family in families.items()}
    figures = await in_turns(contestants, ROUNDS)
    small, *others = map(str, SIZES)
    cells = [what, f"{median(figures, small):,.0f}/s"]
    for size in others:
        cells += [f"{median(figures, size):,.0f}/s", f"{ratio(figures, size, small):.2f}"]
    return tuple(cells)
