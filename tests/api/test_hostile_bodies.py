"""Bodies, addresses and headers that nobody should send: each gets its typed refusal."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.strict_json import MAX_DOCUMENT
from tests.api.throwaway import (
    EVENT,
    JSON,
    TOO_LARGE_NUMBER,
    TWICE,
    UNPARSEABLE,
    assert_problem,
    client_of,
    throwaway_app,
    wrong,
)

INEXACT = "integers beyond ±9007199254740991 are not exact as JSON numbers: send a text"
NO_CONTROL = "control characters are not taken here"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(throwaway_app()) as client:
        yield client


async def send(client: httpx.AsyncClient, body: bytes, **headers: str) -> httpx.Response:
    return await client.post("/things", content=body, headers={**JSON, **headers})


def thing(data: str) -> bytes:
    return f'{{"event_id": "{EVENT}", "data": {data}}}'.encode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"hello", "Expecting value, at line 1 column 1"),
        (b"   ", "Expecting value, at line 1 column 4"),
        (b"{} {}", "Extra data, at line 1 column 4"),
        (b"{'a': 1}", "Expecting property name enclosed in double quotes, at line 1 column 2"),
        (b'{"a": NaN}', "NaN is no JSON"),
        (b'{"a": Infinity}', "Infinity is no JSON"),
        (b'{"a": -Infinity}', "-Infinity is no JSON"),
        (b'{"a": "\x00"}', "Invalid control character at, at line 1 column 8"),
        (b'{"a": 01}', "Expecting ',' delimiter, at line 1 column 8"),
        (b'\xef\xbb\xbf{"a": 1}', "the body begins with a byte order mark"),
        (b'{"a": "\xff"}', "the body is no UTF-8, from byte 7 on"),
        (b'{"a": "\xed\xa0\x80"}', "the body is no UTF-8, from byte 7 on"),
        ('{"a": 1}'.encode("utf-16"), "the body is no UTF-8, from byte 0 on"),
        (b'{"a": "\\x"}', "Invalid \\escape, at line 1 column 8"),
        (
            b'{"a": 1e999, b}',
            "Expecting property name enclosed in double quotes, at line 1 column 14",
        ),
        (b'{"a": 1, "a": 2', "Expecting ',' delimiter, at line 1 column 16"),
    ],
)
async def test_what_is_no_json_is_a_400(client: httpx.AsyncClient, body: bytes, why: str) -> None:
    response = await send(client, body)
    assert_problem(
        response,
        "invalid_input",
        status=400,
        instance="/things",
        detail=UNPARSEABLE,
        errors=[wrong("body", "", "json_invalid", why)],
    )


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (thing('{"a": 1, "a": 1}'), [wrong("body", "/data/a", "duplicate_key", TWICE)]),
        (
            thing('[{"b": {"c": 1, "c": 2}}, {"d": 1, "d": 2}]'),
            [
                wrong("body", "/data/0/b/c", "duplicate_key", TWICE),
                wrong("body", "/data/1/d", "duplicate_key", TWICE),
            ],
        ),
        (
            thing('{"x": 1e131071, "y": -1e400}'),
            [
                wrong("body", "/data/x", "number_out_of_range", TOO_LARGE_NUMBER),
                wrong("body", "/data/y", "number_out_of_range", TOO_LARGE_NUMBER),
            ],
        ),
        (
            thing("[9007199254740991, 9007199254740992, -9007199254740993]"),
            [
                wrong("body", "/data/1", "integer_not_exact", INEXACT),
                wrong("body", "/data/2", "integer_not_exact", INEXACT),
            ],
        ),
        (thing("9" * 10_000), [wrong("body", "/data", "integer_not_exact", INEXACT)]),
        (
            thing(r'{"note": "a\u0000b"}'),
            [wrong("body", "/data/note", "nul_character", "U+0000 can't be stored")],
        ),
        (
            thing(r'{"note": "\ud800", "pair": "\ud83d\ude00", "\udc00": 1}'),
            [
                wrong(
                    "body",
                    "/data/note",
                    "lone_surrogate",
                    "half of a surrogate pair is no character",
                ),
                wrong(
                    "body", "/data/?", "lone_surrogate", "half of a surrogate pair is no character"
                ),
            ],
        ),
        (
            thing(r'{"a\u0007b": 1, "c\u0085d": 2, "e\u0000": 3}'),
            [
                wrong(
                    "body",
                    f"/data/{name}",
                    "control_character",
                    "a name has no control characters",
                )
                for name in ("a\u0007b", "c\u0085d", "e\u0000")
            ],
        ),
    ],
    ids=[
        "a name twice",
        "names twice, deeper",
        "numbers beyond a double",
        "integers that a double can't hold",
        "ten thousand digits",
        "NUL in a text",
        "lone surrogates",
        "control characters in names",
    ],
)
async def test_json_that_cannot_be_taken_is_a_422_with_every_place(
    client: httpx.AsyncClient, body: bytes, errors: list[dict[str, str]]
) -> None:
    response = await send(client, body)
    assert_problem(response, "invalid_input", instance="/things", errors=errors)


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (r'{"text": "\\u0000 \\ud800"}', {"text": r"\u0000 \ud800"}),
        (r'{"smile": "\ud83d\ude00"}', {"smile": "😀"}),
        (f'{{"brackets": "{"[" * 36}"}}', {"brackets": "[" * 36}),
        ('{"n": [1e308, -0, 0.1, 9007199254740991]}', {"n": [1e308, 0, 0.1, 9007199254740991]}),
        (r'{"line": "one\ntwo\ttabbed"}', {"line": "one\ntwo\ttabbed"}),
    ],
)
async def test_what_only_looks_hostile_is_taken(
    client: httpx.AsyncClient, data: str, received: Any
) -> None:
    response = await send(client, thing(data))
    assert (response.status_code, response.json()) == (
        201,
        {"received": {"event_id": EVENT, "data": received}},
    )


@pytest.mark.parametrize(
    "value",
    [
        b"[" * MAX_DOCUMENT,
        b'{"a":' * (MAX_DOCUMENT // 5),
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 32 + b"[]" + b"}" * 32,
        b"[[]," * 33 + b"1" + b"]" * 33,
    ],
    ids=["1 MiB of [", "1 MiB of objects", "33 arrays", "33 mixed", "with neighbours"],
)
async def test_too_deep_is_a_cheap_refusal(client: httpx.AsyncClient, value: bytes) -> None:
    began = time.process_time()
    response = await send(client, value)
    assert_problem(response, "too_deep", instance="/things", limit=32)
    # A parser that recursed, or a scan in Python, would take seconds.
    assert time.process_time() - began < 1.0


async def test_32_levels_are_not_too_deep(client: httpx.AsyncClient) -> None:
    value = "[" * 31 + "]" * 31
    response = await send(client, thing(value).replace(b'"data"', b'"unknown"'))
    assert response.json()["errors"] == [
        wrong("body", "/unknown", "extra_forbidden", "there is no such field")
    ]


async def test_a_body_over_the_limit_is_refused_by_its_declared_length(
    client: httpx.AsyncClient,
) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b" " * 65536

    response = await client.post(
        "/things", content=endless(), headers={**JSON, "content-length": str(MAX_DOCUMENT + 1)}
    )
    assert_problem(
        response,
        "too_large",
        instance="/things",
        limit=MAX_DOCUMENT,
        counted="bytes of the body",
    )
    assert asked == 0


async def test_a_body_over_the_limit_is_refused_while_it_streams(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    response = await client.post("/things", content=endless(), headers=JSON)
    assert_problem(
        response,
        "too_large",
        instance="/things",
        limit=MAX_DOCUMENT,
        counted="bytes of the body",
    )
    assert sent == MAX_DOCUMENT + 65536


async def test_a_body_at_the_limit_is_taken(client: httpx.AsyncClient) -> None:
    text = "x" * (MAX_DOCUMENT - len(thing('{"t": ""}')))
    response = await send(client, thing(f'{{"t": "{text}"}}'))
    assert response.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/x-ndjson"},
        {"content-type": "application/json; charset=iso-8859-1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "json"},
        {"content-type": "application/json, text/plain"},
    ],
)
async def test_another_media_type_is_refused(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    response = await client.post("/things", content=thing("{}"), headers=headers)
    assert_problem(
        response, "unsupported_media_type", instance="/things", supported=["application/json"]
    )


@pytest.mark.parametrize(
    "content_type",
    ["Application/JSON", "application/json;charset=UTF-8", "application/cloudevents+json"],
)
async def test_json_by_another_spelling_is_taken(
    client: httpx.AsyncClient, content_type: str
) -> None:
    response = await client.post(
        "/things", content=thing("{}"), headers={"content-type": content_type}
    )
    assert response.status_code == 201


async def test_a_missing_body_is_a_missing_field(client: httpx.AsyncClient) -> None:
    response = await client.post("/things")
    assert_problem(
        response,
        "invalid_input",
        instance="/things",
        errors=[wrong("body", "", "missing", "is missing")],
    )


@pytest.mark.parametrize(
    ("path", "status", "errors"),
    [
        ("/things/a%00b", 422, [wrong("path", "", "control_character", NO_CONTROL)]),
        ("/things/a%0A", 422, [wrong("path", "", "control_character", NO_CONTROL)]),
        ("/things/a%C2%85", 422, [wrong("path", "", "control_character", NO_CONTROL)]),
        (
            "/things/a%FF",
            400,
            [wrong("path", "", "not_utf8", "percent-encoded text must be UTF-8")],
        ),
        (
            "/things/%ED%A0%80",
            400,
            [wrong("path", "", "not_utf8", "percent-encoded text must be UTF-8")],
        ),
        (
            "/things?page_token=a%00&limit=%01",
            422,
            [
                wrong("query", "/page_token", "control_character", NO_CONTROL),
                wrong("query", "/limit", "control_character", NO_CONTROL),
            ],
        ),
        (
            "/things?limit=%FF",
            400,
            [wrong("query", "/limit", "not_utf8", "percent-encoded text must be UTF-8")],
        ),
        (
            "/things?limt=5&a/b~=1",
            422,
            [
                wrong("query", "/limt", "extra_forbidden", "there is no such parameter"),
                wrong("query", "/a~1b~0", "extra_forbidden", "there is no such parameter"),
            ],
        ),
        (
            "/things?limit=5&limit=6",
            422,
            [wrong("query", "/limit", "duplicate_key", TWICE)],
        ),
        (
            "/things/a?x=1",
            422,
            [wrong("query", "/x", "extra_forbidden", "there is no such parameter")],
        ),
    ],
)
async def test_what_cannot_be_meant_in_an_address_is_refused(
    client: httpx.AsyncClient, path: str, status: int, errors: list[dict[str, str]]
) -> None:
    response = await client.get(path)
    assert_problem(
        response, "invalid_input", status=status, instance=path.partition("?")[0], errors=errors
    )


async def test_a_parameter_that_is_a_list_may_occur_twice(client: httpx.AsyncClient) -> None:
    response = await client.get("/tagged?tag=a&tag=b%20c+d&limit=7")
    assert response.json() == {"received": [["a", "b c d"], 7]}


async def test_control_characters_in_headers_are_refused(client: httpx.AsyncClient) -> None:
    response = await client.put("/things/a", headers={"if-match": "a\x01b", "x-other": "\x00"})
    assert_problem(
        response,
        "invalid_input",
        instance="/things/a",
        errors=[
            wrong("header", "/if-match", "control_character", NO_CONTROL),
            wrong("header", "/x-other", "control_character", NO_CONTROL),
        ],
    )


async def test_a_hundred_mistakes_are_listed_and_the_rest_counted(
    client: httpx.AsyncClient,
) -> None:
    unknown = ", ".join(f'"field{number}": 1' for number in range(150))
    response = await send(client, f'{{"event_id": "{EVENT}", {unknown}}}'.encode())
    assert_problem(
        response,
        "invalid_input",
        instance="/things",
        errors=[
            wrong("body", f"/field{number}", "extra_forbidden", "there is no such field")
            for number in range(100)
        ],
        errors_omitted=50,
    )


async def test_a_body_full_of_mistakes_is_a_small_answer(client: httpx.AsyncClient) -> None:
    numbers = MAX_DOCUMENT // 6 - 1
    response = await send(client, b"[" + b"1e999," * numbers + b"1]")
    assert_problem(
        response,
        "invalid_input",
        instance="/things",
        errors=[
            wrong("body", f"/{number}", "number_out_of_range", TOO_LARGE_NUMBER)
            for number in range(100)
        ],
        errors_omitted=numbers - 100,
    )


async def test_names_in_pointers_are_cut_and_sound(client: httpx.AsyncClient) -> None:
    name = "n" * 1000
    response = await send(client, f'{{"event_id": "{EVENT}", "{name}": 1}}'.encode())
    assert response.json()["errors"] == [
        wrong("body", f"/{'n' * 100}…", "extra_forbidden", "there is no such field")
    ]
