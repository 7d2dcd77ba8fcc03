"""Messages as events: what the bindings for NATS, Kafka and AMQP have of their own."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from app.consuming.kafka import BINDING as KAFKA
from app.consuming.nats import BINDING as NATS
from app.consuming.rabbitmq import BINDING as AMQP
from app.consuming.reading import Binding, event_of
from app.errors import Refusal
from tests.consuming.benches import event
from tests.events.intake import read

ATTRIBUTES = {"specversion": "1.0", "id": "1", "source": "/hr", "type": "employee.hired"}


def headers(binding: Binding, prefix: str = "", **changes: Any) -> list[tuple[str, Any]]:
    """The headers of an event in binary mode, as the broker's library has them."""
    prefix = prefix or binding.prefixes[0]
    named = {f"{prefix}{name}": value for name, value in (ATTRIBUTES | changes).items()}
    if binding is not KAFKA:
        return list(named.items())
    return [(name, value.encode() if isinstance(value, str) else value)
            for name, value in named.items()]  # fmt: skip


def refused(binding: Binding, sent: list[tuple[str, Any]], body: bytes = b"{}") -> Refusal:
    with pytest.raises(Refusal) as raised:
        event_of(binding, sent, body)
    return raised.value


def errors(refusal: Refusal) -> list[tuple[str, str, str]]:
    listed: Any = refusal.members["errors"]
    return [(error["location"], error["pointer"], error["rule"]) for error in listed]


@pytest.mark.parametrize("binding", [NATS, KAFKA, AMQP])
def test_binary_mode(binding: Binding) -> None:
    taken = event_of(binding, headers(binding), b'{"name": "Ada"}')
    assert dict(taken) == read(data={"name": "Ada"})


@pytest.mark.parametrize("binding", [NATS, KAFKA, AMQP])
def test_a_message_that_says_nothing_of_itself_is_structured(binding: Binding) -> None:
    assert event_of(binding, [("trace", None)], json.dumps(event()).encode()).id == "hire-1"


@pytest.mark.parametrize("binding", [NATS, KAFKA, AMQP])
def test_no_body_is_no_data(binding: Binding) -> None:
    assert event_of(binding, headers(binding), b"").data is None


def test_headers_have_any_case() -> None:
    sent = [("CONTENT-TYPE", "application/json"), ("Ce-Subject", "x"), *headers(NATS)]
    assert dict(event_of(NATS, sent, b"1")) == read(
        subject="x", datacontenttype="application/json", data=1
    )


def test_nats_has_percent_encoded_text_and_an_attribute_for_the_content_type() -> None:
    sent = headers(NATS, subject="Zo%C3%AB%20%25", datacontenttype="application/json")
    taken = event_of(NATS, sent, b"1")
    assert (taken.subject, taken.datacontenttype) == ("Zoë %", "application/json")
    quoted = event_of(NATS, headers(NATS, subject=r'"a \"b\" c"'), b"1")
    assert quoted.subject == 'a "b" c'
    assert errors(refused(NATS, headers(NATS, subject="%C0%A0"))) == [
        ("header", "/ce-subject", "not_utf8")
    ]


def test_kafka_has_text_in_utf_8_which_may_come_twice() -> None:
    assert event_of(KAFKA, headers(KAFKA, subject="Zoë %41"), b"1").subject == "Zoë %41"
    sent = [*headers(KAFKA, subject=b"\xff", x=None), ("ce_id", b"2")]
    assert errors(refused(KAFKA, sent)) == [
        ("header", "/ce_subject", "not_utf8"),
        ("header", "/ce_x", "not_utf8"),
        ("header", "/ce_id", "duplicate_key"),
    ]


def test_amqp_has_types_and_two_prefixes() -> None:
    moment = datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=1)))
    taken = event_of(
        AMQP, headers(AMQP, time=moment, count=7, urgent=True, token=b"abc"), b"1"
    )  # fmt: skip
    assert taken.time == "2026-03-02T09:00:00Z"
    assert taken.extensions == {"count": "7", "urgent": "true", "token": "abc"}
    naive = event_of(AMQP, headers(AMQP, "cloudEvents_", time=datetime(2026, 3, 2)), b"1")  # noqa: DTZ001 - as the library has it
    assert naive.time == datetime(2026, 3, 2, tzinfo=UTC).isoformat().replace("+00:00", "Z")
    assert errors(refused(AMQP, headers(AMQP, x=1.5))) == [("header", "/cloudEvents:x", "not_utf8")]


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents-batch+json", "application/cloudevents+avro", "text/plain", "json"],
)
def test_what_is_no_event_in_json_is_refused(content_type: str) -> None:
    refusal = refused(NATS, [("content-type", content_type), *headers(NATS)])
    assert refusal.code == "unsupported_media_type"
    assert refusal.members == {"supported": ["application/cloudevents+json", "application/json"]}


def test_data_without_attributes_is_refused() -> None:
    refusal = refused(AMQP, [("content-type", "application/json")])
    assert refusal.code == "unsupported_media_type"
    assert "`cloudEvents:` headers" in refusal.detail


def test_a_message_that_is_too_large_is_refused() -> None:
    assert refused(NATS, headers(NATS), b" " * (2**20 + 1)).members == {
        "limit": 2**20,
        "counted": "bytes of the body",
    }
