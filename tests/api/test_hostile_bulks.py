"""Bulks that nobody should send: whole arrays, lines, and each of their items."""

import json
import sys
from collections.abc import AsyncIterator
from types import FrameType
from typing import Any

import httpx
import pytest

from app.http.items import read_array, read_lines
from app.http.route import BULK_BODY
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

LINES = {"content-type": "application/x-ndjson"}
LONG = b'"%s"' % (b"x" * (MAX_DOCUMENT - 2))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(throwaway_app()) as client:
        yield client


async def test_a_bulk_takes_64_mib_and_no_more(client: httpx.AsyncClient) -> None:
    async def of(size: int) -> AsyncIterator[bytes]:
        yield b"["
        for _ in range(size // 65536 - 1):
            yield b" " * 65536
        yield b"1]".ljust(65535)

    fits = await client.post("/bulk", content=of(BULK_BODY), headers=JSON)
    assert (fits.status_code, fits.json()) == (200, {"received": 1})
    beyond = await client.post("/bulk", content=of(BULK_BODY + 65536), headers=JSON)
    assert_problem(
        beyond, "too_large", instance="/bulk", limit=BULK_BODY, counted="bytes of the body"
    )


async def test_newline_delimited_json_is_one_array(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/bulk",
        content=b'{"a": 1}\n\n[2]\r\n3\n',
        headers={"content-type": "application/x-ndjson; charset=utf-8"},
    )
    assert (response.status_code, response.json()) == (200, {"received": 3})


async def test_empty_lines_are_passed_over_together() -> None:
    steps = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal steps
        steps += event == "call"

    empty = b"\n \r\n" * 50_000
    sys.setprofile(count)
    try:
        items = await read_lines(
            pieces_of(empty + b"1\n" + empty + b"2"), most=2, validate=lambda value: value
        )
    finally:
        sys.setprofile(None)
    assert (items, items.lines) == ([1, 2], [100_001, 200_002])
    assert steps < 10_000, "each takes its own: who sends nothing else keeps all others waiting"


@pytest.mark.parametrize(
    ("line", "status", "detail", "error"),
    [
        (b'{"a": 1, "a": 2}', 422, None, wrong("body", "/1/a", "duplicate_key", TWICE)),
        (
            b"{",
            400,
            UNPARSEABLE,
            wrong(
                "body",
                "/1",
                "json_invalid",
                "Expecting property name enclosed in double quotes, at line 3 column 2",
            ),
        ),
        (b"[NaN]", 400, UNPARSEABLE, wrong("body", "/1", "json_invalid", "NaN is no JSON")),
        (
            b"\xff",
            400,
            UNPARSEABLE,
            wrong("body", "/1", "json_invalid", "line 3 is no UTF-8, from byte 0 on"),
        ),
    ],
)
async def test_a_bad_line_is_named_by_its_number_and_its_place(
    client: httpx.AsyncClient, line: bytes, status: int, detail: str | None, error: dict[str, Any]
) -> None:
    response = await client.post(
        "/bulk",
        content=b"{}\n\n" + line + b"\n{}",
        headers={"content-type": "application/jsonl"},
    )
    assert_problem(
        response,
        "invalid_input",
        status=status,
        instance="/bulk",
        detail=detail,
        errors=[error | {"line": 3}],
    )


async def test_the_fields_of_a_line_are_named_by_its_number_too(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/things/bulk",
        content=f'\n{{"event_id": "{EVENT}"}}\n{{"suffix": 1}}\n'.encode(),
        headers={"content-type": "application/x-ndjson"},
    )
    assert_problem(
        response,
        "invalid_input",
        instance="/things/bulk",
        errors=[
            wrong("body", "/1/event_id", "missing", "is missing") | {"line": 3},
            wrong("body", "/1/suffix", "string_type", "should be a valid string") | {"line": 3},
        ],
    )


@pytest.mark.parametrize(
    ("fits", "beyond", "headers", "line"),
    [
        (b"1\n%s", b"1\n%s ", LINES, {"line": 2}),
        (b"1\n%s\n3", b"1\n%s \n3", LINES, {"line": 2}),
        (b"[1, %s]", b'[1, {"a": %s}]', JSON, {}),
        (b"[1, %s, 3]", b'[1, [%s], "a"]', JSON, {}),
    ],
)
async def test_one_item_is_no_larger_than_one_body(
    client: httpx.AsyncClient,
    fits: bytes,
    beyond: bytes,
    headers: dict[str, str],
    line: dict[str, Any],
) -> None:
    response = await client.post("/bulk", content=fits % LONG, headers=headers)
    assert response.status_code == 200, response.text
    response = await client.post("/bulk", content=beyond % LONG, headers=headers)
    assert_problem(
        response,
        "too_large",
        instance="/bulk",
        detail="Item 2 takes more bytes than one item may.",
        limit=MAX_DOCUMENT,
        counted="bytes of one item",
        **line,
    )


async def test_a_line_that_never_ends_is_refused_as_soon_as_it_is_too_long(
    client: httpx.AsyncClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield b"[" * 65536

    response = await client.post("/bulk", content=endless(), headers=LINES)
    assert (response.status_code, response.json()["line"]) == (413, 1)
    assert sent == MAX_DOCUMENT + 65536


@pytest.mark.parametrize("headers", [JSON, LINES])
async def test_more_items_than_an_operation_takes(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    def items(count: int) -> bytes:
        if headers is LINES:
            return b"1\n" * count
        return b"[%s]" % b",".join([b"1"] * count)

    fits = await client.post("/bulk", content=items(1000), headers=headers)
    assert fits.json() == {"received": 1000}
    beyond = await client.post("/bulk", content=items(1001), headers=headers)
    line: dict[str, Any] = {"line": 1001} if headers is LINES else {}
    assert_problem(beyond, "too_large", instance="/bulk", limit=1000, counted="items", **line)


async def test_a_body_that_is_shorter_than_declared_is_not_taken(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(
        "/bulk", content=b"{}\n{}\n", headers={**LINES, "content-length": "100"}
    )
    assert_problem(
        response,
        "invalid_input",
        status=400,
        instance="/bulk",
        errors=[
            wrong(
                "body",
                "",
                "incomplete",
                "ends after 6 of the 100 bytes that Content-Length declares",
            )
        ],
    )


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "array",
    [
        "[]",
        " [ ] ",
        "[1]",
        "[12345 , -1.5e3,\ttrue, null ]\n",
        '[{"a": "\\u00e9\\\\"}, "]", "[", [[]], {"b": {}}]',
        "[" + ",".join(str(number) for number in range(20_000)) + "]",
        "[" + ",".join(f'{{"n": {number}, "s": "é"}}' for number in range(9_000)) + "]",
        '["' + "y" * 40_000 + '", 1, "' + "z" * 400_000 + '", {"a": 2}]',
        f"[{nested(32)}, {nested(31)}]",
    ],
    ids=["empty", "space", "one", "space around", "brackets in texts", "numbers", "objects",
         "long ones", "deep"],
)  # fmt: skip
async def test_an_array_is_read_as_the_json_that_it_is(array: str) -> None:
    read = await read_array(pieces_of(array.encode()), most=100_000, validate=lambda value: value)
    assert read == json.loads(array)


async def pieces_of(body: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(body), 1000):
        yield body[begin : begin + 1000]


@pytest.mark.parametrize(
    ("array", "why"),
    [
        ("[", "Expecting value, at line 1 column 2"),
        ("[1", "Expecting ',' delimiter, at line 1 column 3"),
        ("[1,", "Expecting value, at line 1 column 4"),
        ("[1,\n]", "Expecting value, at line 2 column 1"),
        ("[1 2]", "Expecting ',' delimiter, at line 1 column 4"),
        ("[1}", "Expecting ',' delimiter, at line 1 column 3"),
        ("[1] 2", "Extra data, at line 1 column 5"),
        ("[tru]", "Expecting value, at line 1 column 2"),
        ('[1, "abc', "Unterminated string starting at, at line 1 column 5"),
        ("[1,\n" + '"x",' * 20_000 + "\n{]", "at line 3 column 2"),
        ("[1,\n" + '"x",' * 20_000 + "{'a': 1}, 2]", "at line 2 column 80002"),
        ("[" + "1," * 40_000 + "NaN]", "NaN is no JSON"),
    ],
)
async def test_an_array_that_is_none_says_where(
    client: httpx.AsyncClient, array: str, why: str
) -> None:
    response = await client.post("/many", content=array.encode(), headers=JSON)
    document = response.json()
    assert (response.status_code, document["detail"]) == (400, UNPARSEABLE), document
    assert document["errors"][0]["detail"].endswith(why)


@pytest.mark.parametrize("depth", [33, 100, 2_000, 300_000])
async def test_an_item_of_an_array_that_is_too_deep(client: httpx.AsyncClient, depth: int) -> None:
    response = await client.post("/bulk", content=f"[1, {nested(depth)}]".encode(), headers=JSON)
    assert_problem(response, "too_deep", instance="/bulk", limit=32)


async def test_what_is_wrong_with_all_items_is_told_at_once(client: httpx.AsyncClient) -> None:
    body = b'[{"a": 1, "a": 1}, 1e999, "\\ud800"]'
    response = await client.post("/bulk", content=body, headers=JSON)
    assert_problem(
        response,
        "invalid_input",
        instance="/bulk",
        errors=[
            wrong("body", "/0/a", "duplicate_key", TWICE),
            wrong("body", "/1", "number_out_of_range", TOO_LARGE_NUMBER),
            wrong("body", "/2", "lone_surrogate", "half of a surrogate pair is no character"),
        ],
    )


@pytest.mark.parametrize("headers", [JSON, LINES])
async def test_items_that_are_wrong_are_counted_as_the_others(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    def of(items: list[bytes]) -> bytes:
        return b"\n".join(items) if headers is LINES else b"[%s]" % b",".join(items)

    def line(number: int) -> dict[str, Any]:
        return {"line": number} if headers is LINES else {}

    beyond = await client.post("/things/bulk", content=of([b"1"] * 1001), headers=headers)
    assert_problem(
        beyond, "too_large", instance="/things/bulk", limit=1000, counted="items", **line(1001)
    )
    last = await client.post(
        "/things/bulk", content=of([b"1"] * 999 + [b'{"a": 1, "a": 1}']), headers=headers
    )
    assert_problem(
        last,
        "invalid_input",
        instance="/things/bulk",
        errors=[wrong("body", "/999/a", "duplicate_key", TWICE) | line(1000)],
    )


async def test_a_bulk_full_of_mistakes_is_a_small_answer(client: httpx.AsyncClient) -> None:
    response = await client.post("/things/bulk", content=b"1\n" * 1000, headers=LINES)
    document = response.json()
    assert (response.status_code, len(document["errors"])) == (422, 100)
    assert document["errors"][99]["pointer"] == "/99"
    assert document["errors_omitted"] == 1, "nobody looked at the rest"


async def test_a_bulk_that_is_no_array(client: httpx.AsyncClient) -> None:
    response = await client.post("/bulk", content=b'{"a": 1}', headers=JSON)
    assert response.json()["errors"] == [wrong("body", "", "list_type", "should be an array")]
    large = await client.post("/bulk", content=b'{"a": %s}' % LONG, headers=JSON)
    assert large.json()["counted"] == "bytes of one item"
