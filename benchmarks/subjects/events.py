"""Events that come in, against what composes the same without them."""

from collections.abc import Sequence
from functools import partial

import httpx

from benchmarks.ground import ACTOR, Ground
from benchmarks.load import Load, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_bulk, compose_one, event, send_batch, send_event
from benchmarks.service import Service, service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

CLIENTS = 32
SECONDS = 2.0
BATCH = 10_000
ROUTES = 100
ONE, HUNDRED = "bench.one", "bench.hundred"

TITLE = "Events: `POST /events`"
WHAT = f"""\
An event that takes one route against `POST /instances/from-event` with the same data, {CLIENTS}
clients and one process, for {SECONDS:g} s; with one route for its type, and with {ROUTES}, of
which the filters of all but one say no. And a batch of {BATCH:,} events in one request against as
many instances in an atomic bulk. Each route has a filter and a mapping. Medians of {ROUNDS}
rounds. A cost is the time of a request against that of the other.

Asked for: an event at most 1.5 times a from-event; {ROUTES} routes at most twice what one costs; a
batch at least half the bulk's rate.
"""


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Requests per second, and what one costs against the other."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
        await _make_routes(client, ONE, 1)
        await _make_routes(client, HUNDRED, ROUTES)
    async with service(ground.service_url()) as api, load_generator() as load:
        figures = await in_turns(
            {
                "from-event": partial(_single, load, api, compose_one(ground.key)),
                "one": partial(_single, load, api, send_event(ground.key, ONE)),
                "hundred": partial(_single, load, api, send_event(ground.key, HUNDRED)),
            }
        )
        many = await in_turns(
            {
                "bulk": partial(_many, load, api, compose_bulk(ground.key, BATCH), 201),
                "batch": partial(_many, load, api, send_batch(ground.key, ONE, BATCH), 200),
            }
        )
    names = {
        "from-event": "`POST /instances/from-event`",
        "one": "an event, one route",
        "hundred": f"an event, {ROUTES} routes",
    }
    rows = [
        (
            name,
            f"{median(figures, who):,.0f}/s",
            f"{ratio(figures, 'from-event', who):.2f} ×",
            f"{ratio(figures, 'one', who):.2f} ×",
        )
        for who, name in names.items()
    ]
    totals = [
        (name, f"{median(many, who):,.0f}/s", f"{ratio(many, who, 'bulk'):.2f}")
        for who, name in (("bulk", f"bulk of {BATCH:,}"), ("batch", f"batch of {BATCH:,} events"))
    ]
    return [
        Table(("", "rate", "costs, of a from-event", "costs, of one route"), rows),
        Table(("", "instances", "of the bulk's rate"), totals),
    ]


async def _make_routes(client: httpx.AsyncClient, type_: str, routes: int) -> None:
    known = await client.put(f"/event-types/{type_}", json={"reason": "benchmark"})
    known.raise_for_status()
    for number in range(routes):
        order = {
            "key": f"{type_}.{number}",
            "enabled": True,
            "event_type": type_,
            "filter": f'data.name == "Ada Lovelace" && size(data.starts) == {10 + number}',
            "suffix": "event.id",
            "mapping": {"name": "data.name", "starts": "data.starts"},
            "template": FIVE,
            "actor": ACTOR,
            "reason": "benchmark",
        }
        made = await client.post("/event-routes", json=order)
        made.raise_for_status()
    content = {**event(type_), "id": f"the first {type_}"}
    taken = await client.post(
        "/events", json=content, headers={"Content-Type": "application/cloudevents+json"}
    )
    outcomes = [result["outcome"] for result in taken.json()["results"]]
    if outcomes != ["composed"]:
        raise RuntimeError(f"an event should compose along one route: {taken.text}")


async def _single(load: Load, api: Service, request: str) -> float:
    plan = Plan([api.port], [request], clients=CLIENTS, seconds=SECONDS)
    return (await load(plan)).all(201).per_s


async def _many(load: Load, api: Service, request: str, status: int) -> float:
    plan = Plan([api.port], [request], clients=1, total=1)
    return BATCH * (await load(plan)).all(status).per_s
