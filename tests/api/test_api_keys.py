"""`/api-keys`: exact JSON, and what is and is not stored."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from tests.support.gates import set_clock
from tests.support.http import Service, client_of, problem

SECRET = re.compile(r"pf_([0-9a-z]{12})_[A-Za-z0-9_-]{43}")


def refusal(response: httpx.Response, code: str, **members: Any) -> Any:
    """The problem document that a response must be."""
    request_id = response.headers["x-request-id"]
    return problem(code, request_id, response.request.url.path, **members)


async def made(service: Service, **members: Any) -> dict[str, Any]:
    """A new key, as it was answered."""
    order = {"principal": "billing service", "scope": "producer", "actor": "billing"} | members
    answer = await service.admin.post("/api-keys", json=order)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def status_with(service: Service, secret: str, path: str = "/gates") -> int:
    """What a request with the key is answered with."""
    async with client_of(service.app, secret) as client:
        return (await client.get(path)).status_code


async def test_a_key_is_made_and_its_secret_shown_once(
    service: Service, owner: asyncpg.Connection
) -> None:
    answer = await service.admin.post(
        "/api-keys",
        json={
            "principal": "billing service",
            "scope": "viewer",
            "actor": "billing",
            "actor_prefixes": ["billing-", "billing:"],
            "expires_at": "2999-01-01T00:00:00+01:00",
        },
    )
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    secret = document.pop("secret")
    match = SECRET.fullmatch(secret)
    assert match
    created_at = document["created_at"]
    assert created_at.endswith("Z")
    expected = {
        "key_id": match[1],
        "principal": "billing service",
        "scope": "viewer",
        "actor": "billing",
        "actor_prefixes": ["billing-", "billing:"],
        "state": "in_force",
        "created_by": document["created_by"],
        "created_at": created_at,
        "expires_at": "2998-12-31T23:00:00Z",
        "revoked_at": None,
        "revoked_by": None,
    }
    assert document == expected
    assert document["created_by"].startswith("admin-")
    assert await status_with(service, secret) == 200

    listed = await service.admin.get("/api-keys")
    assert expected in listed.json()["items"]
    assert secret not in listed.text
    row = await owner.fetchrow("SELECT * FROM iu_core.iu_api_key WHERE key_id = $1", match[1])
    assert row is not None
    assert row["key_sha256"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in str(dict(row))


async def test_keys_are_listed_in_pages_the_oldest_first(service: Service) -> None:
    names = ["one", "two", "three"]
    for name in names:
        await made(service, principal=name)
    found: list[str] = []
    token = None
    while True:
        params = {"limit": 2} | ({"page_token": token} if token else {})
        page = (await service.admin.get("/api-keys", params=params)).json()
        assert len(page["items"]) <= 2
        found += [key["principal"] for key in page["items"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert found[-3:] == names
    assert len(found) == len(set(found)) == 7, "the four of the fixture, and these"


async def test_a_revoked_key_is_refused_at_once(service: Service) -> None:
    key = await made(service, scope="viewer")
    secret = key.pop("secret")
    assert await status_with(service, secret) == 200
    answer = await service.admin.delete(f"/api-keys/{key['key_id']}")
    assert answer.status_code == 200
    revoked = answer.json()
    assert revoked == key | {
        "state": "revoked",
        "revoked_at": revoked["revoked_at"],
        "revoked_by": key["created_by"],
    }
    assert revoked["revoked_at"].endswith("Z")
    assert await status_with(service, secret) == 401
    again = await service.admin.delete(f"/api-keys/{key['key_id']}")
    assert again.json() == revoked


async def test_a_key_expires_by_itself(service: Service, owner: asyncpg.Connection) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    key = await made(service, scope="admin", expires_at=expires_at.isoformat())
    await set_clock(owner, timedelta(hours=2))
    assert await status_with(service, key["secret"]) == 401
    listed = (await service.admin.get("/api-keys")).json()["items"]
    (found,) = [one for one in listed if one["key_id"] == key["key_id"]]
    assert found["state"] == "expired"


async def test_everything_wrong_with_a_key_is_said_at_once(service: Service) -> None:
    answer = await service.admin.post(
        "/api-keys",
        json={
            "principal": "jwt:anna",
            "scope": "root",
            "actor": "billing-",
            "actor_prefixes": ["billing", "Billing-", "-"],
            "expires_at": "tomorrow",
        },
    )
    document = answer.json()
    assert (answer.status_code, document["code"]) == (422, "invalid_input")
    assert [error["pointer"] for error in document["errors"]] == [
        "/principal",
        "/scope",
        "/actor",
        "/actor_prefixes/0",
        "/actor_prefixes/1",
        "/actor_prefixes/2",
        "/expires_at",
    ]
    past = await service.admin.post(
        "/api-keys",
        json={
            "principal": "p",
            "scope": "viewer",
            "actor": "p",
            "expires_at": "2001-01-01T00:00:00Z",
        },
    )
    assert past.json() == refusal(
        past,
        "invalid_input",
        errors=[
            {
                "location": "body",
                "pointer": "/expires_at",
                "rule": "value",
                "detail": "should lie in the future",
            }
        ],
    )


async def test_what_is_no_key(service: Service) -> None:
    answer = await service.admin.delete("/api-keys/0000")
    assert answer.json() == refusal(answer, "api_key_not_found", key_id="0000")
