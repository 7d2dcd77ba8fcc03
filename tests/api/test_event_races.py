"""Events over HTTP against changes of the rules, other services, and firing again: step by step."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.api.test_events import TYPE, event, make_route, send
from tests.support import events as below
from tests.support.databases import Database
from tests.support.http import Service, running_service
from tests.support.interleaving import DEADLINE, wait_until
from tests.support.mutation import take_out
from tests.support.parameters import NAMED, ask_for
from tests.support.templates import Template, close_gates, make_template, open_gates

EVER = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}

RECORD_OF_DRY_RUNS = {"iu_command_record", "iu_template_counter"}
"""That one was asked for, and how often."""

WAITING = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'product-factory'
       AND wait_event_type = 'Lock' AND wait_event = 'advisory'
"""


@pytest.fixture
async def template(service: Service, owner: asyncpg.Connection) -> Template:
    """A template that asks for data, a type that is known, and the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    known = await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    assert known.status_code == 200, known.text
    made = await make_template(owner)
    await ask_for(owner, made, NAMED)
    return made


@pytest.fixture
async def other(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Service]:
    """A second service on the same database, with pools and rules of its own."""
    async with running_service(database, owner) as running:
        yield running


async def refire(service: Service, **members: Any) -> httpx.Response:
    """Fire again whatever came ever; no dry run."""
    order = {**EVER, "dry_run": False, **members}
    return await service.operator.post("/events/refire", json=order)


async def put_again(connection: asyncpg.Connection, route: dict[str, Any], **members: Any) -> None:
    """Change a route in the connection's transaction, as another service does."""
    answer = await below.put_route(
        connection, route["template"], pattern=TYPE, route_id=UUID(route["route_id"]), **members
    )
    assert answer["status"] == "ok"


async def one_waits(observer: asyncpg.Connection) -> None:
    """Until the service waits for a lock that a test holds."""

    async def waiting() -> bool:
        return bool(await observer.fetchval(WAITING))

    await wait_until(waiting, "the service waits")


async def refused_events(service: Service, owner: asyncpg.Connection, number: int) -> None:
    """Events whose routes were refused at the closed gates of composing; then they are opened."""
    await close_gates(owner)
    await open_gates(owner, "event_intake_enabled")
    answer = await send(service.producer, [event(place) for place in range(number)])
    assert answer.json()["accepted"] == number
    await open_gates(owner)


async def contents(owner: asyncpg.Connection) -> dict[str, str]:
    """A digest of every row of each table."""
    tables = await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'iu_core'")
    return {
        table: await owner.fetchval(
            f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM iu_core.{table} AS t"
        )
        for (table,) in tables
    }


def composed_by(*services: Service) -> int:
    """How many instances the services have counted in their metrics."""
    samples = (
        service.app.state.metrics.registry.get_sample_value(
            "factory_outcomes_total", {"outcome": "composed"}
        )
        for service in services
    )
    return int(sum(sample or 0 for sample in samples))


