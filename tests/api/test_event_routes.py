"""`/event-routes` and `/event-types`: what events are judged by. Exact JSON."""

from typing import Any
from unittest.mock import ANY
from uuid import UUID

import asyncpg
import pytest

from tests.api.test_events import TYPE, event, make_route, send
from tests.support.http import Service, client_of, make_key, problem
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(service: Service, owner: asyncpg.Connection) -> Template:
    """A template to compose from, a type that is known, and the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    await service.operator.put(f"/event-types/{TYPE}", json={"reason": "test"})
    return await make_template(owner)


async def test_a_route_is_made_read_changed_and_taken_away(
    service: Service, template: Template
) -> None:
    made = await make_route(service, template, filter="true")
    path = f"/event-routes/{made['route_id']}"
    read = await service.viewer.get(path)
    assert (read.headers["etag"], read.json()) == ('"1"', made)
    assert made == {
        "route_id": ANY,
        "key": "onboarding",
        "enabled": True,
        "event_type": TYPE,
        "filter": "true",
        "template": template.key,
        "suffix": None,
        "mapping": None,
        "emit_mode": "live",
        "description": "",
        "revision": 1,
        "actor": "operator-hr",
        "principal": ANY,
        "created_at": ANY,
        "updated_at": ANY,
        "updated_by": "operator-hr",
        "reason": "test",
    }
    order = {"key": "all", "event_type": "*", "template": template.family, "reason": "more"}
    stale = await service.operator.put(path, json=order, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    changed = await service.operator.put(path, json=order, headers={"If-Match": '"1"'})
    assert (changed.headers["etag"], changed.json()["key"], changed.json()["actor"]) == (
        '"2"',
        "all",
        "operator-bot",
    )
    listed = (await service.viewer.get("/event-routes")).json()
    assert listed == {"items": [changed.json()], "next_page_token": None}
    gone = await service.operator.delete(path, params={"reason": "test"})
    assert gone.status_code == 204
    missing = await service.viewer.get(path)
    assert missing.json() == problem(
        "event_route_not_found", missing.headers["x-request-id"], path, route=made["route_id"]
    )


async def test_a_route_composes_as_nobody_but_its_makers_actors(
    service: Service, template: Template
) -> None:
    order = {
        "key": "x",
        "event_type": TYPE,
        "template": template.key,
        "actor": "somebody-else",
        "reason": "test",
    }
    answer = await service.operator.post("/event-routes", json=order)
    assert answer.json() == problem(
        "actor_not_allowed", answer.headers["x-request-id"], "/event-routes", actor="somebody-else"
    )


async def test_who_changes_anothers_route_makes_it_their_own(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    """Its actor is one that whoever changed it last may act as, and nobody else's."""
    made = await make_route(service, template)
    path = f"/event-routes/{made['route_id']}"
    order = {
        "key": "onboarding",
        "enabled": True,
        "event_type": TYPE,
        "template": template.key,
        "reason": "mine now",
    }
    key = await make_key(owner, "operator", "it", ("it-",), principal="bert@example.org")
    async with client_of(service.app, key) as bert:
        refused = await bert.put(path, json={**order, "actor": made["actor"]})
        assert refused.status_code == 403
        assert refused.json() == problem(
            "actor_not_allowed", refused.headers["x-request-id"], path, actor=made["actor"]
        )
        assert (await bert.get(path)).json() == made
        (before,) = (await send(service.producer, event(1))).json()["results"]

        changed = await bert.put(path, json=order)
        assert changed.status_code == 200
        assert changed.json() == {
            **made,
            "revision": 2,
            "actor": "it",
            "principal": "bert@example.org",
            "updated_at": ANY,
            "updated_by": "it",
            "reason": "mine now",
        }
        (after,) = (await send(service.producer, event(2))).json()["results"]
        assert (await bert.delete(path, params={"reason": "done"})).status_code == 204
    actors = [
        (await service.viewer.get(f"/instances/{one['instance_collection_id']}")).json()["actor"]
        for one in (before, after)
    ]
    assert actors == ["operator-hr", "it"]


async def test_two_routes_have_not_the_same_key(service: Service, template: Template) -> None:
    await make_route(service, template)
    order = {"key": "onboarding", "event_type": "*", "template": template.key, "reason": "test"}
    answer = await service.operator.post("/event-routes", json=order)
    assert answer.json() == problem(
        "already_exists", answer.headers["x-request-id"], "/event-routes", key="onboarding"
    )


