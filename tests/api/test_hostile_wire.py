"""The same over a real socket: what a client library would never send."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from app.errors import CATALOGUE
from app.hosting import bound_socket, server_config
from app.settings import Settings
from app.strict_json import MAX_DOCUMENT
from tests.api.throwaway import throwaway_app

DEADLINE_S = 20


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = uvicorn.Server(server_config(throwaway_app()))
    with bound_socket(Settings(port=0)) as listener:
        async with _running(server, listener):
            yield listener.getsockname()[1]


@asynccontextmanager
async def _running(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[None]:
    # Not serve(): that would take the signals of the whole test run.
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([listener])
    loop = asyncio.ensure_future(server.main_loop())
    try:
        yield
    finally:
        server.should_exit = True
        await loop
        await server.shutdown([listener])


async def exchange(port: int, *sent: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes as they are, and read one response: status, headers, JSON."""
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in sent:
                writer.write(part)
                await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(headers["content-length"]))
        finally:
            writer.close()
    return int(head[0].split()[1]), headers, json.loads(body)


def problem(code: str, status: int, instance: str, request_id: str, **members: Any) -> Any:
    return {
        "type": f"/problems/{code}",
        "title": CATALOGUE[code].title,
        "status": status,
        "detail": CATALOGUE[code].meaning,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        **members,
    }


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /things/a HTTP/1.1\r\nHost: x\r\nX-Thing: a\x00b\r\n\r\n",
        b"GET /things/a HTTP/1.1\r\nHost: x\r\nX-Thing: a\x01b\r\n\r\n",
        b"GET /things/\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET /things/a HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno-length\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=[
        "NUL in a header",
        "control character in a header",
        "NUL in the path",
        "no HTTP",
        "a length that is none",
        "chunks that are none",
        "TLS",
    ],
)
async def test_what_is_no_http_is_a_problem_too(port: int, request_bytes: bytes) -> None:
    status, headers, document = await exchange(port, request_bytes)
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert document == problem(
        "invalid_input",
        400,
        "/",
        headers["x-request-id"],
        errors=[],
        detail="Invalid HTTP request received.",
    )


async def test_a_declared_length_over_the_limit_is_answered_before_the_body(port: int) -> None:
    status, headers, document = await exchange(
        port,
        b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9999999999999\r\nExpect: 100-continue\r\n\r\n",
    )
    assert (status, document) == (
        413,
        problem(
            "too_large",
            413,
            "/things",
            headers["x-request-id"],
            limit=MAX_DOCUMENT,
            counted="bytes of the body",
        ),
    )


async def test_chunks_over_the_limit_are_answered_while_they_come(port: int) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, headers, document = await exchange(
        port,
        b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        *[chunk] * 17,
    )
    assert (status, document) == (
        413,
        problem(
            "too_large",
            413,
            "/things",
            headers["x-request-id"],
            limit=MAX_DOCUMENT,
            counted="bytes of the body",
        ),
    )


async def test_a_head_response_over_the_wire_has_no_body(port: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HEAD /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = await reader.read()
        writer.close()
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"content-length: " in head
    assert body == b""


async def test_after_a_refusal_the_service_goes_on(port: int) -> None:
    await exchange(port, b"NONSENSE\r\n\r\n")
    status, _, document = await exchange(port, b"GET /things/a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, document) == (200, {"received": "a"})


UPGRADE = b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


@pytest.mark.parametrize("to", [b"websocket", b"h2c"])
async def test_an_upgrade_is_ignored_and_leaves_no_trace(
    port: int, to: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    asked = UPGRADE + b"Upgrade: " + to + b"\r\nSec-WebSocket-Version: 13\r\nHost: x\r\n"
    with caplog.at_level(logging.INFO, "uvicorn.error"):
        status, headers, document = await exchange(
            port, b"GET /things/a HTTP/1.1\r\n" + asked + b"\r\n"
        )
        assert (status, document) == (200, {"received": "a"})
        assert "x-request-id" in headers

        status, headers, document = await exchange(
            port, b"GET /nowhere?token=secret HTTP/1.1\r\n" + asked + b"\r\n"
        )
        assert (status, document) == (
            404,
            problem("route_not_found", 404, "/nowhere", headers["x-request-id"]),
        )

        status, headers, document = await exchange(
            port,
            b"POST /things HTTP/1.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\n" + asked + b"\r\n",
            b"{}",
        )
        # The parser gives up the body of such a request, so it ends before its Content-Length.
        assert (status, document["code"]) == (400, "invalid_input")
        assert document["request_id"] == headers["x-request-id"]
    # uvicorn's own log of requests reaches nobody, but for the tests' handler.
    told = [record.getMessage() for record in caplog.records if record.name != "uvicorn.access"]
    assert told == []
