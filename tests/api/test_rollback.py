"""`/rollback/…`: exact JSON, and who may."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from tests.support.composing import Item, compose
from tests.support.http import Service, client_of, make_key, problem
from tests.support.rollback import NOTHING, buried, deliver, edit, plan_digest, present
from tests.support.templates import Template, close_gates, make_template, open_gates

ROOT = Path(__file__).parents[2]

ALL = {
    "actor": None,
    "operation_id": None,
    "event_id": None,
    "template": None,
    "composed_from": None,
    "composed_to": None,
}


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from."""
    return await make_template(owner)


async def composed(owner: asyncpg.Connection, *items: Item) -> list[UUID]:
    """The ids of the instances that the items make; afterwards every gate is shut."""
    await open_gates(owner)
    answers = await compose(owner, *items)
    await close_gates(owner)
    assert {answer["status"] for answer in answers} == {"ok"}
    return [answer["instance_collection_id"] for answer in answers]


async def planned(client: httpx.AsyncClient, **selectors: Any) -> dict[str, Any]:
    """What applying takes of a plan, with a reason."""
    answer = await client.post("/rollback/plan", json={"selectors": selectors})
    assert answer.status_code == 200
    document = answer.json()
    return {
        "selectors": document["selectors"],
        "plan_digest": document["plan_digest"],
        "planned_at": document["planned_at"],
        "reason": "wrong list",
    }


def is_now(text: str) -> bool:
    """Whether a text is a timestamp in UTC, of just now."""
    age = datetime.now(UTC) - datetime.fromisoformat(text)
    return text.endswith("Z") and timedelta(0) <= age < timedelta(minutes=1)


