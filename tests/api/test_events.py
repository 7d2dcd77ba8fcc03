"""`/events`: what comes in, what came of it, and firing it again. Exact JSON."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import ANY
from uuid import UUID

import asyncpg
import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent as SdkEvent

from app.events.identity import event_id
from tests.support.http import Service, client_of, make_key, problem
from tests.support.templates import Template, close_gates, make_template, open_gates

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
TYPE = "employee.hired"


@pytest.fixture
async def template(service: Service, owner: asyncpg.Connection) -> Template:
    """A template to compose from, a type that is known, and the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    known = await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    assert known.status_code == 200, known.text
    return await make_template(owner)


def event(number: int = 1, **members: Any) -> dict[str, Any]:
    """A CloudEvent."""
    return {
        "specversion": "1.0",
        "id": f"hire-{number}",
        "source": "/hr/eu",
        "type": TYPE,
        "data": {"name": "Ada", "country": "DE"},
        **members,
    }


async def send(client: httpx.AsyncClient, document: Any) -> httpx.Response:
    """Send one event, or a list of them as a batch."""
    content_type = BATCH if isinstance(document, list) else ONE
    return await client.post("/events", json=document, headers={"content-type": content_type})


async def make_route(service: Service, template: Template | str, **members: Any) -> dict[str, Any]:
    """A route that is in force."""
    order = {
        "key": "onboarding",
        "enabled": True,
        "event_type": TYPE,
        "template": template if isinstance(template, str) else template.key,
        "actor": "operator-hr",
        "reason": "test",
        **members,
    }
    answer = await service.operator.post("/event-routes", json=order)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def result(route: dict[str, Any], template: Template, **members: Any) -> dict[str, Any]:
    """What came of a route."""
    return {
        "route_id": route["route_id"],
        "route": route["key"],
        "outcome": "composed",
        "code": None,
        "instance_collection_id": ANY,
        "rolled_back_at": None,
        "template": template.key,
        "suffix": "",
        "details": {},
        "fired_at": ANY,
        "firings": 1,
        **members,
    }


async def test_an_event_composes_along_the_routes_that_it_takes(
    service: Service, template: Template
) -> None:
    route = await make_route(
        service,
        template,
        filter='data.country == "DE"',
        suffix="event.id",
        mapping={"name": "data.name"},
    )
    await make_route(service, template, key="elsewhere", filter='data.country == "FR"')
    await make_route(service, template, key="missing", filter="data.person.start == 1")
    await make_route(service, template, key="other-type", event_type="employee.left")
    await make_route(service, template, key="draft", enabled=False)
    answer = await send(service.producer, event())
    id_ = str(event_id("/hr/eu", "hire-1"))
    assert (answer.status_code, answer.headers["location"]) == (201, f"/events/{id_}")
    taken = answer.json()
    assert taken == {
        "outcome": "accepted",
        "event_id": id_,
        "source": "/hr/eu",
        "id": "hire-1",
        "type": TYPE,
        "received_at": ANY,
        "inert": False,
        "results": [result(route, template, suffix="hire-1")],
        "not_taken": [
            {"why": "filter", "detail": None, "routes": ["elsewhere"]},
            {"why": "missing", "detail": "data.person.start", "routes": ["missing"]},
        ],
    }
    instance = await service.viewer.get(
        f"/instances/{taken['results'][0]['instance_collection_id']}"
    )
    assert instance.json()["actor"] == "operator-hr"
    assert instance.json()["event_id"] == id_
    assert instance.json()["data"] == {"name": "Ada"}


