"""`/event-sources`: signed webhooks of systems that speak no CloudEvents. Exact JSON."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import asyncpg
import httpx
import pytest
from standardwebhooks import Webhook

from app.events.identity import event_id
from tests.support.http import Service, problem
from tests.support.templates import open_gates

DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
SECRET = "It's a Secret to Everybody"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"action": "opened", "number": 1}).encode()
SOURCES = {
    "github": {"signature": "github", "secrets": [SECRET], "source": "https://github.com/acme"},
    "standard": {"signature": "standard_webhooks", "secrets": [WHSEC], "source": "/billing"},
    "shared": {
        "signature": "header",
        "header": "x-webhook-token",
        "secrets": ["0123456789abcdef"],
        "source": "/hr",
    },
}


@pytest.fixture(autouse=True)
async def sources(service: Service, owner: asyncpg.Connection) -> None:
    """One source of each kind, the intake's gate open."""
    await open_gates(owner, "event_intake_enabled")
    for name, order in SOURCES.items():
        made = await service.operator.put(f"/event-sources/{name}", json={**order, "reason": "x"})
        assert made.status_code == 201, made.text


def github(body: bytes = BODY, secret: str = SECRET, delivery: str = DELIVERY) -> dict[str, str]:
    """The headers of a delivery of GitHub's."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-hub-signature-256": f"sha256={digest}",
        "x-github-event": "issues",
        "x-github-delivery": delivery,
    }


def standard(at: datetime, message_id: str = "msg_1") -> dict[str, str]:
    """The headers of a Standard Webhook."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(WHSEC).sign(message_id, at, BODY.decode()),
    }


async def send(
    service: Service, name: str, headers: dict[str, str], body: bytes = BODY
) -> httpx.Response:
    """Send a webhook, with no key."""
    return await service.anonymous.post(f"/event-sources/{name}", content=body, headers=headers)


def refused(answer: httpx.Response, name: str, reason: str) -> Any:
    """The problem of a webhook that is not signed as it should be."""
    return problem(
        "signature_invalid",
        answer.headers["x-request-id"],
        f"/event-sources/{name}",
        detail=ANY,
        reason=reason,
    )


async def test_a_signed_webhook_is_an_event(service: Service) -> None:
    answer = await send(service, "github", github())
    digest = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
    assert answer.status_code == 201
    assert answer.json() == {
        "outcome": "accepted",
        "event_id": str(event_id("https://github.com/acme", digest)),
        "source": "https://github.com/acme",
        "id": digest,
        "type": "github.issues.opened",
        "received_at": ANY,
        "inert": True,
        "results": [],
        "not_taken": [],
    }
    stored = (await service.viewer.get(f"/events/{answer.json()['event_id']}")).json()
    assert (stored["channel"], stored["principal"], stored["actor"]) == (
        "event-source:github",
        "event-source:github",
        "operator-bot",
    )
    assert stored["event"]["data"] == json.loads(BODY)


async def test_a_delivery_that_is_sent_again_under_another_id_is_the_same_event(
    service: Service,
) -> None:
    """The signature covers the body alone: an id that was made up must not make a new event."""
    first = await send(service, "github", github())
    again = await send(service, "github", github(delivery="made-up"))
    assert again.status_code == 200
    assert again.json() == {**first.json(), "outcome": "known"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x-hub-signature-256": None}, "missing"),
        ({"x-hub-signature-256": "sha1=00"}, "malformed"),
        ({"x-hub-signature-256": f"sha256={'0' * 64}"}, "mismatch"),
    ],
)
async def test_an_unsigned_webhook_is_refused(
    service: Service, change: dict[str, str | None], reason: str
) -> None:
    headers = {name: value for name, value in {**github(), **change}.items() if value is not None}
    answer = await send(service, "github", headers)
    assert answer.status_code == 401
    assert answer.json() == refused(answer, "github", reason)
    assert (await service.viewer.get("/events")).json()["items"] == []


async def test_a_body_that_was_altered_is_refused(service: Service) -> None:
    answer = await send(service, "github", github(), BODY.replace(b"1", b"2"))
    assert answer.json() == refused(answer, "github", "mismatch")


@pytest.mark.parametrize(("minutes", "reason"), [(-6, "too_old"), (6, "too_new")])
async def test_a_webhook_of_another_time_is_refused(
    service: Service, minutes: int, reason: str
) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = await send(service, "standard", standard(at))
    assert answer.json() == refused(answer, "standard", reason)


async def test_a_standard_webhook_has_the_id_that_its_signature_covers(service: Service) -> None:
    answer = await send(service, "standard", standard(datetime.now(UTC)))
    assert (answer.json()["id"], answer.json()["type"]) == ("msg_1", "webhook.standard")


