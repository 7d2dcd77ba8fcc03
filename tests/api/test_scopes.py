"""Every operation against every scope.

The table below says what the HTTP surface promises. It is written by hand and knows nothing of
the code: an operation that is missing here, or is here and nowhere else, fails.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.support.examples import ENDLESS
from tests.support.http import SCOPES, Service, problem

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"
"""What the program itself says: tests/contract/test_openapi.py."""

OPEN = SIGNED = None

P, V, O, A = SCOPES  # noqa: E741 - the letters of the table that this repeats

TABLE: dict[str, str | None] = {
    "POST /instances/from-event": P,
    "POST /instances/bulk": P,
    "GET /operations": P,
    "GET /operations/{operation_id}": P,
    "GET /operations/{operation_id}/items": P,
    "GET /operations/{operation_id}/stream": P,
    "POST /operations/{operation_id}/cancel": P,
    "POST /operations/{operation_id}/resume": P,
    "POST /operations/{operation_id}/retry-failed": P,
    "GET /instances": P,
    "GET /instances/{instance_id}": P,
    "GET /instances/{instance_id}/pieces": P,
    "GET /instances/{instance_id}/lineage": P,
    "GET /instances/{instance_id}/verify": P,
    "GET /instances/{instance_id}/evidence": P,
    "GET /pieces": V,
    "GET /pieces/{unit_id}": V,
    "GET /pieces/{unit_id}/where-used": V,
    "GET /pieces/{unit_id}/axes/history": V,
    "POST /pieces": O,
    "PUT /pieces/{unit_id}/axes": O,
    "POST /pieces/{unit_id}/revise": O,
    "POST /pieces/{unit_id}/lifecycle": O,
    "GET /templates": V,
    "GET /templates/{ref}": V,
    "GET /templates/{ref}/pieces": V,
    "GET /templates/{ref}/diff": V,
    "GET /templates/{ref}/instances": V,
    "POST /templates": O,
    "POST /templates/families/{family}/versions": O,
    "POST /templates/mark": O,
    "POST /templates/{ref}/register-version": O,
    "POST /templates/{ref}/withdraw": O,
    "GET /delivery/routes": A,
    "POST /delivery/routes": A,
    "GET /delivery/routes/{route_id}": A,
    "PUT /delivery/routes/{route_id}": A,
    "DELETE /delivery/routes/{route_id}": A,
    "GET /delivery/attempts": V,
    "GET /delivery/dead-letters": V,
    "POST /delivery/dead-letters/replay": A,
    "POST /delivery/replay": A,
    "GET /observability/boundary": V,
    "GET /observability/conformance": V,
    "GET /observability/stream": V,
    "POST /observability/boundary/probe": O,
    "POST /observability/probes": O,
    "GET /observability/snapshots": V,
    "POST /observability/snapshots": O,
    "GET /observability/snapshots/{snapshot_id}": V,
    "GET /observability/regression": V,
    "GET /gates": V,
    "GET /gates/{key}": V,
    "GET /gates/{key}/history": V,
    "PUT /gates/{key}": O,
    "POST /gates/{key}/leases": O,
    "DELETE /gates/{key}/leases/{lease_id}": O,
    "POST /gates/close-all": O,
    "GET /settings": V,
    "GET /settings/{key}/history": V,
    "PUT /settings/{key}": A,
    "GET /retention/policies": V,
    "PUT /retention/policies/{target}": A,
    "POST /retention/cleanup": A,
    "POST /rollback/plan": P,
    "POST /rollback/apply": P,
    "POST /rollback/by-actor": P,
    "POST /rollback/release-keys": P,
    "GET /observability/templates": V,
    "GET /observability/events": V,
    "GET /observability/summary": V,
    "GET /observability/integrity": V,
    "GET /observability/refusals": V,
    "GET /observability/overview": V,
    "POST /events": P,
    "GET /events": V,
    "GET /events/{event_id}": V,
    "POST /events/refire": O,
    "GET /event-types": V,
    "GET /event-types/{event_type}": V,
    "PUT /event-types/{event_type}": O,
    "GET /event-routes": V,
    "POST /event-routes": O,
    "GET /event-routes/{route_id}": V,
    "PUT /event-routes/{route_id}": O,
    "DELETE /event-routes/{route_id}": O,
    "POST /event-routes/{route_id}/simulate": O,
    "GET /event-sources": V,
    "GET /event-sources/{name}": V,
    "PUT /event-sources/{name}": O,
    "POST /event-sources/{name}": SIGNED,
    "GET /instances/{instance_id}/document": P,
    "POST /templates/{ref}/preview": V,
    "GET /commands": V,
    "GET /commands/runs": V,
    "GET /commands/runs/verify": V,
    "POST /commands/runs/seal": O,
    "POST /commands/runs/export": A,
    "GET /api-keys": A,
    "POST /api-keys": A,
    "DELETE /api-keys/{key_id}": A,
    "GET /livez": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /problems": OPEN,
    "GET /problems/{code}": OPEN,
}

# Answered without a key too, and no operations of the document.
DOCUMENTATION = {"/docs", "/docs/fastapi", "/openapi.json"}

IN_A_PATH = {
    "operation_id": str(UUID(int=4)),
    "instance_id": str(UUID(int=1)),
    "unit_id": str(UUID(int=2)),
    "lease_id": str(UUID(int=3)),
    "ref": "tpl:wf:onboarding@v1",
    "family": "tpl:wf:onboarding",
    "key": "composer_enabled",
    "key_id": "0000",
    "code": "forbidden",
    "event_id": str(UUID(int=5)),
    "event_type": "employee.hired",
    "route_id": str(UUID(int=6)),
    "name": "github",
    "snapshot_id": str(UUID(int=7)),
    "target": "stored_events",
}


def documented() -> dict[str, dict[str, Any]]:
    """The operations of the OpenAPI document, by method and path."""
    document = json.loads(OPENAPI.read_text("utf-8"))
    return {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


async def asked(client: httpx.AsyncClient, operation: str, *, has_body: bool) -> httpx.Response:
    """A request of the operation, with an empty document where it takes one."""
    method, path = operation.split(" ")
    return await client.request(method, path.format_map(IN_A_PATH), json={} if has_body else None)


def test_the_table_and_the_document_name_the_same_operations() -> None:
    operations = documented()
    assert set(operations) == set(TABLE)
    said = {name: operation.get("x-required-scope") for name, operation in operations.items()}
    assert said == TABLE
    for name, operation in operations.items():
        secured = operation.get("security") == [{"bearer": []}]
        assert secured is (TABLE[name] is not OPEN), name


async def test_there_is_nothing_beside_the_operations_but_their_documentation(
    service: Service,
) -> None:
    paths = {name.split(" ")[1] for name in TABLE}
    # `:path` only says that the last parameter may have slashes.
    routes = {
        getattr(route, "path", "no path").replace(":path}", "}") for route in service.app.routes
    }
    assert routes == paths | DOCUMENTATION


@pytest.mark.parametrize("scope", ["anonymous", *SCOPES])
async def test_every_operation_against_a_scope(service: Service, scope: str) -> None:
    operations = documented()
    client = service.client(scope)
    reach = SCOPES.index(scope) if scope in SCOPES else -1
    wrong: list[str] = []
    for name, operation in operations.items():
        needed = TABLE[name]
        if operation["operationId"] == ENDLESS and reach >= SCOPES.index(V):
            continue
        answer = await asked(client, name, has_body="requestBody" in operation)
        path = answer.request.url.raw_path.decode()
        request_id = answer.headers["x-request-id"]
        if needed is OPEN:
            # A webhook of no source, and not signed.
            right = answer.status_code == 200 or path in ("/readyz", "/event-sources/github")
        elif reach < 0:
            right = answer.json() == problem(
                "unauthenticated",
                request_id,
                path,
                detail="The request carries no key or token.",
            )
        elif reach < SCOPES.index(needed):
            right = answer.json() == problem(
                "forbidden",
                request_id,
                path,
                detail=f"This needs the scope {needed}, and the key has {scope}.",
                required_scope=needed,
            )
        else:
            right = answer.status_code not in (401, 403) and answer.status_code < 500
        if not right:
            wrong.append(f"{name}: {answer.status_code} {answer.text[:300]}")
    assert wrong == []
