"""The server process is killed between any two statements of a command: all of it, or nothing.

A trigger on one table at a time holds the command there until its process has been killed; every
table that a command writes to has its turn, before the statement and after it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.db.engine import ATTEMPTS
from tests.api.test_events import TYPE, event, make_route, send
from tests.support.http import Service
from tests.support.interleaving import wait_until
from tests.support.templates import Template, close_gates, make_template, open_gates

INSTANCE_TABLES = (
    "iu_piece_collection",
    "iu_collection_template_instance_lineage",
    "iu_auto_instantiate_event_log",
    "event_outbox",
    "iu_template_counter",
)
EVENT_TABLES = ("iu_event", "iu_event_result")
ALL_TABLES = (*INSTANCE_TABLES, *EVENT_TABLES, "iu_instance_tombstone", "iu_command_record")

PAUSE = """
    CREATE FUNCTION iu_core.pauses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(4242);
        RETURN NULL;
    END $$
"""

PAUSED = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""

# Each of the four tables has a row for exactly the same instances.
DISAGREEING = """
    WITH collections AS (
        SELECT collection_id AS id FROM iu_core.iu_piece_collection WHERE is_instance
    ), lineage AS (
        SELECT instance_collection_id AS id FROM iu_core.iu_collection_template_instance_lineage
    ), log AS (
        SELECT instance_collection_id AS id FROM iu_core.iu_auto_instantiate_event_log
    ), messages AS (
        SELECT subject_id AS id FROM iu_core.event_outbox
         WHERE event_type = 'iu.template.instance_auto_composed' AND cancelled_at IS NULL
    ), united AS (
        SELECT id FROM collections UNION SELECT id FROM lineage
        UNION SELECT id FROM log UNION SELECT id FROM messages
    )
    SELECT id FROM united
     WHERE id NOT IN (SELECT id FROM collections) OR id NOT IN (SELECT id FROM lineage)
        OR id NOT IN (SELECT id FROM log) OR id NOT IN (SELECT id FROM messages)
"""

Command = Callable[[], Awaitable[httpx.Response]]


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, and the function that pauses."""
    await owner.execute(PAUSE)
    await open_gates(owner)
    return await make_template(owner)


def order(of: Template, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": of.key,
        **members,
    }


async def contents(observer: asyncpg.Connection) -> dict[str, str]:
    """A digest of every row of each table."""
    return {
        table: await observer.fetchval(
            f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM iu_core.{table} AS t"
        )
        for table in ALL_TABLES
    }


async def assert_all_agree(service: Service, observer: asyncpg.Connection) -> None:
    """No instance is there in part, and the counters say how many there are."""
    assert await observer.fetch(DISAGREEING) == []
    report = (await service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])


def steps(*tables: str) -> Iterator[tuple[str, str]]:
    """Before and after the statements of each table."""
    return ((table, when) for table in tables for when in ("BEFORE", "AFTER"))


