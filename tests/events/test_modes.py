"""One event, in each mode of CloudEvents over HTTP, and what is none."""

import base64
import json
from typing import Any

import httpx
import pytest

from app.events.reading import event_from_document
from tests.api.throwaway import TWICE, UNPARSEABLE, assert_problem, throwaway_app, wrong
from tests.events.intake import BATCHED, BINARY, EVENT, STRUCTURED, intake_router, read

SUPPORTED = [
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
]
BARE = (
    "Nothing says which event it is: send the whole event as `application/cloudevents+json`, or its"
    " data as `application/json` with its attributes in `ce-` headers."
)
NO_HEADER = "there is no such header: the body and its content type say it"
NOT_JSON = "should be application/json, or end with +json: data fills templates"
NOT_BASE64 = (
    "should be the Base64 of JSON, beside a datacontenttype that says so and without data:"
    " data fills templates"
)


async def structured(client: httpx.AsyncClient, document: Any) -> httpx.Response:
    return await client.post("/events", content=json.dumps(document).encode(), headers=STRUCTURED)


async def batched(client: httpx.AsyncClient, document: Any) -> httpx.Response:
    return await client.post("/events", content=json.dumps([document]).encode(), headers=BATCHED)


async def binary(
    client: httpx.AsyncClient, headers: Any, content: bytes = b"", content_type: str | None = None
) -> httpx.Response:
    declared = {"content-type": content_type} if content_type else {}
    sent = headers if isinstance(headers, list) else [*BINARY.items(), *headers.items()]
    return await client.post("/events", content=content, headers=[*sent, *declared.items()])


@pytest.mark.parametrize(
    ("document", "headers", "content", "expected"),
    [
        ({}, {}, b"", {}),
        ({"data": {"a": [1]}}, {}, b'{"a": [1]}', {"data": {"a": [1]}}),
        ({"data": "text"}, {}, b'"text"', {"data": "text"}),
        ({"data": None, "subject": None}, {}, b"null", {}),
        ({"subject": "Euro € 😀"}, {"ce-subject": "Euro%20%E2%82%AC%20%f0%9f%98%80"}, b"",
         {"subject": "Euro € 😀"}),
        ({"subject": 'say "x\\y"'}, {"ce-subject": '"say \\"x\\\\y\\""'}, b"",
         {"subject": 'say "x\\y"'}),
        ({"subject": "100%"}, {"ce-subject": "100%"}, b"", {"subject": "100%"}),
        ({"subject": "a%20b"}, {"ce-subject": "a%2520b"}, b"", {"subject": "a%20b"}),
        ({"time": "2026-03-02T09:00:00.12345678+01:00"},
         {"ce-time": "2026-03-02T09:00:00.12345678+01:00"}, b"",
         {"time": "2026-03-02T09:00:00.12345678+01:00"}),
        ({"dataschema": "https://x.example/s#1"}, {"CE-DataSchema": "https://x.example/s#1"}, b"",
         {"dataschema": "https://x.example/s#1"}),
        ({"factorydepth": 7}, {"ce-factorydepth": "7"}, b"", {"factorydepth": 7}),
        ({"some1": True, "n": -5, "s": ""}, {"ce-some1": "true", "ce-n": "-5", "ce-s": ""}, b"",
         {"some1": "true", "n": "-5", "s": ""}),
    ],
)  # fmt: skip
async def test_an_event_reads_the_same_in_every_mode(
    client: httpx.AsyncClient,
    document: dict[str, Any],
    headers: dict[str, str],
    content: bytes,
    expected: dict[str, Any],
) -> None:
    event = {**EVENT, **document}
    assert (await structured(client, event)).json() == {"received": read(**expected)}
    assert (await batched(client, event)).json() == {"received": [read(**expected)]}
    response = await binary(client, headers, content)
    assert response.json() == {"received": read(**expected)}, response.text


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        "application/vnd.hr.v1+json",
        "text/json",
    ],
)
async def test_the_content_type_of_data_is_kept(
    client: httpx.AsyncClient, content_type: str
) -> None:
    expected = read(datacontenttype=content_type, data=1)
    document = {**EVENT, "datacontenttype": content_type, "data": 1}
    assert (await structured(client, document)).json() == {"received": expected}
    assert (await binary(client, {}, b"1", content_type)).json() == {"received": expected}