async def test_a_plan_is_applied_and_tells_what_it_removed(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    event = uuid4()
    ids = await composed(
        owner,
        Item(template.key, event_id=event, suffix="1"),
        Item(template.key, event_id=event, suffix="2", actor="it-bot"),
    )
    (kept,) = await composed(owner, Item(template.key))
    sent = {"selectors": {"event_id": str(event), "template": "tpl:wf:onboarding@v1"}}

    plan = await service.operator.post("/rollback/plan", json=sent)

    assert plan.status_code == 200
    document = plan.json()
    planned_at = document.pop("planned_at")
    assert is_now(planned_at)
    assert document == {
        "selectors": {**ALL, **sent["selectors"]},
        "instances": 2,
        "lineage_rows": 2,
        "log_rows": 2,
        "actors": ["hr-bot", "it-bot"],
        "blockers": [],
        "blockers_omitted": 0,
        "plan_digest": plan_digest(ids),
    }

    answer = await service.operator.post(
        "/rollback/apply",
        json={
            "selectors": document["selectors"],
            "plan_digest": document["plan_digest"],
            "planned_at": planned_at,
            "reason": "wrong list",
        },
    )

    assert answer.status_code == 200
    removed = answer.json()
    assert is_now(removed.pop("rolled_back_at"))
    assert removed == {
        "planned": 2,
        "deleted": 2,
        "gone": 0,
        "lineage_rows": 2,
        "log_rows": 2,
        "keys_released": 0,
        "messages_cancelled": 2,
        "rollback_operation_id": answer.headers["x-request-id"],
    }
    assert await present(owner) == {kept}
    tombstones = await owner.fetch(
        "SELECT rolled_back_by, reason FROM iu_core.iu_instance_tombstone"
    )
    assert [tuple(row) for row in tombstones] == [("operator-bot", "wrong list")] * 2


async def test_the_second_of_two_who_apply_the_same_plan_is_told_that_it_is_gone(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await composed(owner, Item(template.key))
    sent = await planned(service.operator, actor="hr-bot")
    await service.admin.post("/rollback/apply", json=sent)
    answer = await service.operator.post("/rollback/apply", json=sent)
    assert answer.json() == {
        "planned": 1,
        "deleted": 0,
        "gone": 1,
        "lineage_rows": 0,
        "log_rows": 0,
        "keys_released": 0,
        "messages_cancelled": 0,
        "rollback_operation_id": None,
        "rolled_back_at": None,
    }


async def test_a_stale_plan_is_refused_and_nothing_is_removed(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    ids = await composed(owner, Item(template.key))
    sent = await planned(service.operator, actor="hr-bot")
    ids += await composed(owner, Item(template.key))
    answer = await service.operator.post("/rollback/apply", json=sent)
    assert answer.status_code == 412
    assert answer.json() == problem("plan_stale", answer.headers["x-request-id"], "/rollback/apply")
    assert await present(owner) == set(ids)
    recorded = await owner.fetch(
        "SELECT command, code, actor, request_id FROM iu_core.iu_command_record"
        " WHERE outcome = 'refused'"
    )
    request = UUID(answer.headers["x-request-id"])
    assert [tuple(row) for row in recorded] == [
        ("apply_rollback", "plan_stale", "operator-bot", request)
    ]


async def test_blockers_are_planned_refused_and_some_acknowledged(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    (edited,) = await composed(owner, Item(template.key))
    await edit(owner, edited, other)
    (delivered,) = await composed(owner, Item(template.key, actor="it-bot"))
    await deliver(owner, delivered)
    blockers = {
        actor: [{"instance_collection_id": str(instance), "reason": reason}]
        for actor, instance, reason in (
            ("hr-bot", edited, "edited"),
            ("it-bot", delivered, "delivered"),
        )
    }
    for actor, listed in blockers.items():
        plan = await service.operator.post("/rollback/plan", json={"selectors": {"actor": actor}})
        assert plan.json()["blockers"] == listed
        for path, sent in (
            ("/rollback/apply", await planned(service.operator, actor=actor)),
            ("/rollback/by-actor", {"actor": actor, "dry_run": False}),
        ):
            answer = await service.operator.post(path, json=sent)
            assert answer.status_code == 409
            assert answer.json() == problem(
                "rollback_blocked", answer.headers["x-request-id"], path, blockers=listed
            )
    assert await present(owner) == {edited, delivered}
    for actor, status in (("hr-bot", 409), ("it-bot", 200)):
        sent = await planned(service.operator, actor=actor)
        answer = await service.operator.post(
            "/rollback/apply", json=sent | {"acknowledge_delivered": True}
        )
        assert answer.status_code == status
    assert await present(owner) == {edited}


async def test_an_actor_is_rolled_back_in_one_step_after_a_dry_run(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    ids = await composed(owner, Item(template.key), Item(template.key))
    (kept,) = await composed(owner, Item(template.key, actor="it-bot"))
    would = {
        "dry_run": True,
        "actor": "hr-bot",
        "instances": 2,
        "lineage_rows": 2,
        "log_rows": 2,
        "gone": 0,
        "blockers": [],
        "blockers_omitted": 0,
        "keys_released": 0,
        "messages_cancelled": 0,
        "rollback_operation_id": None,
        "rolled_back_at": None,
    }

    dry = await service.operator.post("/rollback/by-actor", json={"actor": "hr-bot"})
    assert (dry.status_code, dry.json()) == (200, would)
    assert await present(owner) == {*ids, kept}

    real = await service.operator.post(
        "/rollback/by-actor", json={"actor": "hr-bot", "dry_run": False, "release_keys": True}
    )
    document = real.json()
    assert is_now(document["rolled_back_at"])
    assert document == would | {
        "dry_run": False,
        "keys_released": 2,
        "messages_cancelled": 2,
        "rollback_operation_id": real.headers["x-request-id"],
        "rolled_back_at": document["rolled_back_at"],
    }
    assert await present(owner) == {kept}


async def test_a_late_redelivery_is_refused_until_the_key_is_released(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner)
    event = {"event_id": str(uuid4()), "event_type": "employee.hired", "template": template.key}
    first = await service.producer.post("/instances/from-event", json=event)
    assert first.status_code == 201
    own = {"actor": "producer-bot", "dry_run": False, "reason": "wrong list"}
    await service.producer.post("/rollback/by-actor", json=own)

    late = await service.producer.post("/instances/from-event", json=event)
    assert (late.status_code, late.json()["code"]) == (409, "rolled_back")

    sent = {"selectors": {"event_id": event["event_id"]}, "reason": "the list is right now"}
    released = await service.producer.post("/rollback/release-keys", json=sent)
    document = released.json()
    assert is_now(document.pop("released_at"))
    assert (released.status_code, document) == (200, {"released": 1})
    again = await service.producer.post("/rollback/release-keys", json=sent)
    assert again.json()["released"] == 0

    late = await service.producer.post("/instances/from-event", json=event)
    assert (late.status_code, late.json()["outcome"]) == (201, "composed")
    assert len(await buried(owner)) == 1


@pytest.mark.parametrize("scope", ["producer", "viewer"])
async def test_below_operator_only_own_actors_are_rolled_back(
    scope: str, service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    """Also a viewer, who may read everybody's work."""
    event = uuid4()
    ids = await composed(
        owner,
        Item(template.key, event_id=event, suffix="1", actor=f"{scope}-bot"),
        Item(template.key, event_id=event, suffix="2", actor=f"{scope}-night"),
        Item(template.key, event_id=event, suffix="3", actor="it-bot"),
    )
    client = service.client(scope)
    by_event = await planned(service.operator, event_id=str(event))
    by_name = await planned(service.operator, actor="it-bot")
    another: dict[str, Any] = {"actor": "it-bot"}
    no_name: dict[str, Any] = {}
    for path, sent, members in (
        ("/rollback/plan", {"selectors": another}, another),
        ("/rollback/plan", {"selectors": {"event_id": str(event)}}, no_name),
        ("/rollback/apply", by_name, another),
        ("/rollback/apply", by_event, no_name),
        ("/rollback/by-actor", another, another),
        ("/rollback/by-actor", another | {"dry_run": False}, another),
        ("/rollback/release-keys", {"selectors": another, "reason": "no"}, another),
    ):
        answer = await client.post(path, json=sent)
        assert answer.status_code == 403
        assert answer.json() == problem(
            "actor_not_allowed", answer.headers["x-request-id"], path, **members
        )
    assert await present(owner) == set(ids)

    own = await planned(client, actor=f"{scope}-bot")
    assert (await client.post("/rollback/apply", json=own)).json()["deleted"] == 1
    night = {"actor": f"{scope}-night", "dry_run": False}
    assert (await client.post("/rollback/by-actor", json=night)).json()["instances"] == 1
    await service.operator.post("/rollback/by-actor", json=another | {"dry_run": False})
    sent = {"selectors": {"event_id": str(event)}, "reason": "again"}
    refused = await client.post("/rollback/release-keys", json=sent)
    assert refused.json()["code"] == "actor_not_allowed"
    sent["selectors"] = {"event_id": str(event), "actor": f"{scope}-bot"}
    assert (await client.post("/rollback/release-keys", json=sent)).json()["released"] == 1


async def test_a_key_without_prefixes_rolls_back_its_own_actor_only(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await composed(owner, Item(template.key, actor="hr-bot"), Item(template.key, actor="hr-bot-2"))
    key = await make_key(owner, "producer", "hr-bot", ("none-",))
    async with client_of(service.app, key) as client:
        answer = await client.post("/rollback/by-actor", json={"actor": "hr-bot-2"})
        assert answer.json()["code"] == "actor_not_allowed"
        answer = await client.post("/rollback/by-actor", json={"actor": "hr-bot"})
        assert answer.json()["instances"] == 1


async def test_a_template_that_is_none_is_refused(service: Service) -> None:
    sent = {"selectors": {"template": "tpl:wf:nothing"}}
    answer = await service.operator.post("/rollback/plan", json=sent)
    assert answer.status_code == 404
    assert answer.json() == problem(
        "template_collection_not_found",
        answer.headers["x-request-id"],
        "/rollback/plan",
        template="tpl:wf:nothing",
    )


async def test_too_many_actors_are_refused(
    service: Service, owner: asyncpg.Connection, template: Template
) -> None:
    await composed(owner, *(Item(template.key, actor=f"bot-{bot}") for bot in range(64)))
    await composed(owner, Item(template.key, actor="one-more"))
    sent = {"selectors": {"template": template.key}}
    answer = await service.operator.post("/rollback/plan", json=sent)
    assert answer.status_code == 413
    assert answer.json() == problem(
        "too_large", answer.headers["x-request-id"], "/rollback/plan", counted="actors", limit=64
    )


SOME: dict[str, Any] = {"actor": "hr-bot"}
APPLY: dict[str, Any] = {
    "selectors": SOME,
    "plan_digest": NOTHING,
    "planned_at": "2025-06-01T12:00:00Z",
    "reason": "wrong list",
}


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        ("plan", {}, ["/selectors"]),
        ("plan", {"selectors": {}}, ["/selectors"]),
        ("plan", {"selectors": {"actor": None, "template": None}}, ["/selectors"]),
        ("plan", {"selectors": {"actor": "Hr"}}, ["/selectors/actor"]),
        ("plan", {"selectors": {"actors": ["hr-bot"]}}, ["/selectors/actors"]),
        ("plan", {"selectors": {"template": "wf"}}, ["/selectors/template"]),
        ("plan", {"selectors": {"composed_from": "2025-06-01"}}, ["/selectors/composed_from"]),
        (
            "plan",
            {
                "selectors": {
                    "composed_from": "2025-06-01T12:00:00Z",
                    "composed_to": "2025-06-01T14:00:00+02:00",
                }
            },
            ["/selectors/composed_to"],
        ),
        ("apply", {"selectors": SOME}, ["/plan_digest", "/planned_at", "/reason"]),
        (
            "apply",
            APPLY | {"plan_digest": NOTHING.upper(), "reason": "", "release_keys": 1},
            ["/plan_digest", "/reason", "/release_keys"],
        ),
        ("by-actor", {}, ["/actor"]),
        (
            "by-actor",
            {"actor": "*", "dry_run": "no", "reason": "two\nlines"},
            ["/actor", "/dry_run", "/reason"],
        ),
        ("release-keys", {"selectors": SOME}, ["/reason"]),
    ],
)
async def test_malformed_requests_are_refused_with_everything_that_is_wrong(
    path: str, body: dict[str, Any], pointers: list[str], service: Service
) -> None:
    answer = await service.operator.post(f"/rollback/{path}", json=body)
    assert answer.status_code == 422
    document = answer.json()
    assert document["code"] == "invalid_input"
    assert [error["pointer"] for error in document["errors"]] == pointers


@pytest.mark.parametrize("path", ["plan", "apply", "by-actor", "release-keys"])
async def test_without_a_key_nothing_is_rolled_back(path: str, service: Service) -> None:
    answer = await service.anonymous.post(f"/rollback/{path}", json=APPLY)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_the_examples_of_the_document_are_taken(
    service: Service, owner: asyncpg.Connection
) -> None:
    """Every body is well formed, and the worked digest is the one that the database computes."""
    await make_template(owner)
    document = (ROOT / "docs" / "rollback.md").read_text(encoding="utf-8")
    examples = re.findall(r"/rollback/([a-z-]+).*?-d '(.*?)'", document, re.DOTALL)
    assert {path for path, _ in examples} == {"plan", "apply", "by-actor", "release-keys"}
    for path, body in examples:
        answer = await service.operator.post(f"/rollback/{path}", json=json.loads(body))
        assert answer.status_code in {200, 412}, (path, answer.json())
    ids = re.findall(r"^  ([0-9a-f-]{36}) \\?", document, re.MULTILINE)
    (digest,) = re.findall(r"^([0-9a-f]{64})  -$", document, re.MULTILINE)
    assert len(ids) == 2
    assert digest == plan_digest(map(UUID, ids))
    computed = await owner.fetchval("SELECT iu_core.fn_iu_rollback_digest($1::uuid[])", ids)
    assert computed == digest
