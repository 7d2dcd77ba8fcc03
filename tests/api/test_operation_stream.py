"""`GET /operations/{id}/stream` over a real socket: server-sent events until the operation ends."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.services.operations import MOST_WATCHERS
from tests.support.commands import environment, hosting
from tests.support.databases import Database
from tests.support.http import make_key
from tests.support.interleaving import wait_until
from tests.support.live import live_service
from tests.support.operations import order, reached, read, start
from tests.support.templates import Template, close_gates, make_template, open_gates

REASON = {"reason": "test"}


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates closed."""
    return await make_template(owner)


def client_at(url: str, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {key}"},
        trust_env=False,
        timeout=30,
        limits=httpx.Limits(max_connections=None),
    )


@pytest.fixture
async def client(database: Database, owner: asyncpg.Connection) -> AsyncIterator[httpx.AsyncClient]:
    """A producer of a service that listens."""
    key = await make_key(owner, "producer")
    with live_service(database) as url:
        async with client_at(url, key) as client:
            yield client


async def halted(client: httpx.AsyncClient, template: Template) -> dict[str, Any]:
    """An operation that waits at a closed gate."""
    started = await start(client, [order(template) for _ in range(3)])
    return await reached(client, started, "halted")


def path_of(operation: dict[str, Any]) -> str:
    return f"/operations/{operation['operation_id']}/stream"


async def events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The operations that the events carry; each has its revision as its id."""
    event: dict[str, str] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif "data" in event:
            operation = json.loads(event["data"])
            assert event == {"data": event["data"], "id": str(operation["revision"])}
            event = {}
            yield operation


async def test_every_change_is_told_until_the_operation_has_ended(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    operation = await halted(client, template)
    async with client.stream("GET", path_of(operation)) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-cache"
        told = events(response.aiter_lines())
        assert await anext(told) == operation
        await open_gates(owner)
        resumed = await client.post(f"/operations/{operation['operation_id']}/resume", json=REASON)
        assert resumed.status_code == 200
        later = [each async for each in told]
    assert later[-1] == await read(client, operation)
    assert later[-1]["state"] == "completed"
    revisions = [each["revision"] for each in (operation, *later)]
    assert revisions == sorted(set(revisions))

    async with client.stream("GET", path_of(operation)) as response:
        assert [each async for each in events(response.aiter_lines())] == [later[-1]]


async def test_head_tells_of_a_stream_and_ends(
    client: httpx.AsyncClient, template: Template
) -> None:
    operation = await halted(client, template)
    answer = await client.head(path_of(operation))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"


async def test_what_can_not_be_streamed_is_a_problem(client: httpx.AsyncClient) -> None:
    path = "/operations/0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f/stream"
    missing = await client.get(path, headers={"accept": "text/event-stream"})
    assert (missing.status_code, missing.json()["code"]) == (404, "operation_not_found")
    wanted = await client.get(path, headers={"accept": "application/json"})
    assert (wanted.status_code, wanted.json()["available"]) == (406, ["text/event-stream"])


async def test_readers_are_so_many_at_most_and_a_vanished_one_gives_up_its_place(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    operation = await halted(client, template)
    target = path_of(operation)

    def silent() -> socket.socket:
        """A reader that asks, and never reads on."""
        url = client.base_url
        connection = socket.create_connection((url.host, url.port), timeout=30)
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\n"
        authorization = client.headers["authorization"]
        connection.sendall(f"{head}Authorization: {authorization}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        return connection

    readers = [silent() for _ in range(MOST_WATCHERS)]
    full = await client.get(target)
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert full.json()["code"] == "overloaded"
    assert full.json()["detail"] == "As many as can watch operations already do."

    await open_gates(owner)
    await client.post(f"/operations/{operation['operation_id']}/resume", json=REASON)
    await reached(client, operation, "completed")

    await close_gates(owner)
    other = await halted(client, template)
    for reader in readers:
        reader.close()

    async def there_is_a_place() -> bool:
        async with client.stream("GET", path_of(other)) as response:
            return response.status_code == 200

    await wait_until(there_is_a_place, "a place is free again")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_stops_ends_its_streams(
    database: Database,
    owner: asyncpg.Connection,
    template: Template,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    key = await make_key(owner, "producer")
    env = environment(
        FACTORY_DATABASE_URL=database.app_url, FACTORY_DISPOSABLE_DATA="true", FACTORY_PORT="0"
    )
    with hosting("serve", "--json", env=env, cwd=tmp_path) as program:
        async with client_at(program.document()["url"], key) as client:
            operation = await halted(client, template)
            async with client.stream("GET", path_of(operation)) as response:
                told = events(response.aiter_lines())
                assert await anext(told) == operation
                program.process.send_signal(number)
                # One that was cut off instead would be an error.
                assert [each async for each in told] == []
        assert program.wait() == 0, str(program)
        assert "cut short" not in program.err


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
async def test_lines_that_break_off_begin_nothing(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template, framing: str
) -> None:
    """The client goes away after two whole lines and a half."""
    await open_gates(owner)
    line = json.dumps(order(template)).encode() + b"\n"
    body = line * 2 + line[:50]
    if "chunked" in framing:
        body = b"%x\r\n%s\r\n" % (len(body), body)
    head = (
        "POST /instances/bulk HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
        f"{framing}\r\nAuthorization: {client.headers['authorization']}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(head.encode() + body)
    writer.write_eof()
    assert await reader.read() == b"", "there is nobody to answer"
    writer.close()
    assert (await client.get("/operations")).json()["items"] == []
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_operation_item") == 0
