"""Events with many routes, many actors and much data: in portions, each of them to its end."""

import asyncio
from collections import Counter
from typing import Any

import asyncpg
import pytest

from app import turns
from app.db import events_read
from tests.api.test_events import TYPE, event, send
from tests.support import events as below
from tests.support.http import Service
from tests.support.templates import Template, make_template, open_gates

EVER = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}


@pytest.fixture
async def template(service: Service, owner: asyncpg.Connection) -> Template:
    """A template to compose from, a type that is known, and the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    return await make_template(owner)


async def make_routes(
    app_conn: asyncpg.Connection, template: Template, count: int, **members: Any
) -> None:
    """Routes that make an instance each, and are each somebody else's."""
    for number in range(count):
        route = {"route_actor": f"hr-{number}", "suffix": f"'{number}'", **members}
        await below.make_route(app_conn, template, f"r{number}", pattern=TYPE, **route)


def outcomes(answer: dict[str, Any]) -> Counter[tuple[str, int]]:
    """How many results came out, and after how many firings."""
    return Counter((one["outcome"], one["firings"]) for one in answer["results"])


async def test_routes_of_more_actors_than_a_call_takes_are_all_fired(
    service: Service, app_conn: asyncpg.Connection, template: Template
) -> None:
    await make_routes(app_conn, template, 70)
    taken = await send(service.producer, event())
    assert (taken.status_code, outcomes(taken.json())) == (201, {("composed", 1): 70})
    again = await send(service.producer, event())
    assert (again.json()["outcome"], again.json()["results"]) == ("known", taken.json()["results"])


async def test_events_are_fired_again_for_more_actors_than_a_call_takes(
    service: Service, app_conn: asyncpg.Connection, template: Template
) -> None:
    await send(service.producer, event())
    await make_routes(app_conn, template, 70)
    order = {**EVER, "not_taken": True}
    tried = (await service.operator.post("/events/refire", json=order)).json()
    assert (tried["dry_runs"], len(tried["items"])) == (70, 70)
    fired = await service.operator.post("/events/refire", json={**order, "dry_run": False})
    assert (fired.json()["composed"], fired.json()["events"]) == (70, 1)


async def test_routes_of_more_data_than_a_call_takes_are_all_fired(
    service: Service, app_conn: asyncpg.Connection, template: Template
) -> None:
    await make_routes(app_conn, template, 10)
    taken = await send(service.producer, event(data={"text": "x" * 900_000}))
    assert outcomes(taken.json()) == {("composed", 1): 10}


async def test_routes_that_were_not_fired_are_when_the_event_comes_again(
    service: Service,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process was killed between the first portion and the second."""

    async def killed(*_: object, **__: object) -> None:
        raise ConnectionResetError

    await make_routes(app_conn, template, 70)
    with monkeypatch.context() as patched:
        patched.setattr("app.services.firing.fire_routes", killed)
        assert (await send(service.producer, event())).status_code >= 500
    left = await owner.fetch("SELECT outcome, firings FROM iu_core.iu_event_result")
    assert Counter(map(tuple, left)) == {("composed", 1): 64, ("pending", 0): 6}
    again = (await send(service.producer, event())).json()
    assert (again["outcome"], outcomes(again)) == ("known", {("composed", 1): 70})


async def test_others_have_their_turns_while_a_batch_is_judged(
    service: Service,
    app_conn: asyncpg.Connection,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await make_routes(app_conn, template, 1, filter="data.name == 'nobody'")
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    sending = asyncio.ensure_future(send(service.producer, [event(n) for n in range(200)]))
    had = 0
    while not sending.done():
        await asyncio.sleep(0)
        had += 1
    assert (await sending).json()["accepted"] == 200
    assert had > 400  # for each event one before its type is looked at, and one before its route


async def test_a_page_of_large_events_ends_before_it_is_full(
    service: Service, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [event(number, data={"text": "x" * 500}) for number in range(7)]
    await send(service.producer, sent)
    monkeypatch.setattr(events_read, "MOST_BYTES", 1000)
    pages: list[list[str]] = []
    token: str | None = ""
    while token is not None:
        query = {"page_token": token} if token else {}
        page = (await service.viewer.get("/events", params=query)).json()
        pages.append([item["id"] for item in page["items"]])
        token = page["next_page_token"]
    assert [len(page) for page in pages] == [2, 2, 2, 1]
    assert sorted(id_ for page in pages for id_ in page) == [one["id"] for one in sent]


async def test_of_large_events_fewer_are_fired_again_in_one_request(
    service: Service,
    app_conn: asyncpg.Connection,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await send(service.producer, [event(n, data={"text": "x" * 500}) for n in range(5)])
    await make_routes(app_conn, template, 3)
    monkeypatch.setattr(events_read, "MOST_BYTES", 1000)
    order: dict[str, Any] = {**EVER, "not_taken": True, "dry_run": False}
    done = []
    while "page_token" not in order or order["page_token"] is not None:
        fired = (await service.operator.post("/events/refire", json=order)).json()
        done.append((fired["events"], fired["composed"]))
        order["page_token"] = fired["next_page_token"]
    assert done == [(2, 6), (2, 6), (1, 3)]
