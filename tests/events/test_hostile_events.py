"""Events that nobody should send, one at a time: each gets its typed answer."""

import json
import os
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from app.refusals import CATALOGUE
from app.strict_json import MAX_DOCUMENT
from tests.api.throwaway import assert_problem, wrong
from tests.events.intake import BATCHED, BINARY, EVENT, STRUCTURED, read
from tests.support.hostile import HEADER_VALUES, spoilt_bodies

SEED = int(os.environ.get("FACTORY_TEST_SEED", "20250601"))
FULL = {
    **EVENT,
    "time": "2026-03-02T09:00:00Z",
    "subject": "s",
    "datacontenttype": "application/json",
    "dataschema": "https://hr.example/hired",
    "factorydepth": 1,
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "urgent": True,
    "data": {"name": "Ada", "list": [{"n": 1}, {}]},
}
LONGEST = {"id": 250, "source": 1000, "type": 200, "subject": 1000, "datacontenttype": 200,
           "dataschema": 1000, "note": 8192}  # fmt: skip

at_random = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def event_of(size: int) -> bytes:
    """A whole event of so many bytes."""
    head = json.dumps({**EVENT, "data": ""}).encode()[:-2]
    return head + b"x" * (size - len(head) - 2) + b'"}'


async def test_an_event_takes_1_mib_and_no_more(client: httpx.AsyncClient) -> None:
    data = b'"%s"' % (b"x" * (MAX_DOCUMENT - 2))
    for headers, fits in ((STRUCTURED, event_of(MAX_DOCUMENT)), (BINARY, data)):
        response = await client.post("/events", content=fits, headers=headers)
        assert len(fits) == MAX_DOCUMENT
        assert response.status_code == 200, response.text[:500]
        beyond = await client.post("/events", content=fits + b" ", headers=headers)
        assert_problem(
            beyond,
            "too_large",
            instance="/events",
            limit=MAX_DOCUMENT,
            counted="bytes of the body",
        )