async def test_data_that_was_encoded_is_decoded_where_it_is_declared_as_json(
    client: httpx.AsyncClient,
) -> None:
    encoded = base64.b64encode(b'{"a": 1}').decode()
    document = {**EVENT, "datacontenttype": "application/json", "data_base64": encoded}
    expected = read(datacontenttype="application/json", data={"a": 1})
    assert (await structured(client, document)).json() == {"received": expected}
    assert (await structured(client, {**EVENT, "data": 1, "data_base64": None})).json() == {
        "received": read(data=1)
    }


@pytest.mark.parametrize(
    "members",
    [
        {"data_base64": "MQ=="},
        {"data_base64": "MQ==", "datacontenttype": "text/plain"},
        {"data_base64": "MQ==", "datacontenttype": 5},
        {"data_base64": "MQ==", "datacontenttype": "application/json", "data": 1},
        {"data_base64": "MQ", "datacontenttype": "application/json"},
        {"data_base64": "M%Q==", "datacontenttype": "application/json"},
        {"data_base64": "é", "datacontenttype": "application/json"},
        {"data_base64": {}, "datacontenttype": "application/json"},
        {"data_base64": "ew==", "datacontenttype": "application/json"},
        {
            "data_base64": base64.b64encode(b"[" * 33 + b"]" * 33).decode(),
            "datacontenttype": "application/json",
        },
    ],
)
async def test_data_that_is_no_json_is_refused(
    client: httpx.AsyncClient, members: dict[str, Any]
) -> None:
    response = await structured(client, {**EVENT, **members})
    errors = response.json()["errors"]
    assert (response.status_code, errors[0]) == (
        422,
        wrong("body", "/data_base64", "data_not_json", NOT_BASE64),
    )
    assert [error["pointer"] for error in errors[1:]] in ([], ["/datacontenttype"])


async def test_everything_that_is_wrong_with_a_document_is_told_at_once(
    client: httpx.AsyncClient,
) -> None:
    document = {
        "specversion": "0.3",
        "id": "",
        "source": "a b",
        "subject": 5,
        "time": "yesterday",
        "datacontenttype": "text/plain",
        "dataschema": "<x>",
        "factorydepth": "01",
        "Capital": "x",
        "fraction": 1.5,
        "large": 2**31,
        "a/b~": {},
    }
    errors = [
        wrong("body", "/specversion", "literal_error", "should be '1.0'"),
        wrong("body", "/id", "string_too_short", "should have at least 1 character"),
        wrong("body", "/source", "value_error",
              "should be a URI reference (RFC 3986), with all else percent-encoded"),
        wrong("body", "/type", "missing", "is missing"),
        wrong("body", "/subject", "string_type", "should be a valid string"),
        wrong("body", "/time", "value_error",
              "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z"),
        wrong("body", "/datacontenttype", "value_error", NOT_JSON),
        wrong("body", "/dataschema", "value_error",
              "should be a URI reference (RFC 3986), with all else percent-encoded"),
        wrong("body", "/factorydepth", "int_type", "should be a valid integer"),
        wrong("body", "/Capital", "string_pattern_mismatch",
              "should match pattern '^[a-z0-9]{1,64}$'"),
        wrong("body", "/fraction", "value_error",
              "should be a text, a boolean or an integer of 32 bits"),
        wrong("body", "/large", "value_error",
              "should be a text, a boolean or an integer of 32 bits"),
        wrong("body", "/a~1b~0", "string_pattern_mismatch",
              "should match pattern '^[a-z0-9]{1,64}$'"),
        wrong("body", "/a~1b~0", "value_error",
              "should be a text, a boolean or an integer of 32 bits"),
    ]  # fmt: skip
    assert_problem(
        await structured(client, document), "invalid_input", instance="/events", errors=errors
    )
    in_batch = [{**error, "pointer": f"/0{error['pointer']}"} for error in errors]
    assert (await batched(client, document)).json() == {
        "received": [{"code": "invalid_input", "status": 422, "errors": in_batch}]
    }


