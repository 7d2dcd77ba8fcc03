"""Every refusal of the catalogue, provoked over HTTP, with its exact JSON."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.refusals import CATALOGUE
from tests.support.http import Service, problem
from tests.support.parameters import NAMED, ask_for, errors_in
from tests.support.templates import Template, close_gates, make_template, open_gates

NOWHERE = UUID("00000000-0000-4000-8000-000000000000")
ALL_GATES = ("piece_write", "lifecycle", "template_authoring", "composer", "auto_instantiate")

# Gates that nothing of this release passes; the catalogue has their codes, because the gates are
# there and say by which code they refuse.
NOT_YET_PASSED = {
    "instance_upgrade_gate_closed",
    "delivery_gate_closed",
    "vector_sync_gate_closed",
}

# Provoked where the database is taken away, or with other settings.
ELSEWHERE = {
    "overloaded": "tests/api/test_bad_days.py",
    "database_unavailable": "tests/api/test_bad_days.py",
    "identity_keys_unavailable": "tests/api/test_tokens.py",
    "vector_index_unavailable": "tests/api/test_vector_index.py",
    "internal": "tests/api/test_bad_days.py",
    "audit_key_unavailable": "tests/api/test_audit.py",
    "nothing_sealed": "tests/api/test_audit.py",
    "audit_chain_broken": "tests/api/test_audit.py",
    "evidence_not_sealed": "tests/api/test_evidence.py",
    "head_not_reached": "tests/api/test_evidence.py",
    "evidence_inconsistent": "tests/api/test_evidence.py",
    "origin_not_allowed": "tests/api/test_problems.py",
    "event_intake_gate_closed": "tests/api/test_events.py",
    "event_conflict": "tests/api/test_events.py",
    "event_chain_too_deep": "tests/api/test_events.py",
    "event_not_found": "tests/api/test_events.py",
    "event_type_not_found": "tests/api/test_events.py",
    "event_route_not_found": "tests/api/test_event_routes.py",
    "event_source_not_found": "tests/api/test_event_sources.py",
    "signature_invalid": "tests/api/test_event_sources.py",
    "document_not_renderable": "tests/api/test_documents.py",
    "outbound_route_not_found": "tests/api/test_delivering.py",
    "outbound_route_disabled": "tests/api/test_delivering.py",
}


@dataclass(frozen=True, slots=True)
class World:
    """A service, its owner, and a template v1 (superseded) and v2 (current) of 5 pieces each."""

    service: Service
    owner: asyncpg.Connection
    old: Template
    current: Template

    def order(self, **members: Any) -> dict[str, Any]:
        """A request for one instance."""
        return {
            "event_id": str(uuid4()),
            "event_type": "employee.hired",
            "template": self.current.key,
            **members,
        }

    async def compose(self, **members: Any) -> httpx.Response:
        """Compose one instance."""
        return await self.service.producer.post("/instances/from-event", json=self.order(**members))

    async def composed(self) -> dict[str, Any]:
        """An instance that is there."""
        answer = await self.compose()
        assert answer.status_code == 201
        document: dict[str, Any] = answer.json()
        return document

    async def unit(self, **members: Any) -> str:
        """A new piece that is there."""
        answer = await self.service.operator.post(
            "/pieces",
            json={"media_type": "text/markdown", "title": "T", "body": str(uuid4()), **members},
        )
        assert answer.status_code == 201
        unit_id: str = answer.json()["unit_id"]
        return unit_id

    async def etag(self) -> str:
        """The present state of the family's chain."""
        answer = await self.service.viewer.get(f"/templates/{self.current.family}")
        return answer.headers["etag"]

    async def next_version(self, *edits: dict[str, Any]) -> httpx.Response:
        """Ask for a next version."""
        return await self.service.operator.post(
            f"/templates/families/{self.current.family}/versions",
            headers={"If-Match": await self.etag()},
            json={"reason": "test", "edits": list(edits)},
        )


@pytest.fixture
async def world(service: Service, owner: asyncpg.Connection) -> World:
    """The world, with every gate that this release passes open."""
    await open_gates(owner, *(f"{gate}_enabled" for gate in ALL_GATES))
    old = await make_template(owner)
    return World(service, owner, old, await make_template(owner, version=2))