async def test_expressions_that_are_none_are_told_all_at_once(
    service: Service, template: Template
) -> None:
    order = {
        "key": "x",
        "event_type": TYPE,
        "template": template.key,
        "filter": "data.country ==",
        "suffix": "event.id",
        "mapping": {"name": "nonsense(", "a/b": "data.x"},
        "reason": "test",
    }
    answer = await service.operator.post("/event-routes", json=order)
    assert answer.status_code == 422
    assert [(error["pointer"], error["rule"]) for error in answer.json()["errors"]] == [
        ("/filter", "expression"),
        ("/mapping/name", "expression"),
    ]


async def test_what_a_route_asks_for_is_bounded_in_all(
    service: Service, template: Template
) -> None:
    """Each of these alone is not too much."""
    asks = "data.l.exists(x, x == 'q' || x == 'r' || x == 's' || x == 't')"
    await make_route(service, template, mapping={f"p{n:03}": asks for n in range(200)})
    data = {"l": ["a" * 80] * 1000}
    (told,) = (await send(service.producer, event(data=data))).json()["not_taken"]
    assert told["why"] == "mapping"
    assert told["detail"].partition(": ")[2] == (
        "the data is too large for this expression: it could take too long"
    )
    assert "p003" < told["detail"] < "p199"


@pytest.mark.parametrize(
    ("expression", "detail"),
    [
        (r"{'a\nb': 1}", "/x/a\nb: a name has no control characters"),
        ("[" * 22 + "data.deep" + "]" * 22, "the parameters nest deeper than 32 levels"),
        ("data.long + data.long", "x: the parameters take more than 1 MiB"),
    ],
    ids=["a name", "too deep", "too long"],
)
async def test_a_mapping_makes_no_data_that_could_not_be_sent(
    service: Service, template: Template, expression: str, detail: str
) -> None:
    """Nor does it keep the event from other routes."""
    await make_route(service, template, key="a", mapping={"x": expression})
    other = await make_route(service, template, key="b")
    data = {"long": "x" * 600_000, "deep": [[[[[[[[[[]]]]]]]]]]}
    answer = await send(service.producer, event(1, data=data))
    assert [one["route"] for one in answer.json()["results"]] == [other["key"]]
    assert [one["outcome"] for one in answer.json()["results"]] == ["composed"]
    assert answer.json()["not_taken"] == [{"why": "mapping", "detail": detail, "routes": ["a"]}]


async def test_a_route_that_was_switched_off_is_not_taken_any_more(
    service: Service, template: Template
) -> None:
    made = await make_route(service, template)
    assert (await send(service.producer, event(1))).json()["results"] != []
    order = {
        "key": "onboarding",
        "enabled": False,
        "event_type": TYPE,
        "template": template.key,
        "reason": "off",
    }
    await service.operator.put(f"/event-routes/{made['route_id']}", json=order)
    assert (await send(service.producer, event(2))).json()["results"] == []


async def test_a_simulation_says_of_each_condition_what_it_says(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    await send(service.producer, event(1, data={"country": "DE", "name": "Ada"}))
    await send(service.producer, event(2, data={"country": "FR", "name": "Grace"}))
    await send(service.producer, event(3, data={"name": "Alan"}))
    draft = await make_route(
        service,
        template,
        enabled=False,
        filter='data.country == "DE" && data.name != ""',
        suffix="event.id",
        mapping={"who": "data.name"},
    )
    answer = await service.operator.post(f"/event-routes/{draft['route_id']}/simulate")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["events"], body["taken"]) == (3, 1)

    def seen(first: str, detail: str | None = None) -> list[dict[str, Any]]:
        return [
            {"condition": 'data.country == "DE"', "verdict": first, "detail": detail},
            {"condition": 'data.name != ""', "verdict": "true", "detail": None},
        ]

    third, second, first = body["items"]
    assert (third["conditions"], third["why"], third["detail"]) == (
        seen("missing", "data.country"),
        "missing",
        "data.country",
    )
    assert (second["conditions"], second["taken"], second["why"]) == (
        seen("false"),
        False,
        "filter",
    )
    assert first == {
        "event_id": ANY,
        "source": "/hr/eu",
        "id": "hire-1",
        "received_at": ANY,
        "conditions": seen("true"),
        "taken": True,
        "why": None,
        "detail": None,
        "suffix": "hire-1",
        "parameters": {"who": "Ada"},
        "outcome": "composed",
        "code": None,
        "instance_collection_id": ANY,
        "template": template.key,
        "details": {"warnings": []},
    }
    kept = await owner.fetchval(
        "SELECT (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log)"
        " + (SELECT count(*) FROM iu_core.iu_command_record WHERE command LIKE 'instantiate%')"
    )
    assert kept == 0


