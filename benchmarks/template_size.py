"""Composing must cost the same, whatever the template's size: 5 pieces against 1,000.

Both templates are composed from in turns (A B A B …), so that a machine whose speed drifts slows
both alike; each pair of runs gives a ratio, and the median of the ratios is the figure.
"""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

RUNS = 9
SMALL, LARGE = 5, 1000

Compose = Callable[[str], Awaitable[None]]

_MANY = (
    "SELECT status FROM iu_core.fn_iu_auto_instantiate_many"
    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """Instances per second with the small and the large template, and large against small."""

    what: str
    small_per_s: float
    large_per_s: float
    ratio: float


async def prepare(client: httpx.AsyncClient) -> dict[int, str]:
    """Make a template of each size, as an author would, and open the gates; their keys."""
    for gate in ("piece_write", "template_authoring", "composer", "auto_instantiate"):
        answer = await client.put(
            f"/gates/{gate}_enabled", json={"state": "open", "reason": "benchmark"}
        )
        answer.raise_for_status()
    keys = {}
    for size in (SMALL, LARGE):
        pieces = [
            {
                "role": "part",
                "title": f"Piece {number} of {size}",
                "media_type": "text/markdown",
                "body": f"The text of piece {number} of {size}.",
            }
            for number in range(1, size + 1)
        ]
        family = f"tpl:bench:size-{size}"
        answer = await client.post(
            "/templates",
            json={"family": family, "title": family, "reason": "benchmark", "pieces": pieces},
        )
        answer.raise_for_status()
        keys[size] = answer.json()["template_key"]
    return keys


async def measure(
    client: httpx.AsyncClient, connection: asyncpg.Connection, keys: dict[int, str]
) -> list[Figure]:
    """All figures. `connection` is one of the service's role."""

    async def over_http(key: str) -> None:
        order = {"event_id": str(uuid4()), "event_type": "bench", "template": key}
        answer = await client.post("/instances/from-event", json=order)
        assert answer.status_code == 201, answer.text

    def batches_of(size: int) -> Compose:
        async def call(key: str) -> None:
            rows = await connection.fetch(_MANY, *_arguments(key, size))
            assert {row["status"] for row in rows} == {"ok"}

        return call

    return [
        await _compare("one instance a call, SQL function", batches_of(1), keys, 300, 1),
        await _compare("100 instances a call, SQL function", batches_of(100), keys, 15, 100),
        await _compare("one instance a request, over HTTP", over_http, keys, 150, 1),
    ]


async def _compare(
    what: str, compose: Compose, keys: dict[int, str], calls: int, per_call: int
) -> Figure:
    async def run(size: int, times: int) -> float:
        began = time.perf_counter()
        for _ in range(times):
            await compose(keys[size])
        return times * per_call / (time.perf_counter() - began)

    for size in (SMALL, LARGE):
        await run(size, max(5, calls // 10))  # plans and caches are warm from here on
    rates: dict[int, list[float]] = {SMALL: [], LARGE: []}
    for number in range(RUNS):
        # Who goes first changes from pair to pair.
        for size in (SMALL, LARGE) if number % 2 else (LARGE, SMALL):
            rates[size].append(await run(size, calls))
    ratios = [large / small for small, large in zip(rates[SMALL], rates[LARGE], strict=True)]
    return Figure(
        what,
        statistics.median(rates[SMALL]),
        statistics.median(rates[LARGE]),
        statistics.median(ratios),
    )


def _arguments(key: str, size: int) -> list[Any]:
    def of(value: Any) -> list[Any]:
        return [value] * size

    return [
        [uuid4() for _ in range(size)],
        of("bench"),
        of(key),
        of(""),
        of("bench-bot"),
        of("live"),
        of(""),
        of(None),
        of(False),
        of(None),
        of("bench"),
        [uuid4() for _ in range(size)],
        None,
        False,
    ]