Provocation = Callable[[World], Awaitable[tuple[httpx.Response, dict[str, Any]]]]
PROVOKED: dict[str, Provocation] = {}


def provokes(code: str) -> Callable[[Provocation], Provocation]:
    """Name what a function provokes. It answers the response, and the members to expect."""

    def register(provocation: Provocation) -> Provocation:
        PROVOKED[code] = provocation
        return provocation

    return register


@provokes("unauthenticated")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.anonymous.get("/templates"), {
        "detail": "The request carries no key or token."
    }


@provokes("forbidden")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.producer.get("/gates"), {
        "detail": "This needs the scope viewer, and the key has producer.",
        "required_scope": "viewer",
    }


@provokes("actor_not_allowed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.compose(actor="somebody-else"), {"actor": "somebody-else"}


@provokes("invalid_input")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    error = {
        "location": "body",
        "pointer": "/event_id",
        "rule": "value_error",
        "detail": "should be a UUID: 8-4-4-4-12 hex digits",
    }
    return await world.compose(event_id="nope"), {"errors": [error]}


@provokes("invalid_emit_mode")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.compose(emit_mode="shadow"), {"emit_mode": "shadow"}


@provokes("idempotency_conflict")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    first = await world.composed()
    return await world.compose(event_id=first["event_id"], data={"a": 1}), {
        "fields": ["data"],
        "idempotency_key": first["idempotency_key"],
        "instance_collection_id": first["instance_collection_id"],
    }


@provokes("payload_invalid")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    schema = await ask_for(world.owner, world.current, NAMED)
    return await world.compose(data={"name": 7}), {
        "errors": errors_in(NAMED, '{"name":7}'),
        "template_key": world.current.key,
        "schema_digest": schema,
    }


@provokes("too_large")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.producer.post(
        "/instances/from-event",
        content=b" " * (1024 * 1024 + 1),
        headers={"content-type": "application/json"},
    )
    return answer, {"limit": 1024 * 1024, "counted": "bytes of the body"}


@provokes("too_deep")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    return await world.compose(data={"deep": deep}), {"limit": 32}


@provokes("unsupported_media_type")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.producer.post(
        "/instances/from-event", content=b"a=1", headers={"content-type": "text/plain"}
    )
    return answer, {"supported": ["application/json"]}


@provokes("not_acceptable")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.viewer.get("/templates", headers={"accept": "image/png"})
    return answer, {"available": ["application/json", "application/problem+json"]}


@provokes("method_not_allowed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.viewer.delete("/templates")
    return answer, {"allowed": ["GET", "HEAD", "POST", "OPTIONS"]}


@provokes("template_collection_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.compose(template="tpl:no:such/v1"), {"template": "tpl:no:such/v1"}


@provokes("template_family_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.operator.post(
        "/templates/families/tpl:no:such/versions",
        headers={"If-Match": await world.etag()},
        json={"reason": "test", "edits": [{"op": "remove", "position": 1}]},
    )
    return answer, {"family": "tpl:no:such"}


@provokes("unit_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get(f"/pieces/{NOWHERE}"), {"units": [str(NOWHERE)]}


@provokes("instance_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get(f"/instances/{NOWHERE}"), {}


@provokes("operation_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get(f"/operations/{NOWHERE}"), {}


@provokes("gate_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get("/gates/no_such"), {"gate": "iu_core.no_such"}


@provokes("lease_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.operator.delete(f"/gates/composer_enabled/leases/{NOWHERE}")
    return answer, {"gate": "iu_core.composer_enabled", "lease_id": str(NOWHERE)}


@provokes("snapshot_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get(f"/observability/snapshots/{NOWHERE}"), {
        "snapshot_id": str(NOWHERE)
    }


@provokes("retention_policy_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.admin.put(
        "/retention/policies/templates", json={"keep_days": 1, "reason": "test"}
    )
    return answer, {"target": "templates"}


@provokes("retention_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.admin.post("/retention/cleanup", json={"dry_run": False})
    return answer, {
        "gate": "iu_core.retention_enabled",
        "resolve": "/gates/iu_core.retention_enabled",
    }


@provokes("setting_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.admin.put(
        "/settings/no_such", json={"value": "inert", "reason": "test"}
    )
    return answer, {"setting": "iu_core.no_such"}


@provokes("api_key_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.admin.delete("/api-keys/0123456789ab"), {"key_id": "0123456789ab"}


@provokes("problem_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.anonymous.get("/problems/no_such"), {}


@provokes("route_not_found")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.service.viewer.get("/no/such/path"), {}


def _gate(key: str) -> dict[str, Any]:
    return {"gate": key, "resolve": f"/gates/{key}"}


@provokes("piece_write_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await close_gates(world.owner)
    answer = await world.service.operator.post(
        "/pieces", json={"media_type": "text/plain", "title": "T", "body": "B"}
    )
    return answer, _gate("iu_core.piece_write_enabled")


@provokes("lifecycle_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    unit = await world.unit()
    await close_gates(world.owner)
    answer = await world.service.operator.post(
        f"/pieces/{unit}/lifecycle", json={"to_life": "retired", "reason": "test"}
    )
    return answer, _gate("iu_core.lifecycle_enabled")


@provokes("envelope_refresh_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.operator.put(
        f"/pieces/{await world.unit()}/axes", json={"axes": {"DIEU-28": "hr"}}
    )
    return answer, _gate("iu_core.envelope_refresh_enabled")


@provokes("template_authoring_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await close_gates(world.owner)
    answer = await world.next_version({"op": "remove", "position": 1})
    return answer, _gate("iu_core.template_authoring_enabled")


@provokes("live_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await close_gates(world.owner)
    return await world.compose(), _gate("iu_core.auto_instantiate_enabled")


@provokes("composer_gate_closed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await close_gates(world.owner)
    return await world.compose(emit_mode="dry_run"), _gate("iu_core.composer_enabled")


@provokes("gate_sealed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    admin = world.service.admin
    await admin.put(
        "/gates/composer_enabled", json={"state": "closed", "seal": True, "reason": "test"}
    )
    answer = await admin.put("/gates/composer_enabled", json={"state": "open", "reason": "test"})
    return answer, {"gate": "iu_core.composer_enabled"}


@provokes("template_not_marked")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    plain = uuid4()
    await world.owner.execute(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, collection_key, composition_digest)
           VALUES ($1, now(), 'plain', $2)""",
        plain,
        world.current.composition_digest,
    )
    return await world.compose(template=str(plain)), {}


@provokes("template_superseded")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    return await world.compose(template=world.old.key, require_current=True), {
        "template_key": world.old.key,
        "current": world.current.key,
    }


@provokes("template_withdrawn")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    withdrawn = await world.service.operator.post(
        f"/templates/{world.current.family}@v2/withdraw",
        headers={"If-Match": await world.etag()},
        json={"reason": "test"},
    )
    assert withdrawn.status_code == 200
    return await world.compose(), {"template_key": world.current.key}


@provokes("template_in_use")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await world.composed()
    answer = await world.service.operator.post(
        f"/templates/{world.current.family}@v2/withdraw",
        headers={"If-Match": await world.etag()},
        json={"reason": "test"},
    )
    return answer, {"template_key": world.current.key, "instances": 1}


@provokes("unit_not_active")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    draft = await world.unit(life="draft")
    answer = await world.next_version(
        {"op": "insert", "position": 1, "piece": {"role": "extra", "unit_id": draft}}
    )
    return answer, {"units": [draft]}


@provokes("unit_in_use")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    unit = await world.unit()
    made = await world.next_version(
        {"op": "insert", "position": 1, "piece": {"role": "extra", "unit_id": unit}}
    )
    assert made.status_code == 201
    answer = await world.service.operator.post(
        f"/pieces/{unit}/lifecycle", json={"to_life": "retired", "reason": "test"}
    )
    return answer, {"templates": ["tpl:wf:onboarding/v3"]}


@provokes("operation_state")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    unit = await world.unit()
    answer = await world.service.operator.post(
        f"/pieces/{unit}/lifecycle", json={"to_life": "draft", "reason": "test"}
    )
    return answer, {"state": "active", "allowed": ["retired"]}


@provokes("rolled_back")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    first = await world.composed()
    undone = await world.service.producer.post(
        "/rollback/by-actor",
        json={"actor": "producer-bot", "dry_run": False, "reason": "wrong list"},
    )
    assert undone.status_code == 200
    answer = await world.compose(event_id=first["event_id"])
    return answer, {
        "rolled_back_at": undone.json()["rolled_back_at"],
        "rolled_back_by": "producer-bot",
        "reason": "wrong list",
        "operation_id": undone.json()["rollback_operation_id"],
    }


@provokes("actor_rolling_back")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await world.owner.execute(
        "INSERT INTO iu_core.iu_actor_fence VALUES ('producer-bot', $1, now())", NOWHERE
    )
    return await world.compose(), {"actor": "producer-bot", "operation_id": str(NOWHERE)}


@provokes("rollback_blocked")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    first = await world.composed()
    await world.owner.execute("UPDATE iu_core.event_outbox SET delivered_at = now()")
    answer = await world.service.producer.post(
        "/rollback/by-actor",
        json={"actor": "producer-bot", "dry_run": False, "reason": "wrong list"},
    )
    blocker = {
        "instance_collection_id": first["instance_collection_id"],
        "reason": "delivered",
    }
    return answer, {"blockers": [blocker]}


@provokes("already_exists")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    piece = {"role": "part", "title": "T", "media_type": "text/plain", "body": "B"}
    answer = await world.service.operator.post(
        "/templates",
        json={"family": world.current.family, "title": "T", "reason": "x", "pieces": [piece]},
    )
    return answer, {"key": world.current.family}


@provokes("no_change")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.next_version(
        {"op": "move", "position": 1, "to": 2}, {"op": "move", "position": 1, "to": 2}
    )
    return answer, {"template_key": world.current.key}


@provokes("plan_stale")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    await world.composed()
    selectors = {"actor": "producer-bot"}
    client = world.service.producer
    plan = (await client.post("/rollback/plan", json={"selectors": selectors})).json()
    await world.composed()
    answer = await client.post(
        "/rollback/apply",
        json={
            "selectors": selectors,
            "plan_digest": plan["plan_digest"],
            "planned_at": plan["planned_at"],
            "reason": "wrong list",
        },
    )
    return answer, {}


@provokes("precondition_failed")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.operator.post(
        f"/templates/families/{world.current.family}/versions",
        headers={"If-Match": '"999"'},
        json={"reason": "test", "edits": [{"op": "remove", "position": 1}]},
    )
    return answer, {"etag": await world.etag()}


@provokes("precondition_required")
async def _(world: World) -> tuple[httpx.Response, dict[str, Any]]:
    answer = await world.service.operator.post(
        f"/templates/families/{world.current.family}/versions",
        json={"reason": "test", "edits": [{"op": "remove", "position": 1}]},
    )
    return answer, {}


@pytest.mark.parametrize("code", PROVOKED)
async def test_the_refusal_has_its_exact_json(world: World, code: str) -> None:
    answer, members = await PROVOKED[code](world)
    path = str(answer.request.url.path)
    assert answer.json() == problem(code, answer.headers["x-request-id"], path, **members)
    assert answer.status_code == CATALOGUE[code].status
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_refusal_of_the_catalogue_is_provoked() -> None:
    assert set(CATALOGUE) == set(PROVOKED) | NOT_YET_PASSED | set(ELSEWHERE)
    root = Path(__file__).parents[2]
    for code, place in ELSEWHERE.items():
        assert f'"{code}"' in (root / place).read_text(), f"{place} provokes {code}"


async def test_reading_what_was_rolled_back_is_gone(world: World) -> None:
    first = await world.composed()
    undone = await world.service.producer.post(
        "/rollback/by-actor", json={"actor": "producer-bot", "dry_run": False}
    )
    answer = await world.service.producer.get(f"/instances/{first['instance_collection_id']}")
    assert answer.status_code == 410
    document = answer.json()
    assert (document["code"], document["status"]) == ("rolled_back", 410)
    assert document["rolled_back_at"] == undone.json()["rolled_back_at"]


async def test_what_can_not_be_parsed_is_refused_with_400(world: World) -> None:
    answer = await world.service.producer.post(
        "/instances/from-event", content=b"{", headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["status"]) == ("invalid_input", 400)
