"""Whether an API process keeps its size, whatever it has answered."""

import statistics
import time
from collections.abc import Sequence

from benchmarks.ground import Ground
from benchmarks.load import Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates

CLIENTS = 32
ENOUGH_S = 240
"""Without a number of requests, how long it is looked at."""

_LOOKS = 48
_MIB = 2**20

TITLE = "Memory of the API process"
WHAT = f"""\
Resident memory of one process while {CLIENTS} clients compose one instance a request, looked at
again and again; as many requests as go into {ENOUGH_S // 60} minutes, or as `make bench
ARGS='memory --memory-requests 1000000'` says. The slope is a line fitted to the second half of
the looks, when pools and caches have their size.

Asked for: flat, under 200 MiB, after 1,000,000 requests.
"""


async def measure(ground: Ground, options: Options) -> Sequence[Table]:
    """Memory at the beginning, at most and at the end, and the slope."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    async with service(ground.service_url()) as api, load_generator() as load:
        looks = [(0, api.process.memory_info().rss)]
        wanted, ends = options.memory_requests, time.monotonic() + ENOUGH_S
        while looks[-1][0] < wanted if wanted else time.monotonic() < ends:
            plan = Plan(
                [api.port],
                [compose_one(ground.key)],
                clients=CLIENTS,
                seconds=0 if wanted else ENOUGH_S / _LOOKS,
                total=max(wanted // _LOOKS, 1) if wanted else 0,
                warm_up_s=0,
            )
            measured = (await load(plan)).all(201)
            looks.append((looks[-1][0] + measured.answered, api.process.memory_info().rss))
    later = looks[len(looks) // 2 :]
    slope, _ = statistics.linear_regression(*zip(*later, strict=True))
    row = (
        f"{looks[-1][0]:,}",
        *(f"{rss / _MIB:.0f} MiB" for rss in (looks[0][1], max(r for _, r in looks), later[-1][1])),
        f"{slope * 1_000_000 / _MIB:+.1f} MiB per million requests",
    )
    return [Table(("requests", "before the first", "at most", "at the end", "slope"), [row])]
