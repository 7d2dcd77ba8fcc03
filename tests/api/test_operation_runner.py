"""What works on operations: its way around defects and trouble, its end, and its successors."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from app.services.operation_runner import CLAIM_S
from tests.support.commands import environment, hosting
from tests.support.databases import Database
from tests.support.gates import set_clock
from tests.support.http import Service, make_key, running_service
from tests.support.interleaving import wait_until
from tests.support.operations import counted, items, order, reached, read, start
from tests.support.templates import Template, close_gates, make_template, open_gates

REASON = {"reason": "test"}

# One statement writes all collections of a chunk, so one row spoils all of them.
SPOILT = """
    CREATE FUNCTION iu_core.spoils() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.collection_key LIKE '%spoilt%' THEN
            RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'spoilt';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER spoils BEFORE INSERT ON iu_core.iu_piece_collection
        FOR EACH ROW EXECUTE FUNCTION iu_core.spoils()
"""
WHOLE = "DROP TRIGGER spoils ON iu_core.iu_piece_collection"

PAUSE = """
    CREATE FUNCTION iu_core.pauses() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(4242);
        RETURN NULL;
    END $$;
    CREATE TRIGGER pauses AFTER INSERT ON iu_core.iu_auto_instantiate_event_log
        FOR EACH STATEMENT EXECUTE FUNCTION iu_core.pauses()
