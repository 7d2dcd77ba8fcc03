"""The database goes and comes back, in order or killed, while the service stays.

The server is one of its own, which is stopped, killed and started for real.
"""

import asyncio
import os
import random
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.authentication import Authenticator
from app.db.bootstrap import bootstrap
from app.db.embedded import EmbeddedPostgres
from app.db.migrations import migrate
from tests.api.throwaway import assert_problem
from tests.embedded.helpers import copy_of
from tests.support.databases import SERVER_OPTIONS, Database, Server
from tests.support.examples import ENDLESS, ExampleRequest, example_requests
from tests.support.http import Service, running_service
from tests.support.interleaving import wait_until
from tests.support.once import once
from tests.support.operations import counted, reached, read, start
from tests.support.templates import Template, make_template, open_gates

COMPOSE = "/instances/from-event"

# What answers as ever: it needs no database.
UNMOVED = {"livez", "metrics", "list_problems", "explain_problem"}

LONGEST_ANSWER_S = 60.0
"""An answer that takes longer never comes: nothing may wait for the database to return."""

BODIES = {
    # The example's key has run out by now.
    "create_api_key": {"principal": "billing", "scope": "producer", "actor": "billing"},
}


@dataclass(frozen=True, slots=True)
class Own:
    """A service on a server of its own, and how to make that go and come back."""

    embedded: EmbeddedPostgres
    owner_url: str
    service: Service
    template: Template

    async def stop(self) -> None:
        """Stop the server in order; it stays away."""
        await asyncio.to_thread(self.embedded.stop)

    async def start(self) -> None:
        """Start it again."""
        await asyncio.to_thread(self.embedded.start)

    async def stop_and_start(self) -> None:
        """As in an upgrade."""
        await self.stop()
        await self.start()

    def first_process(self) -> int | None:
        """The number of the server's first process, while there is one."""
        pid_file = self.embedded.data_dir / "postgres" / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        return int(lines[0]) if lines else None

    async def kill(self) -> None:
        """Kill the server's first process. Its guard starts another."""
        killed = self.first_process()
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        async def another_runs() -> bool:
            return self.first_process() not in (None, killed) and await ready(self.service)

        await wait_until(another_runs, "another server runs")

    async def kill_backend(self) -> None:
        """Kill one process of the service's connections: the server ends all and recovers."""
        owner = await asyncpg.connect(self.owner_url)
        try:
            pid = await owner.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'product-factory'"
            )
        finally:
            await owner.close()
        os.kill(pid, signal.SIGKILL)


def server_of(data: Path) -> EmbeddedPostgres:
    """The server of a data directory."""
    named = os.environ.get("FACTORY_TEST_PG_BIN")
    return EmbeddedPostgres(data, bin_dir=Path(named) if named else None, options=SERVER_OPTIONS)


@pytest.fixture(scope="session")
async def migrated_data(shared_directory: Path) -> Path:
    """A data directory in which nothing runs, with a migrated database."""
    data = shared_directory / "migrated"
    with once(data) as missing:
        if missing:
            with server_of(data) as embedded:
                server = Server(embedded=embedded, run_dir=data)
                passwords = server.passwords()
                await bootstrap(server.superuser_url, database="factory", passwords=passwords)
                await migrate(server.database("factory").owner_url)
    return data


@pytest.fixture
def embedded(shared_directory: Path, migrated_data: Path) -> Iterator[EmbeddedPostgres]:
    """A server of this test alone."""
    # A short path, so that the socket is in the data directory and stays the same.
    with (
        tempfile.TemporaryDirectory(prefix="gone-", dir=shared_directory) as directory,
        server_of(copy_of(migrated_data, Path(directory) / "var")) as embedded,
    ):
        yield embedded


@pytest.fixture
async def own(embedded: EmbeddedPostgres) -> AsyncIterator[Own]:
    """A service on that server."""
    server = Server(embedded=embedded, run_dir=embedded.data_dir)
    database = Database(name="factory", server=server)
    owner_url = database.owner_url
    owner = await asyncpg.connect(owner_url)
    await open_gates(owner)
    template = await make_template(owner)
    async with running_service(database, owner) as service:
        await owner.close()
        yield Own(embedded, owner_url, service, template)


def order(own: Own) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": own.template.key,
    }


async def ready(service: Service) -> bool:
    """Whether the service says that it can work."""
    return (await service.anonymous.get("/readyz")).status_code == 200


async def send(service: Service, request: ExampleRequest) -> httpx.Response:
    """The answer to one of the example requests. TimeoutError if there never is one."""
    async with asyncio.timeout(LONGEST_ANSWER_S):
        return await service.admin.request(
            request.method,
            request.path,
            params=dict(request.query),
            json=request.json,
            headers={"If-Match": '"1"', "Content-Type": request.content_type},
        )


