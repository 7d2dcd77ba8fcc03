"""Those that the factory talks to while it is measured: endpoints, and clients of the stream."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from benchmarks.helper import helper

FACT = {"kind": "composed", "at": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
EVENT = f"id: {FACT['at']}/composed-1\nevent: composed\ndata: {json.dumps(FACT)}\n\n".encode()


async def test_an_endpoint_takes_messages_however_they_come_in_and_counts_those_expected() -> None:
    body = b'{"a":1}'
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async with helper("benchmarks.endpoint") as ask:
        reader, writer = await asyncio.open_connection("127.0.0.1", (await ask("ports"))["answers"])
        await ask(2)
        for pieces in ([request], [request[:30], request[30:-2], request[-2:]]):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"
        assert await ask("seconds") > 0
        writer.close()


async def test_the_other_endpoint_takes_connections_and_never_answers() -> None:
    async with helper("benchmarks.endpoint") as ask:
        reader, writer = await asyncio.open_connection("127.0.0.1", (await ask("ports"))["hangs"])
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        await ask(1)
        reading = asyncio.create_task(reader.read())
        await ask(1)
        assert not reading.done()
        writer.close()
        await reading


@pytest.mark.parametrize("cut", [0, 10, len(EVENT) - 1])
async def test_listeners_count_what_they_are_told_and_the_first_how_late(cut: int) -> None:
    told = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await writer.drain()
        writer.write(b"\r\n: listening\n\n" + EVENT[:cut])
        await writer.drain()
        await told.wait()
        writer.write(EVENT[cut:] + EVENT)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stream, "127.0.0.1", 0)
    async with server, helper("benchmarks.listeners") as ask:
        port = server.sockets[0].getsockname()[1]
        await ask({"port": port, "key": "pf_bench_key", "clients": 3})
        told.set()
        heard = await ask("heard")
        while heard["facts"] < 2 or heard["fewest_bytes"] < len(EVENT):
            heard = await ask("heard")
    assert heard["facts"] == 2
    assert 0 < heard["p50_ms"] <= heard["p99_ms"]