async def test_a_type_is_put_and_its_version_counts_its_schemas(service: Service) -> None:
    path = "/event-types/order.paid"
    missing = await service.viewer.get(path)
    assert missing.json() == problem(
        "event_type_not_found", missing.headers["x-request-id"], path, event_type="order.paid"
    )
    schema = {"type": "object"}
    first = await service.operator.put(path, json={"reason": "new", "description": "Paid."})
    assert first.json() == {
        "event_type": "order.paid",
        "version": 1,
        "delivery_lane": "delayed",
        "domain": "system",
        "data_schema": None,
        "description": "Paid.",
        "created_at": ANY,
        "updated_at": ANY,
        "updated_by": "operator-bot",
        "reason": "new",
        "draining": False,
    }
    order = {"reason": "stricter", "data_schema": schema}
    second = await service.operator.put(path, json=order)
    assert (second.json()["version"], second.json()["data_schema"]) == (2, schema)
    again = await service.operator.put(path, json={**order, "reason": "again"})
    assert again.json() == second.json()
    listed = (await service.viewer.get("/event-types")).json()
    assert [item["event_type"] for item in listed["items"]] == [
        "iu.template.instance_auto_composed",
        "iu.template.instance_rolled_back",
        "order.paid",
    ]


async def test_the_lane_that_leads_outside_is_an_admins(service: Service) -> None:
    order = {"delivery_lane": "live", "reason": "test"}
    answer = await service.operator.put("/event-types/order.paid", json=order)
    assert (answer.status_code, answer.json()["required_scope"]) == (403, "admin")
    assert (await service.admin.put("/event-types/order.paid", json=order)).status_code == 200
    back = await service.operator.put("/event-types/order.paid", json={"reason": "test"})
    assert back.status_code == 403


async def test_a_type_may_have_a_slash(service: Service) -> None:
    put = await service.operator.put("/event-types/hr%2Feu/hired", json={"reason": "test"})
    assert (put.status_code, put.json()["event_type"]) == (200, "hr/eu/hired")
    assert (await service.viewer.get("/event-types/hr/eu/hired")).json() == put.json()


async def test_what_this_program_takes_no_more_is_nobody_elses_trouble(
    service: Service, template: Template, owner: asyncpg.Connection
) -> None:
    """An earlier one took an expression, and a schema."""
    flawed = await make_route(service, template, key="flawed", filter="true")
    await make_route(service, template)
    await service.operator.put("/event-types/order.paid", json={"reason": "test"})
    await owner.execute(
        "UPDATE iu_core.iu_sql_event_route SET filter = '1 +' WHERE filter = 'true'"
    )
    await owner.execute(
        """UPDATE iu_core.event_type_registry SET data_schema = '{"type": 5}'
            WHERE event_type = 'order.paid'"""
    )
    await owner.execute("UPDATE iu_core.iu_event_rules SET revision = revision + 1")
    taken = (await send(service.producer, event())).json()
    assert [result["route"] for result in taken["results"]] == ["onboarding"]
    (why,) = taken["not_taken"]
    assert (why["why"], why["routes"]) == ("failed", ["flawed"])
    batch = [event(2), event(3, type="order.paid"), event(4)]
    told = (await send(service.producer, batch)).json()
    assert [item.get("code", "taken") for item in told["items"]] == ["taken", "internal", "taken"]
    path = f"/event-routes/{flawed['route_id']}/simulate"
    simulated = (await service.operator.post(path, json={"last": 1})).json()["items"][0]
    assert (simulated["taken"], simulated["why"], simulated["detail"]) == (
        False,
        "failed",
        why["detail"],
    )


async def test_a_schema_that_is_none_is_told(service: Service) -> None:
    order = {"data_schema": {"type": "objet"}, "reason": "test"}
    answer = await service.operator.put("/event-types/order.paid", json=order)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/data_schema/type"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/event-routes/{UUID(int=7)}"),
        ("PUT", f"/event-routes/{UUID(int=7)}"),
        ("DELETE", f"/event-routes/{UUID(int=7)}?reason=x"),
        ("POST", f"/event-routes/{UUID(int=7)}/simulate"),
    ],
)
async def test_a_route_that_is_not_there_is_said_to_be_none(
    service: Service, method: str, path: str
) -> None:
    order = {"key": "x", "event_type": "*", "template": "tpl:a:b", "reason": "x"}
    body = order if method == "PUT" else None
    answer = await service.operator.request(method, path, json=body)
    assert answer.status_code == 404
    assert answer.json() == problem(
        "event_route_not_found",
        answer.headers["x-request-id"],
        path.partition("?")[0],
        route=str(UUID(int=7)),
    )