@pytest.mark.parametrize("name", LONGEST)
async def test_texts_have_a_greatest_length(client: httpx.AsyncClient, name: str) -> None:
    def text(length: int) -> str:
        before = "application/" if name == "datacontenttype" else ""
        after = "+json" if name == "datacontenttype" else ""
        return before + "x" * (length - len(before) - len(after)) + after

    most = LONGEST[name]
    for length, status in ((most, 200), (most + 1, 422), (MAX_DOCUMENT // 2, 422)):
        document = json.dumps({**EVENT, name: text(length)}).encode()
        response = await client.post("/events", content=document, headers=STRUCTURED)
        assert response.status_code == status, response.text
        header = "content-type" if name == "datacontenttype" else f"ce-{name}"
        headers = {**BINARY, header: text(length)}
        response = await client.post("/events", content=b"1", headers=headers)
        assert response.status_code == status, response.text
        if status == 422:
            error = wrong(
                "header",
                f"/{header}",
                "string_too_long",
                f"should have at most {most} characters",
            )
            assert_problem(response, "invalid_input", instance="/events", errors=[error])


@pytest.mark.parametrize(
    ("content", "pointer", "rule"),
    [
        (b'{"subject": "\\u0000", %s', "/subject", "nul_character"),
        (b'{"subject": "\\ud800", %s', "/subject", "lone_surrogate"),
        (b'{"\\u0000": "x", %s', "/\x00", "control_character"),
        (b'{"id": "2", %s', "/id", "duplicate_key"),
        (b'{"data": {"a": [{"b": 1, "b": 1}]}, %s', "/data/a/0/b", "duplicate_key"),
        (b'{"data": 9007199254740993, %s', "/data", "integer_not_exact"),
        (b'{"subject": "a\\nb", %s', "/subject", "string_pattern_mismatch"),
        (b'{"note": "a\\r\\nSet-Cookie: a=b", %s', "/note", "string_pattern_mismatch"),
        (b'{"factorydepth": -1, %s', "/factorydepth", "greater_than_equal"),
        (b'{"factorydepth": 2147483648, %s', "/factorydepth", "less_than_equal"),
        (b'{"factorydepth": true, %s', "/factorydepth", "int_type"),
        (b'{"factorydepth": "%s", ' % (b"9" * 400) + b"%s", "/factorydepth", "int_type"),
        (b'{"time": "2026-02-30T09:00:00Z", %s', "/time", "value_error"),
        (b'{"time": "2026-03-02T09:00:00", %s', "/time", "value_error"),
        (b'{"time": "2026-03-02T24:00:00Z", %s', "/time", "value_error"),
        (b'{"time": "2026-03-02T09:00:00+24:00", %s', "/time", "value_error"),
        (b'{"source": "%%zz", %s', "/source", "duplicate_key"),
    ],
)
async def test_a_hostile_member_is_named(
    client: httpx.AsyncClient, content: bytes, pointer: str, rule: str
) -> None:
    body = content % json.dumps(EVENT).encode()[1:]
    response = await client.post("/events", content=body, headers=STRUCTURED)
    errors = [(error["pointer"], error["rule"]) for error in response.json()["errors"]]
    assert (response.status_code, errors) == (422, [(pointer, rule)])


@pytest.mark.parametrize(
    ("fits", "beyond", "headers"),
    [
        (b'{"data": %s, ' % (b"[" * 31 + b"]" * 31), b'{"data": %s, ' % (b"[" * 32 + b"]" * 32),
         STRUCTURED),
        (b"[" * 32 + b"]" * 32, b"[" * 33 + b"]" * 33, BINARY),
    ],
)  # fmt: skip
async def test_an_event_is_32_levels_deep(
    client: httpx.AsyncClient, fits: bytes, beyond: bytes, headers: dict[str, str]
) -> None:
    rest = json.dumps(EVENT).encode()[1:] if headers is STRUCTURED else b""
    response = await client.post("/events", content=fits + rest, headers=headers)
    assert response.status_code == 200
    for content in (beyond + rest, b"[" * 500_000):
        response = await client.post("/events", content=content, headers=headers)
        assert_problem(response, "too_deep", instance="/events", limit=32)


async def test_an_event_in_headers_has_a_hundred_attributes_too(client: httpx.AsyncClient) -> None:
    headers = [*BINARY.items(), *((f"ce-x{n}", "") for n in range(96))]
    assert (await client.post("/events", headers=headers)).status_code == 200
    response = await client.post("/events", headers=headers, content=b"1")
    assert response.json()["errors"] == [
        wrong("header", "", "value_error", "should have at most 100 members")
    ]


async def test_an_attribute_that_comes_a_thousand_times(client: httpx.AsyncClient) -> None:
    twice = [*BINARY.items(), *[("ce-id", "2")] * 1000]
    document = (await client.post("/events", headers=twice)).json()
    assert (len(document["errors"]), document["errors_omitted"]) == (100, 900)


def assert_typed(response: httpx.Response) -> None:
    """The event was read, or refused with a problem of the catalogue."""
    if response.status_code == 200:
        return
    document = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code in CATALOGUE[document["code"]].statuses
    assert response.status_code < 500
    if document["code"] == "invalid_input":
        assert all(error["detail"] for error in document["errors"])


@pytest.mark.parametrize("headers", [STRUCTURED, BATCHED])
@seed(SEED)
@at_random
@given(data=st.data())
async def test_a_spoilt_event_gets_a_typed_answer(
    client: httpx.AsyncClient, headers: dict[str, str], data: st.DataObject
) -> None:
    document: Any = [FULL, EVENT] if headers is BATCHED else FULL
    body = data.draw(spoilt_bodies(document))
    assert_typed(await client.post("/events", content=body, headers=headers))


@seed(SEED)
@at_random
@given(
    name=st.sampled_from(["content-type", *(f"ce-{name}" for name in FULL), "ce-", "ce--"]),
    value=HEADER_VALUES | st.text().map(lambda text: text.encode("utf-8", "replace")),
    body=st.binary(max_size=20) | st.sampled_from([b"", b"{}", b'{"a": "\xed\xa0\x80"}']),
)
async def test_a_hostile_header_gets_a_typed_answer(
    client: httpx.AsyncClient, name: str, value: bytes, body: bytes
) -> None:
    others = [(key.encode(), text.encode()) for key, text in BINARY.items() if key != name]
    headers = [*others, (name.encode("latin-1"), value)]
    assert_typed(await client.post("/events", content=body, headers=headers))


async def test_an_event_that_is_as_large_as_its_headers_go(client: httpx.AsyncClient) -> None:
    headers = {**BINARY, **{f"ce-x{n}": "%E2%82%AC" * 8192 for n in range(90)}}
    response = await client.post("/events", headers=headers)
    assert response.json()["received"] == read(**{f"x{n}": "€" * 8192 for n in range(90)})