async def test_a_shared_secret_is_kept_as_its_digest(
    service: Service, owner: asyncpg.Connection
) -> None:
    headers = {"content-type": "application/json", "x-webhook-token": "0123456789abcdef"}
    assert (await send(service, "shared", headers)).status_code == 201
    wrong = await send(service, "shared", {**headers, "x-webhook-token": "0123456789abcdeg"})
    assert wrong.json() == refused(wrong, "shared", "mismatch")
    kept = await owner.fetchval(
        "SELECT secrets FROM iu_core.iu_event_source WHERE source_name = 'shared'"
    )
    assert kept == [hashlib.sha256(b"0123456789abcdef").hexdigest()]


async def test_a_secret_is_changed_without_a_gap(service: Service) -> None:
    new = "another secret of theirs"
    order = {**SOURCES["github"], "secrets": [new, SECRET], "reason": "rotation"}
    changed = await service.operator.put("/event-sources/github", json=order)
    assert (changed.status_code, changed.json()["secret_count"]) == (200, 2)
    assert "secrets" not in changed.json()
    assert (await send(service, "github", github(secret=new))).status_code == 201
    assert (await send(service, "github", github())).status_code == 200


async def test_a_delivery_is_known_also_after_its_source_acts_as_another(service: Service) -> None:
    assert (await send(service, "github", github())).status_code == 201
    order = {**SOURCES["github"], "actor": "operator-other", "reason": "another"}
    assert (await service.operator.put("/event-sources/github", json=order)).status_code == 200
    again = await send(service, "github", github())
    assert (again.status_code, again.json()["outcome"]) == (200, "known")


async def test_secrets_stay_where_none_are_sent(service: Service) -> None:
    order = {**SOURCES["github"], "reason": "switched off", "enabled": False}
    del order["secrets"]
    await service.operator.put("/event-sources/github", json=order)
    off = await send(service, "github", github())
    assert off.json() == problem(
        "event_source_not_found",
        off.headers["x-request-id"],
        "/event-sources/github",
        source="github",
    )
    await service.operator.put("/event-sources/github", json={**order, "enabled": True})
    assert (await send(service, "github", github())).status_code == 201


async def test_id_and_type_may_come_from_headers_and_expressions(service: Service) -> None:
    order = {
        **SOURCES["github"],
        "id": {"header": "x-github-delivery"},
        "type": {"expression": "'pull.' + body.action"},
        "reason": "ours",
    }
    await service.operator.put("/event-sources/github", json=order)
    answer = await send(service, "github", github())
    assert (answer.json()["id"], answer.json()["type"]) == (
        DELIVERY,
        "pull.opened",
    )
    body = b'{"number": 1}'
    missing = await send(service, "github", github(body), body)
    assert (missing.status_code, missing.json()["code"]) == (422, "invalid_input")
    assert missing.json()["errors"][0]["detail"] == "the expression of type: body has no action"


async def test_who_sends_is_nothing_that_an_event_could_tell(service: Service) -> None:
    order = {
        **SOURCES["shared"],
        "id": {"expression": "string(headers.size()) + headers['x-webhook-token']"},
        "reason": "leaks",
    }
    assert (await service.operator.put("/event-sources/shared", json=order)).status_code == 200
    headers = {"content-type": "application/json", "x-webhook-token": "0123456789abcdef"}
    answer = await send(service, "shared", {**headers, "cookie": "a=b", "authorization": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["errors"][0]["detail"] == (
        'the expression of id: headers has no ["x-webhook-token"]'
    )


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"secrets": ["short"]}, "/secrets/0"),
        ({**SOURCES["shared"], "secrets": ["fifteen letters"]}, "/secrets/0"),
        ({**SOURCES["shared"], "secrets": [" " * 16]}, "/secrets/0"),
        ({**SOURCES["shared"], "secrets": ["geheim\ngeheimgeheim"]}, "/secrets/0"),
        ({"secrets": []}, "/secrets"),
        ({"source": "x" * 201}, "/source"),
        ({**SOURCES["shared"], "id": {"header": "x-webhook-token"}}, "/id/header"),
        ({"type": {"header": "cookie"}}, "/type/header"),
        ({"header": "x-token"}, "/header"),
        ({"type": {"expression": "body.("}}, "/type/expression"),
        ({"id": {"header": "a", "expression": "b"}}, "/id"),
    ],
)
async def test_what_is_wrong_with_a_source_is_told(
    service: Service, change: dict[str, Any], pointer: str
) -> None:
    order = {**SOURCES["github"], "reason": "x", **change}
    answer = await service.operator.put("/event-sources/github", json=order)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_no_key_opens_what_is_not_signed(service: Service) -> None:
    for method, path in (("GET", "/event-sources"), ("PUT", "/event-sources/github")):
        answer = await service.anonymous.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