"""
IS_PAUSED = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


@asynccontextmanager
async def paused(owner: asyncpg.Connection, observer: asyncpg.Connection) -> AsyncIterator[None]:
    """Hold every chunk before its end, until the block ends; begins when one is held."""
    await owner.execute(PAUSE)
    await observer.execute("SELECT pg_advisory_lock(4242)")
    try:
        yield
    finally:
        await observer.execute("SELECT pg_advisory_unlock(4242)")


async def a_chunk_is_held(observer: asyncpg.Connection) -> None:
    async def held() -> bool:
        return bool(await observer.fetchval(IS_PAUSED))

    await wait_until(held, "a chunk is held")


async def composed(owner: asyncpg.Connection, operation: dict[str, Any]) -> int:
    """How many instances the operation has composed."""
    count: int = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log WHERE operation_id = $1",
        UUID(operation["operation_id"]),
    )
    return count


async def test_one_item_that_is_a_defect_fails_alone(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await owner.execute(SPOILT.format(sqlstate="P0001"))
    orders = [order(template, suffix=str(number)) for number in range(500)]
    for place in (0, 317, 318, 499):
        orders[place]["suffix"] = f"spoilt {place}"
    with capture_logs() as logged:
        started = await start(service.producer, orders)
        done = await reached(service.producer, started, "completed")
    assert [line["event"] for line in logged].count("operation_item_failed") == 4
    assert counted(done) == {"composed": 496, "failed": 4}
    failed = await items(service.producer, done, outcome="failed")
    told = [(item["ordinal"], item["code"], item["details"]) for item in failed]
    assert told == [(place + 1, "internal", None) for place in (0, 317, 318, 499)]

    await owner.execute(WHOLE)
    path = f"/operations/{started['operation_id']}/retry-failed"
    assert (await service.producer.post(path, json=REASON)).status_code == 200
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 500}
    assert await composed(owner, done) == 500


@pytest.mark.parametrize("sqlstate", ["40001", "57014", "53100"])
async def test_trouble_that_passes_fails_nothing(
    service: Service, owner: asyncpg.Connection, template: Template, sqlstate: str
) -> None:
    await owner.execute(SPOILT.format(sqlstate=sqlstate))
    orders = [order(template, suffix=suffix) for suffix in ("first", "spoilt", "last")]
    with capture_logs() as logged:
        started = await start(service.producer, orders)

        async def waits_for_the_second() -> bool:
            now = await read(service.producer, started)
            assert now["state"] == "running"
            waits = [line for line in logged if line["event"] == "operation_waits"]
            return counted(now) == {"composed": 1, "not_attempted": 2} and len(waits) > 1

        await wait_until(waits_for_the_second, "the first is composed alone, the second waits")
        await owner.execute(WHOLE)
        done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 3}


async def test_stopping_finishes_the_chunk_and_leaves_the_rest_to_others(
    service: Service,
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    async with paused(owner, observer):
        orders = [order(template) for _ in range(500)]
        started = await start(service.producer, orders)
        await a_chunk_is_held(observer)
        stopping = asyncio.create_task(service.app.state.runner.stop())
        assert counted(await read(service.producer, started)) == {"not_attempted": 500}
        assert not stopping.done()
    await stopping
    left = await read(service.producer, started)
    assert (left["state"], counted(left)) == ("running", {"composed": 200, "not_attempted": 300})
    assert await owner.fetchval("SELECT NOT is_held FROM iu_core.v_iu_operation")
    async with running_service(database, owner) as other:
        done = await reached(other.admin, started, "completed")
    assert counted(done) == {"composed": 500}
    assert await composed(owner, done) == 500


async def test_a_process_finds_what_another_was_asked_for(
    service: Service, database: Database, owner: asyncpg.Connection, template: Template
) -> None:
    await service.app.state.runner.stop()
    started = await start(service.producer, [order(template)])
    async with running_service(database, owner) as other:
        assert counted(await reached(other.admin, started, "completed")) == {"composed": 1}


async def test_several_processes_compose_everything_once(
    service: Service, database: Database, owner: asyncpg.Connection, template: Template
) -> None:
    async with running_service(database, owner) as other:
        batches = [[order(template, suffix=str(n)) for n in range(300)] for _ in range(6)]
        clients = (service.producer, other.producer)
        started = [await start(clients[n % 2], batch) for n, batch in enumerate(batches)]
        for operation in started:
            done = await reached(service.admin, operation, "completed")
            assert counted(done) == {"composed": 300}
            assert await composed(owner, done) == 300


async def test_a_closing_gate_halts_it_between_two_chunks(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    async with paused(owner, observer):
        started = await start(service.producer, [order(template) for _ in range(500)])
        await a_chunk_is_held(observer)
        await close_gates(owner)
    halted = await reached(service.producer, started, "halted")
    assert counted(halted) == {"composed": 200, "not_attempted": 300}
    await open_gates(owner)
    path = f"/operations/{started['operation_id']}/resume"
    assert (await service.producer.post(path, json=REASON)).status_code == 200
    done = await reached(service.producer, started, "completed")
    assert counted(done) == {"composed": 500}


async def test_cancelled_in_the_middle_of_a_chunk_it_keeps_that_chunk(
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    async with paused(owner, observer):
        started = await start(service.producer, [order(template) for _ in range(500)])
        await a_chunk_is_held(observer)
        path = f"/operations/{started['operation_id']}/cancel"
        cancelling = asyncio.create_task(service.producer.post(path, json=REASON))

        async def waits() -> bool:
            return bool(
                await observer.fetchval(
                    # Tests of other databases of the server run beside this one.
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND wait_event_type = 'Lock' AND wait_event = 'transactionid'"
                )
            )

        await wait_until(waits, "cancelling waits for the chunk")
    cancelled = await cancelling
    assert cancelled.status_code == 200, cancelled.text
    # Of the canceller and the next chunk, who wait for the same row, either may be the first.
    chunks = 1 if counted(cancelled.json())["composed"] == 200 else 2
    assert (cancelled.json()["state"], counted(cancelled.json())) == (
        "cancelled",
        {"composed": 200 * chunks, "not_attempted": 500 - 200 * chunks},
    )
    assert await composed(owner, started) == 200 * chunks


async def test_a_process_that_is_killed_in_the_middle_of_a_chunk_is_succeeded_by_another(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
    tmp_path: Path,
    forks: None,
) -> None:
    """Real processes, and a real SIGKILL."""
    key = await make_key(owner, "producer")
    env = environment(
        FACTORY_DATABASE_URL=database.app_url, FACTORY_DISPOSABLE_DATA="true", FACTORY_PORT="0"
    )

    async def serving(program: Any) -> httpx.AsyncClient:
        document = await asyncio.to_thread(program.document)
        return httpx.AsyncClient(
            base_url=document["url"],
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=30,
        )

    orders = [order(template, suffix=str(number)) for number in range(700)]
    with hosting("serve", "--json", env=env, cwd=tmp_path) as first:
        async with await serving(first) as client, paused(owner, observer):
            started = await start(client, orders)
            await a_chunk_is_held(observer)
            os.killpg(first.process.pid, signal.SIGKILL)
            await asyncio.to_thread(first.wait)

            async def nobody_works() -> bool:
                return not await observer.fetchval(IS_PAUSED)

        await wait_until(nobody_works, "the database has noticed")
    assert await composed(owner, started) in (0, 200)

    with hosting("serve", "--json", env=env, cwd=tmp_path) as second:
        async with await serving(second) as client:
            waiting = await read(client, started)
            assert waiting["state"] == "running"
            assert waiting["not_attempted"] >= 500, "the claim holds until its time is over"
            await set_clock(owner, timedelta(seconds=CLAIM_S + 1))
            done = await reached(client, started, "completed")
            assert counted(done) == {"composed": 700}
        assert await asyncio.to_thread(second.stop) == 0, str(second)
    assert await composed(owner, done) == 700