async def test_without_its_database_every_operation_says_when_to_come_back(own: Own) -> None:
    service = own.service
    requests = list(example_requests(service.app, BODIES))
    known = order(own)
    composed = (await service.admin.post(COMPOSE, json=known)).json()
    # The key is known for ever, so that the operations themselves are reached, not only the
    # look at the key.
    with_known_key = Authenticator(service.app.state.database, clock=lambda: 0.0)
    with_unknown_key = Authenticator(service.app.state.database)
    service.app.state.authenticator = with_known_key
    assert (await service.admin.get("/gates")).status_code == 200

    await own.stop()
    for authenticator in (with_known_key, with_unknown_key):
        service.app.state.authenticator = authenticator
        for request in requests:
            answer = await send(service, request)
            if request.operation_id in UNMOVED:
                assert answer.status_code in (200, 404), request
                continue
            assert answer.status_code == 503, f"{request}: {answer.status_code} {answer.text}"
            assert answer.headers["retry-after"] == "1"
            if request.operation_id != "readyz":
                assert_problem(answer, "database_unavailable", instance=request.path, retry_after=1)
    alive = await service.anonymous.get("/livez")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    assert not await ready(service)

    async def no_connection_is_held() -> bool:
        return bool(service.app.state.database.pool_status()["checked_out"] == 0)

    await wait_until(no_connection_is_held, "no connection is held")
    await own.start()
    await wait_until(lambda: ready(service), "the service recovers by itself")
    again = await service.admin.post(COMPOSE, json=known)
    assert (again.status_code, again.json()) == (200, composed | {"outcome": "idempotent_replay"})
    for request in requests:
        if request.operation_id == ENDLESS:
            continue
        answer = await send(service, request)
        assert answer.status_code < 500, f"{request}: {answer.status_code} {answer.text}"


HOWS: dict[str, Callable[[Own], Awaitable[None]]] = {
    "stopped and started": Own.stop_and_start,
    "killed": Own.kill,
    "a backend killed": Own.kill_backend,
}


@pytest.mark.parametrize("how", HOWS)
async def test_while_it_goes_and_comes_back_every_event_is_composed_once(
    own: Own, how: str
) -> None:
    """Eight clients go on composing, each sending again what was answered 503."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    answered: dict[str, list[int]] = {}
    back = asyncio.Event()

    async def client() -> None:
        while not back.is_set():
            sent = order(own)
            statuses = answered.setdefault(sent["event_id"], [])
            while not statuses or statuses[-1] == 503:
                answer = await own.service.producer.post(COMPOSE, json=sent)
                statuses.append(answer.status_code)
                if answer.status_code == 503:
                    assert answer.headers["retry-after"] == "1"
                    await asyncio.sleep(chance.uniform(0.01, 0.05))

    async def composed(number: int) -> bool:
        return sum(bool(statuses) and statuses[-1] < 300 for statuses in answered.values()) > number

    clients = [asyncio.ensure_future(client()) for _ in range(8)]
    await wait_until(lambda: composed(50), "composing is under way")
    await HOWS[how](own)
    so_far = len(answered)
    await wait_until(lambda: composed(so_far + 50), "composing goes on")
    back.set()
    await asyncio.gather(*clients)
    print(
        f"{len(answered)} events, {sum(map(len, answered.values())) - len(answered)} answered 503"
    )

    assert {status for statuses in answered.values() for status in statuses} <= {200, 201, 503}
    # Nothing but a lost answer may be told as a replay.
    assert all(503 in statuses for statuses in answered.values() if statuses[-1] == 200)
    owner = await asyncpg.connect(own.owner_url)
    try:
        events = await owner.fetch(
            """SELECT l.event_id
                 FROM iu_core.iu_auto_instantiate_event_log AS l
                 JOIN iu_core.iu_collection_template_instance_lineage AS g
                USING (instance_collection_id)
                 JOIN iu_core.iu_piece_collection AS c
                   ON c.collection_id = l.instance_collection_id
                 JOIN iu_core.event_outbox AS o ON o.subject_id = l.instance_collection_id"""
        )
    finally:
        await owner.close()
    assert sorted(str(row["event_id"]) for row in events) == sorted(answered)
    report = (await own.service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])


@pytest.mark.parametrize("how", HOWS)
async def test_an_operation_goes_on_when_it_is_back(own: Own, how: str) -> None:
    client = own.service.producer
    started = await start(client, [order(own) for _ in range(4_000)])

    async def is_under_way() -> bool:
        return bool((await read(client, started))["composed"])

    await wait_until(is_under_way, "the operation is under way")
    await HOWS[how](own)
    await wait_until(lambda: ready(own.service), "the service recovers by itself")
    done = await reached(client, started, "completed")
    assert counted(done) == {"composed": 4_000}
    report = (await own.service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])
