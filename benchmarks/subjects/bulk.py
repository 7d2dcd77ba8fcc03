"""Many instances at once: the atomic bulk, against what else brings as many in."""

import time
from collections.abc import Sequence
from functools import partial

import asyncpg

from benchmarks.ground import ACTOR, Ground
from benchmarks.load import Load, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_bulk, compose_one
from benchmarks.service import Service, service
from benchmarks.sql import Template, count, rows_of
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

ITEMS = 10_000
CLIENTS = 32
LOOPED = 1_000
COPIED = "copied"

TITLE = "Many at once: `POST /instances/bulk?atomic=true`"
WHAT = f"""\
{ITEMS:,} instances in one request and one transaction, against as many requests of one instance
with {CLIENTS} clients; against calls of `fn_iu_auto_instantiate_from_event` in a loop, on one
connection without HTTP, each its own transaction; and against COPY of the same rows (binary,
made before the time is taken) into the same tables with the same indexes and constraints, in a
copy of the database. Medians of {ROUNDS} rounds. A ratio is the bulk's rate against the
other's.

Asked for against single requests: 8 ×.
"""

_CALL = (
    "SELECT iu_core.fn_iu_auto_instantiate_from_event"
    "(gen_random_uuid(), 'employee.hired', $1, 'ada-lovelace', $2, 'live', '') ->> 'status'"
)


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Instances per second of each way."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    await ground.clone(COPIED)
    calling = await asyncpg.connect(ground.service_url())
    copying = await asyncpg.connect(ground.owner_url(COPIED))
    try:
        async with service(ground.service_url()) as api, load_generator() as load:
            template = await Template.of(copying)
            figures = await in_turns(
                {
                    "bulk": partial(_bulk, load, api, ground.key),
                    "single": partial(_single, load, api, ground.key),
                    "loop": partial(_loop, calling, template),
                    "copy": partial(_copy, copying, template),
                }
            )
    finally:
        await calling.close()
        await copying.close()
    names = {
        "bulk": "one bulk",
        "single": f"{ITEMS:,} requests, {CLIENTS} clients",
        "loop": "calls in a loop, one connection",
        "copy": "COPY of the same rows",
    }
    rows = [
        (name, f"{median(figures, way):,.0f}/s", f"{ratio(figures, 'bulk', way):.2f} ×")
        for way, name in names.items()
    ]
    return [Table(("", "instances", "the bulk against it"), rows)]


async def _bulk(load: Load, api: Service, key: str) -> float:
    plan = Plan([api.port], [compose_bulk(key, ITEMS)], clients=1, total=1)
    return ITEMS * (await load(plan)).all(201).per_s


async def _single(load: Load, api: Service, key: str) -> float:
    plan = Plan([api.port], [compose_one(key)], clients=CLIENTS, total=ITEMS)
    return (await load(plan)).all(201).per_s


async def _loop(connection: asyncpg.Connection, template: Template) -> float:
    call = await connection.prepare(_CALL)
    began = time.perf_counter()
    for _ in range(LOOPED):
        if (status := await call.fetchval(template.collection_id, ACTOR)) != "ok":
            raise RuntimeError(f"not composed: {status}")
    return LOOPED / (time.perf_counter() - began)


async def _copy(connection: asyncpg.Connection, template: Template) -> float:
    ids = await connection.fetchval(
        "SELECT array_agg(id ORDER BY id)"
        " FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1)) AS made",
        ITEMS,
    )
    tables = list(rows_of(template))
    records = [
        [tuple(row) for row in await connection.fetch(rows.select("$1::uuid[]"), ids)]
        for rows in tables
    ]
    began = time.perf_counter()
    async with connection.transaction():
        for rows, made in zip(tables, records, strict=True):
            await connection.copy_records_to_table(
                rows.table, records=made, columns=rows.columns, schema_name="iu_core"
            )
        await connection.execute(count(template, ITEMS))
    return ITEMS / (time.perf_counter() - began)