@asynccontextmanager
async def paused_at(
    owner: asyncpg.Connection, observer: asyncpg.Connection, table: str, when: str
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Hold commands at a table; gives a function that kills the one that is held there."""
    await owner.execute(
        f"""CREATE TRIGGER pauses {when} INSERT OR UPDATE OR DELETE ON iu_core.{table}
            FOR EACH STATEMENT EXECUTE FUNCTION iu_core.pauses()"""
    )
    killed: set[int] = set()

    async def kill() -> None:
        held: list[int] = []

        async def one_is_held() -> bool:
            held[:] = [
                row["pid"] for row in await observer.fetch(PAUSED) if row["pid"] not in killed
            ]
            return bool(held)

        await wait_until(one_is_held, f"a command is held {when.lower()} writing to {table}")
        killed.update(held)
        for pid in held:
            assert await observer.fetchval("SELECT pg_terminate_backend($1, 10000)", pid)

    await observer.execute("SELECT pg_advisory_lock(4242)")
    try:
        yield kill
    finally:
        await observer.execute("SELECT pg_advisory_unlock(4242)")
    await owner.execute(f"DROP TRIGGER pauses ON iu_core.{table}")


async def killed_at_each_step(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    command: Command,
    table: str,
    when: str,
) -> httpx.Response:
    """What the command answers at last: killed at a step as often as it is sent, then once."""
    before = await contents(observer)
    async with paused_at(owner, observer, table, when) as kill:
        request = asyncio.ensure_future(command())
        for _ in range(ATTEMPTS):
            await kill()
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"] == "1"
        assert await contents(observer) == before, f"killed {when} {table}, it left something"

        request = asyncio.ensure_future(command())
        await kill()
    answer = await request
    await assert_all_agree(service, observer)
    return answer


async def test_composing(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    for table, when in steps(*INSTANCE_TABLES):
        sent = order(template)

        async def compose(sent: dict[str, Any] = sent) -> httpx.Response:
            return await service.producer.post("/instances/from-event", json=sent)

        answer = await killed_at_each_step(service, owner, observer, compose, table, when)
        assert (answer.status_code, answer.json()["outcome"]) == (201, "composed")
        again = await compose()
        assert again.json() == answer.json() | {"outcome": "idempotent_replay"}


async def test_an_atomic_bulk(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    for table, when in steps(*INSTANCE_TABLES):
        sent = [order(template, suffix=f"item {number}") for number in range(3)]

        async def compose(sent: list[dict[str, Any]] = sent) -> httpx.Response:
            return await service.producer.post("/instances/bulk?atomic=true", json=sent)

        answer = await killed_at_each_step(service, owner, observer, compose, table, when)
        document = answer.json()
        assert (document["composed"], document["replayed"]) == (3, 0)
        assert (await compose()).json()["replayed"] == 3


@pytest.mark.parametrize("emit_mode", ["dry_run", "live"])
async def test_what_is_only_recorded(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    emit_mode: str,
) -> None:
    """A dry run, and a refusal: each is in the record once for each that was answered."""
    names = "tpl:no:such" if emit_mode == "live" else template.key
    for number, (table, when) in enumerate(steps("iu_command_record"), start=1):

        async def compose() -> httpx.Response:
            return await service.producer.post(
                "/instances/from-event",
                json=order(template, template=names, emit_mode=emit_mode),
            )

        answer = await killed_at_each_step(service, owner, observer, compose, table, when)
        assert answer.status_code == (404 if emit_mode == "live" else 200)
        recorded = await owner.fetchval("SELECT count(*) FROM iu_core.iu_command_record")
        assert recorded == number


async def test_probing(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    before = await contents(observer)
    for table, when in steps(*INSTANCE_TABLES, "iu_command_record", "iu_core_config"):

        async def probe() -> httpx.Response:
            return await service.operator.post("/observability/probes")

        answer = await killed_at_each_step(service, owner, observer, probe, table, when)
        assert (answer.status_code, answer.json()["verdict"]) == (200, "holds")
        assert await contents(observer) == before


async def test_a_rollback(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    for table, when in steps(*INSTANCE_TABLES, "iu_instance_tombstone"):
        sent = order(template)
        composed = await service.producer.post("/instances/from-event", json=sent)
        assert composed.status_code == 201

        async def roll_back() -> httpx.Response:
            return await service.producer.post(
                "/rollback/by-actor", json={"actor": "producer-bot", "dry_run": False}
            )

        answer = await killed_at_each_step(service, owner, observer, roll_back, table, when)
        assert answer.status_code == 200
        assert answer.json()["instances"] == 1
        late = await service.producer.post("/instances/from-event", json=sent)
        assert (late.status_code, late.json()["code"]) == (409, "rolled_back")


@pytest.fixture
async def known_type(service: Service, owner: asyncpg.Connection, template: Template) -> None:
    """Events come in, and take a route to the template."""
    await open_gates(owner, "event_intake_enabled")
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    await make_route(service, template)


@pytest.mark.usefixtures("known_type")
async def test_taking_an_event(
    service: Service, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    for number, (table, when) in enumerate(steps(*EVENT_TABLES)):

        async def take(number: int = number) -> httpx.Response:
            return await send(service.producer, event(number))

        answer = await killed_at_each_step(service, owner, observer, take, table, when)
        assert (answer.status_code, answer.json()["outcome"]) == (201, "accepted")
        assert [result["outcome"] for result in answer.json()["results"]] == ["composed"]
        assert (await take()).json() == answer.json() | {"outcome": "known"}


@pytest.mark.usefixtures("known_type")
async def test_firing_an_event_again(
    service: Service, owner: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    for number, (table, when) in enumerate(steps("iu_event_result")):
        await close_gates(owner)
        await open_gates(owner, "event_intake_enabled")
        refused = await send(service.producer, event(number))
        assert [result["outcome"] for result in refused.json()["results"]] == ["refused"]
        await open_gates(owner)

        async def refire() -> httpx.Response:
            return await service.operator.post(
                "/events/refire",
                json={
                    "received_from": "2020-01-01T00:00:00Z",
                    "received_to": "2120-01-01T00:00:00Z",
                    "dry_run": False,
                },
            )

        answer = await killed_at_each_step(service, owner, observer, refire, table, when)
        assert (answer.status_code, answer.json()["composed"]) == (200, 1)
        stored = (await send(service.producer, event(number))).json()["results"]
        assert [(one["outcome"], one["firings"]) for one in stored] == [("composed", 2)]
