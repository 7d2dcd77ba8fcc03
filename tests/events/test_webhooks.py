"""Raw webhooks: kept as they came, and made events of."""

import hashlib
import json
from typing import Any

import httpx
import pytest

from app.errors import Refusal
from app.events.reading import event_from_document
from app.events.webhook import (
    GITHUB_TYPE,
    RawWebhook,
    WebhookMapping,
    event_from_webhook,
    from_expression,
    from_header,
)
from app.strict_json import MAX_DOCUMENT
from tests.api.throwaway import TWICE, assert_problem, wrong

GITHUB = WebhookMapping(
    "/event-sources/github", id=from_header("X-GitHub-Delivery"), type=GITHUB_TYPE
)
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
ISSUE = {"x-github-delivery": [DELIVERY], "x-github-event": ["issues"]}


def webhook(headers: dict[str, list[str]], body: Any) -> RawWebhook:
    return RawWebhook(headers, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("event", "body", "type_"),
    [
        ("issues", {"action": "opened", "issue": {"number": 1}}, "github.issues.opened"),
        ("push", {"ref": "refs/heads/main"}, "github.push"),
        ("ping", {"zen": "Keep it logically awesome.", "action": None}, "github.ping"),
        ("custom", {"action": {"name": "x"}}, "github.custom"),
        ("custom", [], "github.custom"),
    ],
)
def test_githubs_events(event: str, body: Any, type_: str) -> None:
    headers = {"x-github-delivery": [DELIVERY], "x-github-event": [event]}
    expected = {
        "specversion": "1.0",
        "id": DELIVERY,
        "source": "/event-sources/github",
        "type": type_,
        "data": body,
    }
    assert event_from_webhook(GITHUB, webhook(headers, body)) == event_from_document(expected)


def person(_headers: Any, body: Any) -> str:
    try:
        return f"person-{body['person']['id']}"
    except (KeyError, TypeError):
        raise ValueError("there is no such key: person.id") from None


HR = WebhookMapping(
    "https://hr.example/eu", id=from_expression("id", person), type=from_header("X-HR-Event")
)


def test_what_an_expression_says() -> None:
    body = {"person": {"id": 7}}
    event = event_from_webhook(HR, webhook({"x-hr-event": ["hired"]}, body))
    assert (event.id, event.type, event.source) == ("person-7", "hired", "https://hr.example/eu")
    assert (event.data, event.time, event.extensions) == (body, None, {})


@pytest.mark.parametrize(
    ("mapping", "headers", "body", "errors"),
    [
        (
            HR,
            {},
            {"people": []},
            [
                wrong("body", "", "not_found",
                      "the expression of id: there is no such key: person.id"),
                wrong("header", "/x-hr-event", "not_found", "is missing, or occurs more than once"),
            ],
        ),
        (
            GITHUB,
            {"x-github-delivery": [DELIVERY, DELIVERY], "x-github-event": ["issues"]},
            {},
            [
                wrong("header", "/x-github-delivery", "not_found",
                      "is missing, or occurs more than once"),
            ],
        ),
        (
            GITHUB,
            {"x-github-delivery": [""], "x-github-event": ["\x85"]},
            {"action": "a" * 200},
            [
                wrong("header", "/x-github-delivery", "string_too_short",
                      "should have at least 1 character"),
                wrong("header", "/x-github-event", "string_too_long",
                      "should have at most 200 characters"),
            ],
        ),
        (
            HR,
            {"x-hr-event": ["hired"]},
            {"person": {"id": "x" * 250}},
            [
                wrong("body", "", "string_too_long",
                      "the expression of id: should have at most 250 characters"),
            ],
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_taken_is_told_where_it_should_have_come_from(
    mapping: WebhookMapping, headers: dict[str, list[str]], body: Any, errors: list[Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        event_from_webhook(mapping, webhook(headers, body))
    assert (refused.value.code, refused.value.members) == ("invalid_input", {"errors": errors})


@pytest.mark.parametrize("body", [b"", b"payload=%7B%7D", b"\xff", b"NaN", b'{"a": '])
def test_a_body_that_is_no_json(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        event_from_webhook(GITHUB, RawWebhook(ISSUE, body))
    assert (refused.value.code, refused.value.status) == ("invalid_input", 400)


def test_a_body_is_parsed_as_strictly_as_any_other() -> None:
    with pytest.raises(Refusal) as refused:
        event_from_webhook(GITHUB, RawWebhook(ISSUE, b'{"a": 1, "a": 2}'))
    assert refused.value.members == {"errors": [wrong("body", "/a", "duplicate_key", TWICE)]}
    with pytest.raises(Refusal) as refused:
        event_from_webhook(GITHUB, RawWebhook(ISSUE, b"[" * 33 + b"]" * 33))
    assert refused.value.code == "too_deep"


def test_without_an_id_a_webhook_is_known_by_the_bytes_of_its_body() -> None:
    mapping = WebhookMapping("/event-sources/github", id=None, type=GITHUB_TYPE)
    body = b'{"action": "opened"}'
    event = event_from_webhook(mapping, RawWebhook(ISSUE, body))
    assert event.id == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert event.id != event_from_webhook(mapping, RawWebhook(ISSUE, body + b" ")).id


async def test_a_webhook_comes_as_it_was_sent(client: httpx.AsyncClient) -> None:
    body = b'{ "a": 1,\r\n "a": NaN \xff'
    response = await client.post(
        "/event-sources/hr",
        content=body,
        headers=[
            ("content-type", "application/json; charset=utf-8"),
            ("X-Token", "one"),
            ("x-token", "two"),
        ],
    )
    name, headers, received = response.json()["received"]
    assert (response.status_code, name, received) == (200, "hr", body.decode("latin-1"))
    assert headers["x-token"] == ["one", "two"]
    assert headers["content-type"] == ["application/json; charset=utf-8"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/json; charset=latin-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
async def test_a_webhook_is_json(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await client.post("/event-sources/hr", content=b"{}", headers=headers)
    assert_problem(
        response,
        "unsupported_media_type",
        instance="/event-sources/hr",
        supported=["application/json"],
    )


async def test_a_webhook_takes_1_mib_and_no_more(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    fits = await client.post("/event-sources/hr", content=b" " * MAX_DOCUMENT, headers=headers)
    assert fits.status_code == 200
    beyond = await client.post(
        "/event-sources/hr", content=b" " * (MAX_DOCUMENT + 1), headers=headers
    )
    assert_problem(
        beyond,
        "too_large",
        instance="/event-sources/hr",
        limit=MAX_DOCUMENT,
        counted="bytes of the body",
    )
