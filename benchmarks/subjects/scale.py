"""A thousand instances, or a million: nothing that an operator does all day may notice."""

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import asyncpg
import httpx

from benchmarks.filling import BATCH, Filled, actor_of, filled
from benchmarks.ground import Ground
from benchmarks.load import Load, Plan, get, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import service
from benchmarks.sql import compose
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, Figures, in_turns, median, ratio

CLIENTS = 32
REQUESTS = 300
CALLS, PER_CALL = 5, 100
READS, READ_S = 200, 1.0
OTHER_TEMPLATES = 19

TITLE = "The number of instances does not matter"
WHAT = f"""\
One database per number of instances, filled through the set-based function, vacuumed and
analyzed, each with {OTHER_TEMPLATES + 1} templates and an API process of its own; measured in
turns. They grow by some thousands meanwhile. Medians of {ROUNDS} rounds; a read is the median of
{READS} requests of one client, or of as many as begin within {READ_S:g} s, of different
instances and pages. The ratio is that of the largest database against the smallest. "refused" is
a plan of more than it takes, or of more than the 60 s of a statement are enough for.

Asked for: composing at 1 M against at 1 k 0.8; `/observability/templates` at most 1.3 ×.
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A filled database, and what reaches it."""

    filled: Filled
    key: str
    port: int
    load: Load
    connection: asyncpg.Connection
    client: httpx.AsyncClient
    pages: Sequence[str]
    """Paths of lists: from the newest on, and from the middle on."""
    ids: Sequence[str]
    filled_until: str
    """After the last of the instances that it was filled with."""


async def measure(ground: Ground, options: Options) -> Sequence[Table]:
    """Every figure, by number of instances."""
    async with ground.client() as client:
        await open_gates(client)
        for family in (FIVE, *(f"tpl:bench:other-{each}" for each in range(OTHER_TEMPLATES))):
            await create_template(client, family, 5)
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(load_generator())
        stages = [
            await _stage(ground, stack, load, each)
            for each in await filled(ground, options.instances)
        ]
        rows = [await _row(name, way, stages, shown) for name, (way, shown) in _FIGURES.items()]
    sizes = [stage.filled.bytes_per_instance for stage in stages]
    disk = [f"{size:,.0f} bytes" for size in sizes]
    rows.append(("disk, an instance", *disk, f"{sizes[-1] / sizes[0]:.2f}"))
    columns = ("", *(f"{stage.filled.instances:,} instances" for stage in stages), "ratio")
    return [Table(columns, rows)]


async def _stage(ground: Ground, stack: AsyncExitStack, load: Load, of: Filled) -> Stage:
    url = ground.service_url(of.database)
    api = await stack.enter_async_context(service(url))
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    client = await stack.enter_async_context(
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{api.port}",
            headers={"Authorization": f"Bearer {ground.key}"},
            timeout=120,
            trust_env=False,
        )
    )
    row = await connection.fetchrow(
        """SELECT to_char(first + (last - first) / 2, form),
                  to_char(last + interval '1 microsecond', form)
             FROM (SELECT min(composed_at), max(composed_at), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
                     FROM iu_core.v_iu_instance) AS i (first, last, form)"""
    )
    assert row is not None
    middle, end = row
    pages = ["/instances?limit=50", f"/instances?limit=50&composed_to={middle}"]
    for first in tuple(pages):
        answer = (await client.get(first)).raise_for_status().json()
        pages.append(f"{first}&page_token={answer['next_page_token']}")
    ids = await connection.fetch(
        "SELECT instance_collection_id FROM iu_core.v_iu_instance"
        " WHERE actor = $1 LIMIT $2", actor_of(of.instances // BATCH // 2), READS,
    )  # fmt: skip
    return Stage(
        of, ground.key, api.port, load, connection, client, pages, [str(row[0]) for row in ids], end
    )


async def _composing_over_http(stage: Stage) -> float:
    plan = Plan([stage.port], [compose_one(stage.key)], clients=CLIENTS, total=REQUESTS)
    return (await stage.load(plan)).all(201).per_s


async def _composing_by_function(stage: Stage) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        await compose(stage.connection, PER_CALL)
    return CALLS * PER_CALL / (time.perf_counter() - began)


async def _read(paths: Callable[[Stage], Sequence[str]], stage: Stage) -> float:
    requests = [get(path, stage.key) for path in paths(stage)]
    plan = Plan([stage.port], requests, clients=1, total=READS, seconds=READ_S)
    return (await stage.load(plan)).all(200).p50_ms


_TOO_MUCH = (httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.SERVICE_UNAVAILABLE)
"""More instances than a plan takes, or more than a statement's time is enough for."""


async def _planning(selectors: Callable[[Stage], dict[str, str]], stage: Stage) -> float:
    plan = {"selectors": selectors(stage)}
    began = time.perf_counter()
    answer = await stage.client.post("/rollback/plan", json=plan)
    if answer.status_code in _TOO_MUCH:
        return math.inf
    answer.raise_for_status()
    return (time.perf_counter() - began) * 1000


async def _rolling_back(stage: Stage) -> float:
    actor = "bench-rolled-back"
    await compose(stage.connection, BATCH, FIVE, actor)
    began = time.perf_counter()
    answer = await stage.client.post("/rollback/by-actor", json={"actor": actor, "dry_run": False})
    took = time.perf_counter() - began
    if (removed := answer.raise_for_status().json())["instances"] != BATCH:
        raise RuntimeError(f"not rolled back: {removed}")
    return took * 1000


Figure = Callable[[Stage], Awaitable[float]]

_FIGURES: dict[str, tuple[Figure, str]] = {
    f"composing over HTTP, {CLIENTS} clients": (_composing_over_http, "{:,.0f}/s"),
    f"composing {PER_CALL} a call, SQL function": (_composing_by_function, "{:,.0f}/s"),
    "listing 50 by keyset": (partial(_read, lambda stage: stage.pages), "{:.2f} ms"),
    "reading one": (
        partial(_read, lambda stage: [f"/instances/{each}" for each in stage.ids]),
        "{:.2f} ms",
    ),
    "`GET /observability/templates`": (
        partial(_read, lambda _: ["/observability/templates"]),
        "{:.2f} ms",
    ),
    "`GET /observability/summary`": (
        partial(_read, lambda _: ["/observability/summary"]),
        "{:.2f} ms",
    ),
    f"planning a rollback of {BATCH:,}": (
        partial(_planning, lambda _: {"actor": actor_of(0)}),
        "{:,.0f} ms",
    ),
    "planning a rollback of all of them": (
        partial(_planning, lambda stage: {"composed_to": stage.filled_until}),
        "{:,.0f} ms",
    ),
    f"rolling {BATCH:,} back": (_rolling_back, "{:,.0f} ms"),
}


async def _row(name: str, figure: Figure, stages: Sequence[Stage], shown: str) -> tuple[str, ...]:
    counts = [str(stage.filled.instances) for stage in stages]
    figures: Figures = await in_turns(
        {count: partial(figure, stage) for count, stage in zip(counts, stages, strict=True)}
    )
    medians = [median(figures, count) for count in counts]
    cells = [shown.format(each) if math.isfinite(each) else "refused" for each in medians]
    last = f"{ratio(figures, counts[-1], counts[0]):.2f}" if math.isfinite(medians[-1]) else "–"
    return (name, *cells, last)
