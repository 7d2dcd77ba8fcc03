"""Operations as a client sees them: started, watched, waited for."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.interleaving import wait_until
from tests.support.templates import Template

COUNTS = (
    "composed",
    "replayed",
    "dry_runs",
    "refused",
    "failed",
    "deleted",
    "gone",
    "blocked",
    "not_attempted",
)


def order(of: Template, **members: Any) -> dict[str, Any]:
    """A request for one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": of.key,
        **members,
    }


async def start(
    client: httpx.AsyncClient, orders: list[dict[str, Any]], **headers: str
) -> dict[str, Any]:
    """A new operation, as it was answered."""
    answer = await client.post("/instances/bulk", json=orders, headers=headers)
    assert answer.status_code == 202, answer.text
    operation: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/operations/{operation['operation_id']}"
    return operation


async def read(client: httpx.AsyncClient, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation as it is now. Its counts add up."""
    answer = await client.get(f"/operations/{operation['operation_id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert sum(found[name] for name in COUNTS) == found["total"]
    return found


async def reached(
    client: httpx.AsyncClient, operation: dict[str, Any], *states: str
) -> dict[str, Any]:
    """The operation, as soon as it is in one of the states; it must go on until then."""
    seen = operation
    found = await read(client, operation)

    async def has_gone_on() -> bool:
        nonlocal found
        found = await read(client, operation)
        return found["state"] in states or found["revision"] != seen["revision"]

    while found["state"] not in states:
        seen = found
        await wait_until(has_gone_on, f"the operation goes on to be {' or '.join(states)}")
    return found


async def items(
    client: httpx.AsyncClient, operation: dict[str, Any], **params: Any
) -> list[dict[str, Any]]:
    """All items, page by page."""
    path, found = f"/operations/{operation['operation_id']}/items", []
    while True:
        answer = await client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next_page_token"] is None:
            return found
        params["page_token"] = answer.json()["next_page_token"]


def counted(operation: dict[str, Any]) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: operation[name] for name in COUNTS if operation[name]}