async def test_everything_that_is_wrong_with_headers_is_told_at_once(
    client: httpx.AsyncClient,
) -> None:
    response = await binary(
        client,
        [
            ("ce-specversion", "1.0"),
            ("CE-ID", "1"),
            ("ce-id", "2"),
            ("ce-source", "%20"),
            ("ce-subject", "%C0%A0"),
            ("ce-data", "1"),
            ("ce-datacontenttype", "application/json"),
            ("ce-time", ""),
            ("ce-not-a-name", "x"),
            ("ce-note", "%00%0d%0aSet-Cookie:%20a=b"),
        ],
        b"{}",
    )
    assert_problem(
        response,
        "invalid_input",
        instance="/events",
        errors=[
            wrong("header", "/ce-id", "duplicate_key", TWICE),
            wrong("header", "/ce-subject", "not_utf8", "percent-encoded text must be UTF-8"),
            wrong("header", "/ce-data", "extra_forbidden", NO_HEADER),
            wrong("header", "/ce-datacontenttype", "extra_forbidden", NO_HEADER),
            wrong("header", "/ce-source", "value_error",
                  "should be a URI reference (RFC 3986), with all else percent-encoded"),
            wrong("header", "/ce-type", "missing", "is missing"),
            wrong("header", "/ce-time", "value_error",
                  "should be a timestamp of RFC 3339, with its offset: 2025-06-01T12:00:00Z"),
            wrong("header", "/ce-not-a-name", "string_pattern_mismatch",
                  "should match pattern '^[a-z0-9]{1,64}$'"),
            wrong("header", "/ce-note", "string_pattern_mismatch",
                  r"should match pattern '^[^\x00-\x1f\x7f-\x9f]*$'"),
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({"content-type": "application/json"}, BARE),
        ({}, BARE),
        ({"content-type": "application/xml", **BINARY}, None),
        ({"content-type": "application/json; charset=latin-1", **BINARY}, None),
        ({"content-encoding": "gzip", **BINARY}, None),
        ({"content-encoding": "gzip", **STRUCTURED}, None),
        ({"content-type": "application/cloudevents+json; charset=utf-16"}, None),
        ({"content-type": "application/cloudevents+avro"}, None),
        ({"content-type": "application/cloudevents-batch+protobuf", **BINARY}, None),
        ({"content-type": "application/cloudevents-stream+json", **BINARY}, None),
        ({"content-type": "application/x-ndjson"}, None),
    ],
)
async def test_the_content_type_tells_the_mode(
    client: httpx.AsyncClient, headers: dict[str, str], detail: str | None
) -> None:
    response = await client.post("/events", content=json.dumps(EVENT).encode(), headers=headers)
    assert_problem(
        response, "unsupported_media_type", instance="/events", detail=detail, supported=SUPPORTED
    )


async def test_headers_beside_a_whole_event_are_not_looked_at(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/events", content=json.dumps(EVENT).encode(), headers={**STRUCTURED, "ce-id": "%00"}
    )
    assert response.json() == {"received": read()}


async def test_a_body_is_parsed_as_strictly_as_any_other(client: httpx.AsyncClient) -> None:
    twice = json.dumps(EVENT)[:-1] + ', "id": "2"}'
    response = await client.post("/events", content=twice.encode(), headers=STRUCTURED)
    assert_problem(
        response,
        "invalid_input",
        instance="/events",
        errors=[wrong("body", "/id", "duplicate_key", TWICE)],
    )
    for content in (b"{", b"", b"\xff", b'{"a": NaN}'):
        response = await client.post("/events", content=content, headers=STRUCTURED)
        assert (response.status_code, response.json()["detail"]) == (400, UNPARSEABLE)
    response = await binary(client, {}, b"hello", "application/json")
    assert (response.status_code, response.json()["detail"]) == (400, UNPARSEABLE)


async def test_the_scope_is_looked_at_before_the_fields(client: httpx.AsyncClient) -> None:
    narrow = {"x-narrow": "yes"}
    for headers in ({**STRUCTURED, **narrow}, {**BATCHED, **narrow}, {"ce-id": "", **narrow}):
        response = await client.post("/events", content=b"[5]", headers=headers)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


def test_every_body_is_documented_with_an_example() -> None:
    document = throwaway_app(intake_router()).openapi()
    event = document["components"]["schemas"]["CloudEvent"]
    operation = document["paths"]["/events"]["post"]
    bodies = operation["requestBody"]["content"]
    assert sorted(bodies) == sorted(SUPPORTED)
    one, batch, data = (bodies[media_type] for media_type in SUPPORTED)
    assert one["schema"] == batch["schema"]["items"] == {"$ref": "#/components/schemas/CloudEvent"}
    assert event_from_document(event["example"]).data == data["examples"]["data"]["value"]
    headers = {
        parameter["name"].removeprefix("ce-"): parameter["example"]
        for parameter in operation["parameters"]
        if parameter["name"].startswith("ce-")
    }
    assert headers == {name: event["example"][name] for name in EVENT}
    webhook = document["paths"]["/event-sources/{name}"]["post"]["requestBody"]
    assert list(webhook["content"]) == ["application/json"]
    assert "examples" in webhook["content"]["application/json"]
