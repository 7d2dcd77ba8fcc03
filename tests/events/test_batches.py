"""Batches of events: each stands for itself, also beside what nobody should send."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from app.http.batches import MOST_PASSED_OVER
from app.http.route import BULK_BODY
from app.strict_json import MAX_DOCUMENT
from tests.api.throwaway import TOO_LARGE_NUMBER, TWICE, UNPARSEABLE, assert_problem, wrong
from tests.events.intake import BATCHED, EVENT, read

GOOD = json.dumps(EVENT).encode()
TOO_LARGE = {
    "code": "too_large",
    "status": 413,
    "limit": MAX_DOCUMENT,
    "counted": "bytes of one item",
}
TOO_DEEP = {"code": "too_deep", "status": 422, "limit": 32}


def invalid(*errors: dict[str, str], status: int = 422) -> dict[str, Any]:
    return {"code": "invalid_input", "status": status, "errors": list(errors)}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def large(size: int) -> bytes:
    """An event of so many bytes."""
    head = GOOD[:-1] + b', "data": "'
    return head + b"x" * (size - len(head) - 2) + b'"}'


async def send(client: httpx.AsyncClient, *items: bytes) -> httpx.Response:
    return await client.post("/events", content=b"[%s]" % b", ".join(items), headers=BATCHED)


def no_object(at: int) -> dict[str, Any]:
    return invalid(wrong("body", f"/{at}", "model_type", "should be an object"))


def one(pointer: str, rule: str, detail: str, status: int = 422) -> Callable[[int], Any]:
    return lambda at: invalid(wrong("body", f"/{at}{pointer}", rule, detail), status=status)


BAD: dict[str, tuple[bytes, Callable[[int], Any]]] = {
    "no object": (b"5", no_object),
    "null": (b"null", no_object),
    "array": (b'["a"]', no_object),
    "no id": (GOOD.replace(b'"id"', b'"di"'), one("/id", "missing", "is missing")),
    "a name twice": (
        b'{"data": {"a": 1, "a": 2}, ' + GOOD[1:],
        one("/data/a", "duplicate_key", TWICE),
    ),
    "half of a pair": (
        b'{"subject": "\\ud800", ' + GOOD[1:],
        one("/subject", "lone_surrogate", "half of a surrogate pair is no character"),
    ),
    "NUL": (
        b'{"data": ["\\u0000"], ' + GOOD[1:],
        one("/data/0", "nul_character", "U+0000 can't be stored"),
    ),
    "infinite": (
        b'{"data": 1e999, ' + GOOD[1:],
        one("/data", "number_out_of_range", TOO_LARGE_NUMBER),
    ),
    "NaN": (
        b'{"data": [NaN], ' + GOOD[1:],
        one("", "json_invalid", "NaN is no JSON", status=400),
    ),
    "bare": (b"-Infinity", one("", "json_invalid", "-Infinity is no JSON", status=400)),
    "deep": (b'{"data": %s}' % nested(32), lambda _: TOO_DEEP),
    "deeper than a parser goes": (
        b'{"a": "]", "data": %s}' % nested(200_000),
        lambda _: TOO_DEEP,
    ),
    "large": (large(MAX_DOCUMENT + 1), lambda _: TOO_LARGE),
    "much too large": (large(2 * MAX_DOCUMENT), lambda _: TOO_LARGE),
    "a large text": (b'"%s"' % (b'\\"],[' * (MAX_DOCUMENT // 4)), lambda _: TOO_LARGE),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_bad_event_does_not_spoil_its_neighbours(
    client: httpx.AsyncClient, bad: str, at: int
) -> None:
    content, refused = BAD[bad]
    items = [GOOD, GOOD]
    items.insert(at, content)
    response = await send(client, *items)
    expected = [read(), read()]
    expected.insert(at, refused(at))
    assert (response.status_code, response.json()) == (200, {"received": expected})


async def test_all_that_is_bad_at_once(client: httpx.AsyncClient) -> None:
    items = [item for content, _ in BAD.values() for item in (content, GOOD)]
    response = await send(client, *items)
    expected = [
        item for at, (_, refused) in enumerate(BAD.values()) for item in (refused(2 * at), read())
    ]
    assert response.json() == {"received": expected}


async def test_events_take_as_much_in_a_batch_as_alone(client: httpx.AsyncClient) -> None:
    response = await send(client, GOOD, large(MAX_DOCUMENT), GOOD)
    assert [item["id"] for item in response.json()["received"]] == ["1", "1", "1"]


async def test_an_empty_batch_is_one(client: httpx.AsyncClient) -> None:
    response = await client.post("/events", content=b" [ ] ", headers=BATCHED)
    assert (response.status_code, response.json()) == (200, {"received": []})


@pytest.mark.parametrize("content", [b"{}", b"5", GOOD])
async def test_a_batch_is_an_array(client: httpx.AsyncClient, content: bytes) -> None:
    response = await client.post("/events", content=content, headers=BATCHED)
    assert_problem(
        response,
        "invalid_input",
        instance="/events",
        errors=[wrong("body", "", "list_type", "should be an array")],
    )


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[",
        b"[%s" % GOOD,
        b"[%s,]" % GOOD,
        b"[%s, {]" % GOOD,
        b'[%s, {"id": 1 "source": 2}]' % GOOD,
        b"[%s, {\"id\": '1'}]" % GOOD,
        b"[%s] %s" % (GOOD, GOOD),
        b"[%s, \xff]" % GOOD,
        b'[%s, "\xed\xa0\x80"]' % GOOD,
        b"\xef\xbb\xbf[%s]" % GOOD,
    ],
)
async def test_what_is_no_json_is_refused_as_a_whole(
    client: httpx.AsyncClient, content: bytes
) -> None:
    response = await client.post("/events", content=content, headers=BATCHED)
    assert (response.status_code, response.json()["detail"]) == (400, UNPARSEABLE)


@pytest.mark.parametrize(
    ("item", "refused"),
    [
        (b"[" * MAX_DOCUMENT, "too_deep"),
        (large(2 * MAX_DOCUMENT)[:-1], "too_large"),
        (large(2 * MAX_DOCUMENT)[:-2], "too_large"),
        (b'"' + b"x" * 2 * MAX_DOCUMENT, "invalid_input"),
        (large(MAX_DOCUMENT)[:-1], "invalid_input"),
    ],
)
async def test_an_event_that_never_ends(
    client: httpx.AsyncClient, item: bytes, refused: str
) -> None:
    response = await client.post("/events", content=b"[%s, %s" % (GOOD, item), headers=BATCHED)
    assert response.json()["code"] == refused


async def test_a_batch_takes_10_000_events(client: httpx.AsyncClient) -> None:
    fits = await send(client, *[GOOD] * 9_999, b"5")
    received = fits.json()["received"]
    assert (len(received), received[9_998], received[9_999]["code"]) == (
        10_000,
        read(),
        "invalid_input",
    )
    for beyond in (GOOD, b"5", nested(33)):
        response = await send(client, *[GOOD] * 10_000, beyond)
        assert_problem(response, "too_large", instance="/events", limit=10_000, counted="items")


async def test_a_batch_takes_64_mib(client: httpx.AsyncClient) -> None:
    async def of(size: int) -> AsyncIterator[bytes]:
        yield b"["
        for _ in range(size // 65536 - 1):
            yield b" " * 65536
        yield GOOD.ljust(65534) + b"]"

    fits = await client.post("/events", content=of(BULK_BODY), headers=BATCHED)
    assert fits.json() == {"received": [read()]}
    beyond = await client.post("/events", content=of(BULK_BODY + 65536), headers=BATCHED)
    assert_problem(
        beyond, "too_large", instance="/events", limit=BULK_BODY, counted="bytes of the body"
    )


async def test_a_batch_full_of_mistakes_is_an_answer_in_proportion(
    client: httpx.AsyncClient,
) -> None:
    bad = json.dumps({"A": 1, "B": 2, "C": 3, **{name: EVENT[name] for name in ("id", "type")}})
    received = (await send(client, *[bad.encode()] * 100)).json()["received"]
    told = [(len(item["errors"]), item.get("errors_omitted", 0)) for item in received]
    assert told == [(5, 0)] * 20 + [(1, 4)] * 80
    assert received[99]["errors"] == [wrong("body", "/99/specversion", "missing", "is missing")]


async def test_an_event_has_a_hundred_attributes(client: httpx.AsyncClient) -> None:
    def of(count: int) -> bytes:
        return json.dumps({**EVENT, **{f"x{n}": "" for n in range(count - 4)}}).encode()

    fits, beyond = (await send(client, of(100), of(101))).json()["received"]
    assert len(fits) == len(read()) + 96
    assert beyond == invalid(wrong("body", "/1", "value_error", "should have at most 100 members"))


async def test_looking_for_ends_is_bounded(client: httpx.AsyncClient) -> None:
    def deep(share: int) -> bytes:
        runs = MOST_PASSED_OVER // share // (2 * 32 + 3) - 2
        return b"[" * 33 + b"{}," * runs + b"{}" + b"]" * 33

    fits = await send(client, deep(2), deep(2), GOOD)
    assert fits.json() == {"received": [TOO_DEEP, TOO_DEEP, read()]}
    beyond = await send(client, deep(2), deep(2), deep(100), GOOD)
    assert_problem(beyond, "too_deep", instance="/events", limit=32)


@pytest.mark.parametrize("item", [large(MOST_PASSED_OVER + 1), b'"%s"' % (b"x" * MOST_PASSED_OVER)])
async def test_an_event_that_is_far_too_large_is_not_passed_over(
    client: httpx.AsyncClient, item: bytes
) -> None:
    response = await send(client, GOOD, item, GOOD)
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
