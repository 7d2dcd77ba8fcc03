"""The load generator: it sends what it was told, and takes answers however they come in."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from benchmarks.load import EVENT, Plan, get, load_generator, post

KEY = "pf_bench_key"


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers each request with these writes: its port, and what it received."""
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = re.search(rb"Content-Length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                received.append(head + body)
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], received


HEAD = b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n"
BODY = b'{"ok":true}'


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + BODY,),
        (HEAD, BODY),
        (HEAD[:30], HEAD[30:] + BODY[:4], BODY[4:]),
        (HEAD.replace(b"content-length", b"Content-Length") + BODY,),
    ],
)
async def test_answers_are_whole_however_they_come_in(pieces: Sequence[bytes]) -> None:
    async with answering(*pieces) as (port, received), load_generator() as load:
        measured = await load(Plan([port], [get("/livez", KEY)], clients=3, total=50))

    assert measured.answered == len(received) == 50
    assert measured.statuses == {"201": 50}


async def test_every_request_has_an_event_of_its_own_and_its_true_length() -> None:
    request = post("/instances/bulk", KEY, json.dumps([{"event_id": EVENT}, {"event_id": EVENT}]))

    async with answering(HEAD + BODY) as (port, received), load_generator() as load:
        await load(Plan([port], [request], clients=4, total=20))

    bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in received]
    events = {item["event_id"] for body in bodies for item in body}
    assert len(bodies) == 20
    assert len(events) == 40
    assert all(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event) for event in events
    )


async def test_connections_are_spread_over_the_ports_and_requests_come_by_turns() -> None:
    requests = [get("/one", KEY), get("/two", KEY)]

    async with (
        answering(HEAD + BODY) as (first, at_first),
        answering(HEAD + BODY) as (second, at_second),
        load_generator() as load,
    ):
        await load(Plan([first, second], requests, clients=2, total=40))

    assert at_first
    assert at_second
    paths = [each.split()[1] for each in (*at_first, *at_second)]
    assert (paths.count(b"/one"), paths.count(b"/two")) == (20, 20)


async def test_a_closed_loop_counts_when_every_connection_was_answered_once() -> None:
    async with answering(HEAD + BODY) as (port, received), load_generator() as load:
        plan = Plan([port], [get("/livez", KEY)], clients=4, seconds=0.1, warm_up_s=0.0)
        measured = await load(plan)

    assert 0 < measured.answered <= len(received) - 4
    assert measured.statuses == {"201": len(received)}


async def test_a_total_is_cut_short_by_its_seconds_and_every_answer_counts() -> None:
    async with answering(HEAD + BODY) as (port, received), load_generator() as load:
        plan = Plan([port], [get("/livez", KEY)], clients=2, total=10_000_000, seconds=0.1)
        measured = await load(plan)

    assert 0 < measured.answered == len(received) < 10_000_000


async def test_an_open_loop_sends_what_is_due_and_waits_for_every_answer() -> None:
    plan_of = {"requests": [get("/livez", KEY)], "clients": 8, "seconds": 0.2, "warm_up_s": 0.0}

    async with answering(HEAD + BODY) as (port, received), load_generator() as load:
        measured = await load(Plan([port], rate=500.0, **plan_of))  # type: ignore[arg-type]

    assert measured.answered == len(received) > 0


async def test_another_status_than_expected_is_an_error() -> None:
    async with answering(HEAD + BODY) as (port, _), load_generator() as load:
        measured = await load(Plan([port], [get("/livez", KEY)], clients=1, total=3))

    assert measured.all(201) is measured
    with pytest.raises(RuntimeError, match="expected 200 only"):
        measured.all(200)