async def test_an_event_that_is_sent_again_is_answered_as_before(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    await make_route(service, template)
    first = await send(service.producer, event())
    await close_gates(owner)
    again = await send(service.producer, event())
    assert again.status_code == 200
    assert again.json() == {**first.json(), "outcome": "known"}


async def test_other_content_under_the_same_id_is_a_conflict(
    service: Service, template: Template
) -> None:
    await send(service.producer, event())
    answer = await send(service.producer, event(data={"name": "Grace"}, subject="g"))
    assert answer.status_code == 422
    assert answer.json() == problem(
        "event_conflict",
        answer.headers["x-request-id"],
        "/events",
        event_id=str(event_id("/hr/eu", "hire-1")),
        fields=["data", "subject"],
    )


async def test_a_closed_intake_refuses_and_stores_nothing(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    await close_gates(owner)
    answer = await send(service.producer, event())
    assert (answer.status_code, answer.json()["code"]) == (409, "event_intake_gate_closed")
    assert (await service.viewer.get("/events")).json()["items"] == []


async def test_what_a_closed_composer_refused_is_fired_again(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    route = await make_route(service, template)
    await close_gates(owner)
    await open_gates(owner, "event_intake_enabled")
    taken = (await send(service.producer, event())).json()
    gate = "iu_core.auto_instantiate_enabled"
    refused = result(
        route,
        template,
        outcome="refused",
        code="live_gate_closed",
        instance_collection_id=None,
        details={"gate": gate},
    )
    assert (taken["outcome"], taken["results"]) == ("accepted", [refused])

    await open_gates(owner)
    when = {"received_from": "2020-01-01T00:00:00Z", "received_to": "2120-01-01T00:00:00Z"}
    tried = (await service.operator.post("/events/refire", json=when)).json()
    assert (tried["dry_run"], tried["events"], tried["dry_runs"]) == (True, 1, 1)
    assert tried["items"][0]["details"] == {"would_be": "composed"}
    fired = (await service.operator.post("/events/refire", json={**when, "dry_run": False})).json()
    assert (fired["composed"], fired["items"][0]["outcome"]) == (1, "composed")
    stored = (await service.viewer.get(f"/events/{taken['event_id']}")).json()
    assert stored["results"] == [result(route, template, firings=2)]
    again = (await service.operator.post("/events/refire", json={**when, "dry_run": False})).json()
    assert (again["events"], again["items"]) == (0, [])


async def test_a_new_route_is_fired_for_old_events_when_it_is_asked_for(
    service: Service, template: Template
) -> None:
    await send(service.producer, event())
    route = await make_route(service, template)
    order = {
        "received_from": "2020-01-01T00:00:00Z",
        "received_to": "2120-01-01T00:00:00Z",
        "dry_run": False,
    }
    nothing = (await service.operator.post("/events/refire", json=order)).json()
    assert nothing["items"] == []
    fired = await service.operator.post(
        "/events/refire", json={**order, "not_taken": True, "routes": [route["route_id"]]}
    )
    assert [item["outcome"] for item in fired.json()["items"]] == ["composed"]


async def test_an_unknown_type_is_stored_and_starts_nothing(
    service: Service, template: Template
) -> None:
    await make_route(service, template, event_type="*")
    taken = (await send(service.producer, event(type="employee.moved"))).json()
    assert (taken["outcome"], taken["inert"], taken["results"]) == ("accepted", True, [])


async def test_an_unknown_type_is_refused_where_the_setting_says_so(
    service: Service, template: Template
) -> None:
    setting = {"value": "refuse", "reason": "test"}
    await service.admin.put("/settings/unknown_event_types", json=setting)
    answer = await send(service.producer, event(type="employee.moved"))
    assert answer.status_code == 404
    assert answer.json() == problem(
        "event_type_not_found",
        answer.headers["x-request-id"],
        "/events",
        event_type="employee.moved",
    )


async def test_data_that_the_type_does_not_take_is_refused(
    service: Service, template: Template
) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}
    put = await service.operator.put(
        f"/event-types/{TYPE}", json={"data_schema": schema, "reason": "test"}
    )
    assert put.json()["version"] == 2
    answer = await send(service.producer, event(data={"age": "x"}))
    assert (answer.status_code, answer.json()["code"]) == (422, "payload_invalid")
    assert {(error["pointer"], error["rule"]) for error in answer.json()["errors"]} == {
        ("/data/age", "type"),
        ("/data/name", "required"),
    }


async def test_a_chain_that_is_too_deep_is_refused(service: Service, template: Template) -> None:
    assert (await send(service.producer, event(1, factorydepth=8))).status_code == 201
    answer = await send(service.producer, event(2, factorydepth=9))
    assert answer.status_code == 422
    assert answer.json() == problem(
        "event_chain_too_deep", answer.headers["x-request-id"], "/events", depth=9, limit=8
    )


async def test_of_a_batch_each_event_stands_for_itself(
    service: Service, template: Template
) -> None:
    route = await make_route(service, template)
    batch = [event(1), {"specversion": "1.0", "id": "x"}, event(1), event(2), event(2, subject="s")]
    answer = await send(service.producer, batch)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["total"], body["accepted"], body["known"], body["refused"]) == (5, 2, 1, 2)
    assert [item["outcome"] for item in body["items"]] == [
        "accepted",
        "refused",
        "known",
        "accepted",
        "refused",
    ]
    assert body["items"][0]["results"] == [result(route, template)]
    stored = (await service.viewer.get(f"/events/{body['items'][3]['event_id']}")).json()
    batch_id = UUID(answer.headers["x-request-id"])
    assert stored["request_id"] == str(UUID(int=batch_id.int ^ 3))
    assert (body["items"][1]["code"], body["items"][4]["code"]) == (
        "invalid_input",
        "event_conflict",
    )
    assert {error["pointer"] for error in body["items"][1]["members"]["errors"]} == {
        "/1/source",
        "/1/type",
    }


async def test_events_are_listed_the_newest_first(service: Service, template: Template) -> None:
    for number in (1, 2, 3):
        await send(service.producer, event(number))
    first = (await service.viewer.get("/events", params={"limit": 2})).json()
    rest = (
        await service.viewer.get(
            "/events", params={"limit": 2, "page_token": first["next_page_token"]}
        )
    ).json()
    assert [item["id"] for item in (*first["items"], *rest["items"])] == [
        "hire-3",
        "hire-2",
        "hire-1",
    ]
    assert rest["next_page_token"] is None
    assert first["items"][0]["event"] == event(3)


async def test_an_event_that_is_not_there_is_said_to_be_none(service: Service) -> None:
    path = f"/events/{UUID(int=7)}"
    answer = await service.viewer.get(path)
    assert answer.status_code == 404
    assert answer.json() == problem("event_not_found", answer.headers["x-request-id"], path)


async def test_another_producer_is_not_told_of_the_event(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    await send(service.producer, event())
    stranger = client_of(service.app, await make_key(owner, "producer", "stranger", ("stranger-",)))
    async with stranger:
        answer = await send(stranger, event())
    assert (answer.status_code, answer.json()["code"]) == (403, "actor_not_allowed")


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
async def test_the_public_sdk_is_a_client(
    service: Service, template: Template, write: Callable[[SdkEvent], HTTPMessage]
) -> None:
    await make_route(service, template, mapping={"who": "data.name"})
    sent = SdkEvent(
        {"id": "sdk-1", "source": "/hr/eu", "type": TYPE, "specversion": "1.0"}, {"name": "Åsa"}
    )
    message = write(sent)
    answer = await service.producer.post("/events", content=message.body, headers=message.headers)
    assert answer.status_code == 201, answer.text
    (one,) = answer.json()["results"]
    instance = (await service.viewer.get(f"/instances/{one['instance_collection_id']}")).json()
    assert (one["outcome"], instance["data"]) == ("composed", {"who": "Åsa"})


async def test_an_event_that_is_sent_many_times_at_once_composes_once(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    await make_route(service, template)
    answers = await asyncio.gather(
        *(send(service.producer, event(number % 5)) for number in range(60))
    )
    outcomes = Counter(answer.json()["outcome"] for answer in answers)
    assert outcomes == {"accepted": 5, "known": 55}
    assert (
        len({str(answer.json()["results"][0]["instance_collection_id"]) for answer in answers}) == 5
    )
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log") == 5


async def test_a_template_that_asks_for_data_judges_the_parameters_of_a_route(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    """The first event finds a process that knows nothing of the template's schema."""
    await open_gates(owner, "template_authoring_enabled", "piece_write_enabled")
    order = {
        "family": "tpl:wf:letter",
        "pieces": [{"role": "a", "media_type": "text/markdown", "title": "A", "body": "{{ who }}"}],
        "parameters": {
            "type": "object",
            "required": ["who"],
            "properties": {"who": {"type": "string"}},
        },
        "reason": "test",
    }
    assert (await service.operator.post("/templates", json=order)).status_code == 201
    for key, mapping in (("good", {"who": "data.name"}), ("bad", {"who": "1"})):
        await make_route(service, "tpl:wf:letter", key=key, mapping=mapping)
    for number in (1, 2):
        taken = (await send(service.producer, event(number))).json()
        bad, good = taken["results"]
        assert (good["route"], good["outcome"]) == ("good", "composed")
        assert (bad["outcome"], bad["code"]) == ("refused", "payload_invalid")
        assert bad["details"]["errors"][0]["pointer"] == "/data/who"
