"""`POST /events/refire` where nothing is there any more, or was only tried. Exact counts."""

from typing import Any

import asyncpg
import pytest

from tests.api.test_events import TYPE, event, make_route, result, send
from tests.api.test_rollback import planned
from tests.support.http import Service
from tests.support.templates import Template, close_gates, make_template, open_gates

EVER = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}


@pytest.fixture
async def template(service: Service, owner: asyncpg.Connection) -> Template:
    """A template to compose from, a type that is known, and the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    return await make_template(owner)


async def refire(service: Service, **members: Any) -> dict[str, Any]:
    """Fire again what came in ever."""
    order = {**EVER, "dry_run": False, **members}
    answer = await service.operator.post("/events/refire", json=order)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def roll_back(service: Service, event_id: str, *, release_keys: bool) -> None:
    """Roll back what an event composed."""
    order = {**await planned(service.operator, event_id=event_id), "release_keys": release_keys}
    applied = await service.admin.post("/rollback/apply", json=order)
    assert applied.json()["deleted"] == 1, applied.text


async def test_what_was_rolled_back_is_told_wherever_the_event_is_read(
    service: Service, template: Template
) -> None:
    route = await make_route(service, template)
    taken = (await send(service.producer, event())).json()
    await roll_back(service, taken["event_id"], release_keys=False)
    again = (await send(service.producer, event())).json()
    (told,) = again["results"]
    assert told["rolled_back_at"] > told["fired_at"]
    gone = result(route, template, rolled_back_at=told["rolled_back_at"])
    assert again == {**taken, "outcome": "known", "results": [gone]}
    assert (await service.viewer.get(f"/events/{taken['event_id']}")).json()["results"] == [gone]
    listed = (await service.viewer.get("/events", params={"unfinished": True})).json()
    assert listed["items"] == []  # it was meant


async def test_what_was_rolled_back_is_composed_again_where_its_key_was_released(
    service: Service, template: Template
) -> None:
    route = await make_route(service, template)
    taken = (await send(service.producer, event())).json()
    await roll_back(service, taken["event_id"], release_keys=True)
    assert (await refire(service))["events"] == 0
    tried = await refire(service, not_taken=True, dry_run=True)
    assert tried["items"][0]["details"] == {"would_be": "composed"}
    fired = await refire(service, not_taken=True)
    made = taken["results"][0]["instance_collection_id"]
    assert (fired["composed"], fired["items"][0]["instance_collection_id"]) == (1, made)
    again = (await send(service.producer, event())).json()
    assert again["results"] == [result(route, template, firings=2)]
    assert (await service.viewer.get(f"/instances/{made}")).status_code == 200
    assert (await refire(service, not_taken=True))["items"] == []


async def test_what_was_rolled_back_stays_so_where_its_key_was_not_released(
    service: Service, template: Template
) -> None:
    route = await make_route(service, template)
    taken = (await send(service.producer, event())).json()
    await roll_back(service, taken["event_id"], release_keys=False)
    fired = await refire(service, not_taken=True)
    assert (fired["refused"], fired["items"][0]["code"]) == (1, "rolled_back")
    (kept,) = (await send(service.producer, event())).json()["results"]
    assert kept == result(route, template, rolled_back_at=kept["rolled_back_at"])


async def test_what_was_only_tried_is_fired_once_its_route_is_live(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    route = await make_route(service, template, emit_mode="dry_run")
    taken = (await send(service.producer, event())).json()
    assert taken["results"][0]["outcome"] == "dry_run"
    assert (await refire(service, not_taken=True))["items"] == []
    order = {
        "key": "onboarding",
        "enabled": True,
        "event_type": TYPE,
        "template": template.key,
        "reason": "live",
    }
    await service.operator.put(f"/event-routes/{route['route_id']}", json=order)
    assert (await refire(service))["items"] == []
    await close_gates(owner)
    assert (await refire(service, not_taken=True))["refused"] == 1
    await open_gates(owner)
    assert (await refire(service, not_taken=True))["composed"] == 1
    stored = (await service.viewer.get(f"/events/{taken['event_id']}")).json()
    assert stored["results"] == [result(route, template, firings=2)]


async def test_a_refusal_of_a_route_that_was_removed_is_unfinished_no_more(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    route = await make_route(service, template)
    await close_gates(owner)
    await open_gates(owner, "event_intake_enabled")
    taken = (await send(service.producer, event())).json()
    unfinished = {"unfinished": True}
    (one,) = (await service.viewer.get("/events", params=unfinished)).json()["items"]
    assert one["event_id"] == taken["event_id"]
    await service.operator.delete(f"/event-routes/{route['route_id']}", params={"reason": "test"})
    assert (await service.viewer.get("/events", params=unfinished)).json()["items"] == []
    assert (await refire(service, not_taken=True))["items"] == []
    stored = (await service.viewer.get(f"/events/{taken['event_id']}")).json()
    assert stored["results"][0]["code"] == "live_gate_closed"