async def test_two_services_that_take_the_same_events_at_once_answer_the_same(
    service: Service, other: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(service, template)
    batch = [event(number) for number in range(200)]
    answers = await asyncio.gather(
        send(service.producer, batch), send(other.producer, list(reversed(batch)))
    )
    outcomes: Counter[str] = Counter()
    told: dict[str, list[Any]] = {}
    for answer in answers:
        for item in answer.json()["items"]:
            outcomes[item.pop("outcome")] += 1
            told.setdefault(item["id"], []).append(item)
    assert outcomes == {"accepted": 200, "known": 200}
    assert all(one == another for one, another in told.values())
    assert {result["outcome"] for one, _ in told.values() for result in one["results"]} == {
        "composed"
    }
    again = (await send(service.producer, batch[:20])).json()["items"]
    assert [{**told[item["id"]][0], "outcome": "known"} for item in again] == again
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_event") == 200
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_event_result") == 200
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log") == 200
    assert composed_by(service, other) == 200


async def test_what_another_service_changed_holds_for_the_next_event(
    service: Service, other: Service, template: Template
) -> None:
    """This one has judged by the older rules before, and nobody has told it."""
    order = {"key": "onboarding", "event_type": TYPE, "template": template.key, "reason": "test"}
    path = f"/event-routes/{(await make_route(other, template))['route_id']}"

    async def suffixes(number: int) -> list[str]:
        taken = await send(service.producer, event(number))
        assert taken.status_code == 201, taken.text
        return [result["suffix"] for result in taken.json()["results"]]

    assert await suffixes(1) == [""]
    await other.operator.put(path, json={**order, "enabled": True, "suffix": "event.id"})
    assert await suffixes(2) == ["hire-2"]
    await other.operator.put(path, json={**order, "enabled": False})
    assert await suffixes(3) == []
    await other.operator.put(path, json={**order, "enabled": True})
    assert await suffixes(4) == [""]
    gone = await other.operator.delete(path, params={"reason": "test"})
    assert gone.status_code == 204
    assert await suffixes(5) == []


async def test_an_event_that_waits_for_a_change_goes_by_the_new_route(
    service: Service, app_conn: asyncpg.Connection, observer: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(service, template)
    assert (await send(service.producer, event(1))).status_code == 201
    async with app_conn.transaction():
        await put_again(app_conn, route, suffix="event.id")
        sending = asyncio.ensure_future(send(service.producer, event(2)))
        await one_waits(observer)
    (result,) = (await sending).json()["results"]
    assert (result["outcome"], result["suffix"]) == ("composed", "hire-2")


async def test_a_route_that_was_switched_off_meanwhile_is_not_fired_again(
    service: Service,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    observer: asyncpg.Connection,
    template: Template,
) -> None:
    route = await make_route(service, template)
    await refused_events(service, owner, 3)
    async with app_conn.transaction():
        await put_again(app_conn, route, enabled=False)
        firing = asyncio.ensure_future(refire(service))
        await one_waits(observer)
    fired = (await firing).json()
    assert (fired["events"], fired["not_taken"]) == (3, 3)
    assert {(one["outcome"], one["details"]["why"]) for one in fired["items"]} == {
        ("not_taken", "not_in_force")
    }
    outcomes = await owner.fetch("SELECT outcome, firings FROM iu_core.iu_event_result")
    assert [tuple(row) for row in outcomes] == [("refused", 1)] * 3


async def test_rules_that_change_each_time_are_too_much(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(service, template)
    await refused_events(service, owner, 1)
    before = await contents(owner)
    await take_out(owner, "fn_iu_event_rules_hold", "r.revision = p_revision", "false")
    for answer in (await send(service.producer, event(7)), await refire(service)):
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
    batch = (await send(service.producer, [event(8), event(9)])).json()
    assert [item["code"] for item in batch["items"]] == ["overloaded", "overloaded"]
    assert await contents(owner) == before


async def test_of_two_services_that_fire_the_same_again_each_route_is_fired_once(
    service: Service, other: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(service, template)
    await refused_events(service, owner, 40)
    answers = await asyncio.gather(refire(service), refire(other))
    first, second = (answer.json() for answer in answers)
    assert {(one["events"], one["composed"]) for one in (first, second)} <= {(40, 40), (0, 0)}
    results = await owner.fetch("SELECT outcome, firings FROM iu_core.iu_event_result")
    assert [tuple(row) for row in results] == [("composed", 2)] * 40
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log") == 40
    assert composed_by(service, other) == 40


async def test_trying_stores_nothing_and_waits_for_nobody_who_takes_events(
    service: Service, owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(service, template)
    await refused_events(service, owner, 2)
    await make_route(service, template, key="new", suffix="event.id")
    before = await contents(owner)
    async with app_conn.transaction():
        firing = below.a_firing(UUID(route["route_id"]), template)
        revision = await below.edition(app_conn)
        await below.take(app_conn, below.an_event(revision, firing, event_type=TYPE))
        path = f"/event-routes/{route['route_id']}/simulate"
        simulated = await asyncio.wait_for(service.operator.post(path), DEADLINE)
        assert await contents(owner) == before
        trying = refire(service, dry_run=True, not_taken=True)
        tried = await asyncio.wait_for(trying, DEADLINE)
        after = await contents(owner)
    assert {table for table in before if after[table] != before[table]} == RECORD_OF_DRY_RUNS
    body = simulated.json()
    assert (body["events"], body["taken"]) == (2, 2)
    assert {item["outcome"] for item in body["items"]} == {"composed"}
    document = tried.json()
    assert (document["dry_runs"], len(document["items"])) == (4, 4)
    assert {item["details"]["would_be"] for item in document["items"]} == {"composed"}
