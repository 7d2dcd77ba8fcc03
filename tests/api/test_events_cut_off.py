"""A process is killed while it takes a batch of events: nothing is lost, and nothing done twice.

What is stored is stored with its routes: decided, or pending where their data had still to be
judged by a schema that the process did not know. Either the event is sent again or fired again.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.api.test_events import TYPE, event, make_route, send
from tests.support.commands import environment, hosting
from tests.support.databases import Database
from tests.support.http import Service, make_key
from tests.support.interleaving import wait_until
from tests.support.parameters import NAMED, ask_for
from tests.support.templates import make_template, open_gates

EVENTS = 20
HELD = 4

# Whoever decides what was pending waits, until the test lets go.
HOLD = """
    CREATE FUNCTION iu_core.holds() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(4242);
        RETURN NEW;
    END $$;
    CREATE TRIGGER holds BEFORE UPDATE ON iu_core.iu_event_result
    FOR EACH ROW EXECUTE FUNCTION iu_core.holds()
"""
THEIRS = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND backend_start > $1 AND ($2 OR wait_event = 'advisory')
"""


@pytest.fixture
async def routed(service: Service, owner: asyncpg.Connection) -> None:
    """Events take a route to a template that asks for data."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    template = await make_template(owner)
    await ask_for(owner, template, NAMED)
    await make_route(service, template)


@pytest.fixture
async def held(owner: asyncpg.Connection, observer: asyncpg.Connection) -> AsyncIterator[None]:
    """Nobody decides what is pending."""
    await owner.execute(HOLD)
    await observer.execute("SELECT pg_advisory_lock(4242)")
    yield
    await owner.execute("DROP TRIGGER holds ON iu_core.iu_event_result")


@pytest.mark.usefixtures("routed", "held", "forks")
async def test_what_a_killed_process_left_pending_is_decided_once(
    service: Service,
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    batch = [event(number) for number in range(EVENTS)]
    began = await observer.fetchval("SELECT clock_timestamp()")
    env = environment(
        FACTORY_DATABASE_URL=database.app_url, FACTORY_DISPOSABLE_DATA="true", FACTORY_PORT="0"
    )

    async def theirs(*, all_of_them: bool) -> list[int]:
        return [row["pid"] for row in await observer.fetch(THEIRS, began, all_of_them)]

    async def some_are_held() -> bool:
        return len(await theirs(all_of_them=False)) >= HELD

    async def none_is_left() -> bool:
        return not await theirs(all_of_them=True)

    with hosting("serve", "--json", env=env, cwd=tmp_path) as program:
        url = (await asyncio.to_thread(program.document))["url"]
        headers = {"Authorization": f"Bearer {await make_key(owner, 'producer', 'producer-bot')}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as client:
            sending = asyncio.ensure_future(send(client, batch))
            await wait_until(some_are_held, "routes are being decided")
            program.stop(signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await sending
    # Of those that were under way some are lost with their connections; the others are done, unless
    # the database has noticed before that nobody is there any more.
    lost = (await theirs(all_of_them=False))[: HELD // 2]
    for pid in lost:
        await observer.execute("SELECT pg_terminate_backend($1, 10000)", pid)
    await observer.execute("SELECT pg_advisory_unlock(4242)")
    await wait_until(none_is_left, "the database has noticed")
    left = Counter(
        row["outcome"] for row in await owner.fetch("SELECT outcome FROM iu_core.iu_event_result")
    )
    assert left["composed"] + left["pending"] == EVENTS
    assert left["pending"] >= len(lost)

    half = (await send(service.producer, batch[: EVENTS // 2])).json()
    assert (half["known"], half["refused"]) == (EVENTS // 2, 0)
    unfinished = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_event_result WHERE outcome = 'pending'"
    )
    order = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}
    refired = await service.operator.post("/events/refire", json={**order, "dry_run": False})
    assert refired.json()["composed"] == unfinished

    whole = (await send(service.producer, batch)).json()
    assert whole["known"] == EVENTS
    assert [[one["outcome"] for one in item["results"]] for item in whole["items"]] == [
        ["composed"]
    ] * EVENTS
    assert half["items"] == whole["items"][: EVENTS // 2]
    composed = await owner.fetch(
        "SELECT event_id, instance_collection_id FROM iu_core.iu_auto_instantiate_event_log"
    )
    assert {(str(row["event_id"]), str(row["instance_collection_id"])) for row in composed} == {
        (item["event_id"], item["results"][0]["instance_collection_id"]) for item in whole["items"]
    }
    assert len(composed) == EVENTS
    report = (await service.admin.get("/observability/integrity")).json()
    assert (report["holds"], report["findings"]) == (True, [])
