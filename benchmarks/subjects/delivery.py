"""Messages that leave: how many a second, also beside an endpoint that hangs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx

from benchmarks.ground import Ground
from benchmarks.helper import helper
from benchmarks.load import Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_bulk
from benchmarks.service import service, worker
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

MESSAGES = 5_000
COMPOSED = "iu.template.instance_auto_composed"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

TITLE = "What leaves: `factory deliver`"
WHAT = f"""\
One worker process and an endpoint on the same machine that answers at once. {MESSAGES:,} messages
wait, the gate is opened, and the time counts from the first that the endpoint receives to the last:
each is claimed, signed, sent, and its attempt written down. The same beside a route to an endpoint
that takes connections and never answers. Medians of {ROUNDS} rounds.

Asked for: 500 messages a second; an endpoint that hangs delays no other.
"""


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Messages per second."""
    async with (
        ground.client() as client,
        helper("benchmarks.endpoint") as endpoint,
        service(ground.service_url()) as api,
        load_generator() as load,
        worker(ground.service_url()),
    ):
        await open_gates(client)
        await create_template(client, FIVE, 5)
        ports = await endpoint("ports")
        await _put(client, f"/event-types/{COMPOSED}", {"delivery_lane": "live"})
        await _put(client, "/settings/delivery_live_routes", {"value": list(ports)})

        async def leaving(*names: str) -> float:
            async with _routes(client, {name: ports[name] for name in names}):
                plan = Plan([api.port], [compose_bulk(ground.key, MESSAGES)], clients=1, total=1)
                (await load(plan)).all(201)
                await endpoint(MESSAGES)
                await _put(client, "/gates/delivery_enabled", {"state": "open"})
                seconds: float = await endpoint("seconds")
                await _put(client, "/gates/delivery_enabled", {"state": "closed"})
            return (MESSAGES - 1) / seconds

        figures = await in_turns(
            {
                "alone": partial(leaving, "answers"),
                "beside one that hangs": partial(leaving, "answers", "hangs"),
            }
        )
    rows = [
        (who, f"{median(figures, who):,.0f}/s", f"{ratio(figures, who, 'alone'):.2f}")
        for who in figures
    ]
    return [Table(("the endpoint that answers", "messages", "of the rate alone"), rows)]


@asynccontextmanager
async def _routes(client: httpx.AsyncClient, ports: Mapping[str, int]) -> AsyncIterator[None]:
    """Routes to these ports, until the block ends."""
    made = []
    for name, port in ports.items():
        order = {
            "name": name,
            "enabled": True,
            "event_type": COMPOSED,
            "endpoint": f"http://127.0.0.1:{port}/",
            "secrets": [SECRET],
            "reason": "benchmark",
        }
        answer = await client.post("/delivery/routes", json=order)
        answer.raise_for_status()
        made.append(answer.headers["location"])
    yield
    for location in made:
        gone = await client.delete(location, params={"reason": "benchmark"})
        gone.raise_for_status()


async def _put(client: httpx.AsyncClient, path: str, order: Mapping[str, Any]) -> None:
    (await client.put(path, json={**order, "reason": "benchmark"})).raise_for_status()
