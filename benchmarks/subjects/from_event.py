"""One instance a request, against what else could answer the same route."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.ground import Ground
from benchmarks.load import Load, Measured, Plan, load_generator
from benchmarks.page import Table
from benchmarks.requests import compose_one
from benchmarks.service import FACTORY, RIVALS, Service, service
from benchmarks.subjects import Options
from benchmarks.templates import FIVE, create_template, open_gates
from benchmarks.turns import ROUNDS, in_turns, median, ratio

CLIENTS = (1, 8, 32, 128)
PROCESSES = (1, 2)
SECONDS = 1.0
LATENCY_SECONDS = 5.0
LATENCY_CONNECTIONS = 128

TITLE = "One instance a request: `POST /instances/from-event`"
WHAT = f"""\
The route with its middlewares, authentication, models, server options and log level is the same for
all; only the service function behind it differs (`benchmarks/rivals/`, which says what was
chosen for each and why): none, so that nothing waits for a database; straightforward SQLAlchemy
ORM code that copies the membership rows; procrastinate's `defer_async` with a queueing lock;
DBOS's `start_workflow_async` with a workflow id. Clients keep their connection and send when
they were answered; two processes have a port each, on one database. Medians of {ROUNDS} rounds
of {SECONDS:g} s. A ratio is the factory's rate against the rival's (in brackets).

Asked for with 32 clients and one process: 0.6 against no database, 8 × against the ORM, 3 ×
against procrastinate, 6 × against DBOS.
"""
LATENCY = f"""\
Latency with one process at half the rate that 32 clients get out of it, requests being due at
random moments ({LATENCY_SECONDS:g} s):"""

NAMES = {
    FACTORY: "the factory",
    "no_database": "no database",
    "orm": "ORM",
    "procrastinate_job": "procrastinate",
    "dbos_workflow": "DBOS",
}
Services = dict[str, list[Service]]


async def measure(ground: Ground, _options: Options) -> Sequence[Table]:
    """Throughput at every number of clients and processes, and latency at half of it."""
    async with ground.client() as client:
        await open_gates(client)
        await create_template(client, FIVE, 5)
    async with load_generator() as load, _services(ground) as services:
        rows = []
        half_rates: dict[str, float] = {}
        for processes in PROCESSES:
            for clients in CLIENTS:
                row, medians = await _throughput(ground, load, services, processes, clients)
                rows.append(row)
                if (processes, clients) == (1, 32):
                    half_rates = {who: rate / 2 for who, rate in medians.items()}
        latency = [
            await _latency(ground, load, services[who][0], NAMES[who], rate)
            for who, rate in half_rates.items()
        ]
    rivals = tuple(f"against {NAMES[who]}" for who in RIVALS)
    return [
        Table(("processes", "clients", "the factory", *rivals, "generator's CPU"), rows),
        Table(("", "rate", "p50", "p99"), latency, LATENCY),
    ]


@asynccontextmanager
async def _services(ground: Ground) -> AsyncIterator[Services]:
    """As many processes of everybody as are ever measured; who is not asked does nothing."""
    async with AsyncExitStack() as stack:
        services: Services = {}
        for who in (FACTORY, *RIVALS):
            url = "" if who == FACTORY else await ground.rival_database(who)
            services[who] = [
                await stack.enter_async_context(service(ground.service_url(), who, url))
                for _ in range(max(PROCESSES))
            ]
        yield services


async def _throughput(
    ground: Ground, load: Load, services: Services, processes: int, clients: int
) -> tuple[tuple[str, ...], dict[str, float]]:
    shares: list[float] = []

    def run_of(who: str) -> Callable[[], Awaitable[float]]:
        ports = [each.port for each in services[who][:processes]]

        async def run() -> float:
            plan = Plan(ports, [compose_one(ground.key)], clients=clients, seconds=SECONDS)
            measured = await load(plan)
            shares.append(measured.all(201).cpu_share)
            await ground.quiet()
            return measured.per_s

        return run

    figures = await in_turns({who: run_of(who) for who in services})
    medians = {who: median(figures, who) for who in services}
    cells = [f"{ratio(figures, FACTORY, who):.2f} × ({medians[who]:,.0f}/s)" for who in RIVALS]
    share = f"{max(shares):.0%}"
    row = (str(processes), str(clients), f"{medians[FACTORY]:,.0f}/s", *cells, share)
    return row, medians


async def _latency(
    ground: Ground, load: Load, of: Service, name: str, rate: float
) -> tuple[str, ...]:
    plan = Plan(
        [of.port],
        [compose_one(ground.key)],
        clients=LATENCY_CONNECTIONS,
        seconds=LATENCY_SECONDS,
        rate=rate,
    )
    measured: Measured = (await load(plan)).all(201)
    await ground.quiet()
    return (name, f"{rate:,.0f}/s", f"{measured.p50_ms:.1f} ms", f"{measured.p99_ms:.1f} ms")
