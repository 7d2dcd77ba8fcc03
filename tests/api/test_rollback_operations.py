"""`POST /rollback/apply` of more than one transaction takes: an operation, behind a fence."""

from typing import Any

import asyncpg
import httpx
import pytest

from tests.support.http import Service, client_of, make_key, problem
from tests.support.operations import counted, items, order, reached, read
from tests.support.rollback import buried, edit, many, present
from tests.support.templates import Template, close_gates, make_template, open_gates

INSTANCES = 10_001
"""More than one transaction removes. They are of bot-0 to bot-7."""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template with so many instances, the gates of composing open."""
    await open_gates(owner)
    template = await make_template(owner)
    await many(owner, template, INSTANCES)
    return template


async def apply(client: httpx.AsyncClient, template: Template) -> httpx.Response:
    """Plan a rollback of the template's instances, and apply it."""
    selectors = {"template": template.key}
    plan = (await client.post("/rollback/plan", json={"selectors": selectors})).json()
    assert plan["instances"] == INSTANCES
    order = {name: plan[name] for name in ("selectors", "plan_digest", "planned_at")}
    return await client.post("/rollback/apply", json={**order, "reason": "wrong list"})


async def test_it_becomes_an_operation_whose_counts_add_up(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    edited = min(await present(owner))
    await edit(owner, edited, await make_template(owner, version=2))
    await close_gates(owner)
    answer = await apply(service.operator, template)
    assert answer.status_code == 202, answer.text
    operation = answer.json()
    assert answer.headers["location"] == f"/operations/{operation['operation_id']}"
    assert (operation["kind"], operation["reason"]) == ("rollback", "wrong list")
    assert operation["parameters"]["selectors"]["template"] == template.key
    refused = await owner.fetchval(
        "SELECT count(*) FROM iu_core.iu_command_record WHERE outcome = 'refused'"
    )
    assert refused == 0, "nobody was told that it is too large"

    done = await reached(service.operator, operation, "completed")
    assert counted(done) == {"deleted": INSTANCES - 1, "blocked": 1}
    assert await present(owner) == {edited}
    assert len(await buried(owner)) == INSTANCES - 1
    (blocked,) = await items(service.operator, done, outcome="blocked")
    assert (blocked["instance_collection_id"], blocked["code"]) == (
        str(edited),
        "rollback_blocked",
    )
    rows = (await service.viewer.get("/operations?kind=rollback")).json()["items"]
    assert rows == [done]


async def test_until_it_has_ended_its_actors_compose_nothing(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await service.app.state.runner.stop()
    operation = (await apply(service.operator, template)).json()
    bot = client_of(service.app, await make_key(owner, "operator", "bot-1"))

    async def refused(path: str, body: Any, **members: Any) -> None:
        answer = await bot.post(path, json=body)
        assert answer.status_code == 409, answer.text
        fence = {"actor": "bot-1", "operation_id": operation["operation_id"]}
        known = dict(problem("actor_rolling_back", answer.headers["x-request-id"], "", **fence))
        instance = path.partition("?")[0]
        assert answer.json() == {**known, "instance": instance, **members}

    sent = order(template)
    fence = {"actor": "bot-1", "operation_id": operation["operation_id"]}
    await refused("/instances/from-event", sent)
    item = {"ordinal": 1, "code": "actor_rolling_back", **fence}
    await refused("/instances/bulk?atomic=true", [sent], items=[item])
    again = await apply(service.operator, template)
    assert (again.status_code, again.json()["code"]) == (409, "actor_rolling_back")
    assert again.json()["operation_id"] == operation["operation_id"]

    path = f"/operations/{operation['operation_id']}/cancel"
    cancelled = await service.operator.post(path, json={"reason": "enough"})
    assert counted(cancelled.json()) == {"not_attempted": INSTANCES}
    composed = await bot.post("/instances/from-event", json=sent)
    assert composed.status_code == 201, composed.text
    await bot.aclose()


async def test_what_does_not_follow_for_a_rollback(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await service.app.state.runner.stop()
    operation = (await apply(service.operator, template)).json()
    path = f"/operations/{operation['operation_id']}/retry-failed"
    answer = await service.operator.post(path, json={"reason": "test"})
    assert answer.json() == problem(
        "operation_state",
        answer.headers["x-request-id"],
        path,
        state="running",
        allowed=["cancelled"],
    )
    assert (await read(service.operator, operation))["state"] == "running"
