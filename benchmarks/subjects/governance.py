"""What proving takes: conformance, probes, snapshots, and the audit log of a full database."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import httpx

from app.hosting import EMBEDDED_DATABASE
from benchmarks.filling import filled
from benchmarks.ground import Ground
from benchmarks.load import Load, Measured, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import Service, service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

RATE = 200.0
SECONDS = 5.0
PROBING_EVERY_S = 1.0

TITLE = "Proving what it is and what it did"
WHAT = f"""\
A database that was filled through the set-based function, a hundred instances a call, is asked over
HTTP by one client while nothing else goes on: the median of {ROUNDS} rounds, and the slowest. The
audit log was sealed as far as it can be, and is verified from its first segment on.

Composing is also measured beside probes, one run each {PROBING_EVERY_S:g} s, and without them:
{RATE:g} requests a second, due at random moments, for {SECONDS:g} s in each of {ROUNDS} rounds.

Asked for: conformance and probes 2 s each; a snapshot of 1 M instances 5 s; composing beside probes
at most 2 × its p99.
"""


async def measure(ground: Ground, options: Options) -> Sequence[Table]:
    """Milliseconds of each look, by what is looked at; and what a probe costs its neighbours."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    (full,) = await filled(ground, options.instances[-1:])
    async with (
        load_generator() as load,
        service(ground.service_url(EMBEDDED_DATABASE)) as api,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{api.port}",
            headers={"Authorization": f"Bearer {ground.key}"},
            timeout=300,
            trust_env=False,
        ) as client,
    ):
        await _seal(client)
        rows = [await _row(name, partial(look, client)) for name, look in _LOOKS.items()]
        beside = await _beside_probes(load, api, ground.key, client)
    return [
        Table(("", f"{full.instances:,} instances", "slowest"), rows),
        Table(("composing", "p50", "p99", "of that alone"), beside, "Beside probes:"),
    ]


async def _seal(client: httpx.AsyncClient) -> None:
    while not (await client.post("/commands/runs/seal")).raise_for_status().json()["complete"]:
        pass


async def _get(path: str, client: httpx.AsyncClient) -> None:
    (await client.get(path)).raise_for_status()


async def _post(path: str, body: dict[str, str] | None, client: httpx.AsyncClient) -> None:
    (await client.post(path, json=body)).raise_for_status()


_LOOKS: dict[str, Callable[[httpx.AsyncClient], Awaitable[None]]] = {
    "`GET /observability/conformance`": partial(_get, "/observability/conformance"),
    "`POST /observability/probes`": partial(_post, "/observability/probes", None),
    "`POST /observability/snapshots`": partial(
        _post, "/observability/snapshots", {"reason": "a benchmark"}
    ),
    "`GET /commands/runs/verify`": partial(_get, "/commands/runs/verify"),
}


async def _row(name: str, look: Callable[[], Awaitable[None]]) -> tuple[str, str, str]:
    async def timed() -> float:
        began = time.perf_counter()
        await look()
        return (time.perf_counter() - began) * 1000

    figures = await in_turns({name: timed})
    return name, f"{median(figures, name):,.0f} ms", f"{max(figures[name]):,.0f} ms"


@asynccontextmanager
async def _probing(client: httpx.AsyncClient) -> AsyncIterator[None]:
    """A run of the probes each second, until the block ends."""
    ended = asyncio.Event()

    async def probe() -> None:
        while not ended.is_set():
            await _post("/observability/probes", None, client)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), PROBING_EVERY_S)

    async with asyncio.TaskGroup() as group:
        group.create_task(probe())
        yield
        ended.set()


async def _beside_probes(
    load: Load, api: Service, key: str, client: httpx.AsyncClient
) -> list[tuple[str, str, str, str]]:
    plan = Plan([api.port], [compose_one(key)], clients=32, seconds=SECONDS, rate=RATE)

    async def alone() -> Measured:
        return (await load(plan)).all(201)

    async def beside() -> Measured:
        async with _probing(client):
            return await alone()

    measured = await in_turns({"alone": alone, "beside probes": beside})
    p50 = {who: [each.p50_ms for each in of] for who, of in measured.items()}
    p99 = {who: [each.p99_ms for each in of] for who, of in measured.items()}
    return [
        (who, f"{median(p50, who):.1f} ms", f"{median(p99, who):.1f} ms",
         f"{ratio(p99, who, 'alone'):.2f}")
        for who in measured
    ]  # fmt: skip
