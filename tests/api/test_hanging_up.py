"""Whoever hangs up while something is made or looked for keeps nobody else waiting."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.types import Message, Scope

from tests.support.http import Service
from tests.support.interleaving import wait_until
from tests.support.letters import GATES, first_letter
from tests.support.templates import open_gates


class Reader:
    """A request by hand, for a PDF unless said otherwise, so that its client can hang up."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        body: Any,
        query: bytes = b"format=pdf",
    ) -> None:
        self.hang_up = asyncio.Event()
        self.sent: list[Message] = []
        self._body = json.dumps(body).encode() if method == "POST" else b""
        headers = {**client.headers, "content-type": "application/json"}
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "server": ("factory.test", 80),
            "client": ("127.0.0.1", 1),
        }
        self._asked = False

    async def receive(self) -> Message:
        """The body at first, and then that there is nobody any more."""
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep what is answered."""
        self.sent.append(message)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_hangs_up_waits_no_longer(
    service: Service, owner: asyncpg.Connection, method: str
) -> None:
    await open_gates(owner, *GATES)
    instance = await first_letter(service)
    renderer = service.app.state.renderer
    path = (
        f"/instances/{instance}/document" if method == "GET" else "/templates/tpl:wf:letter/preview"
    )
    reader = Reader(service.viewer, method, path, {"data": {"name": "Ada"}})
    async with renderer._queue.turn():
        reading = asyncio.create_task(service.app(reader.scope, reader.receive, reader.send))

        async def waits() -> bool:
            return bool(renderer._queue._waiting == 2)

        await wait_until(waits, "it waits for its turn")
        reader.hang_up.set()
        await asyncio.wait_for(reading, timeout=20)

        assert renderer._queue._waiting == 1
    assert reader.sent == []


async def test_the_audit_log_is_not_verified_for_who_has_hung_up(
    service: Service, owner: asyncpg.Connection
) -> None:
    """It may take minutes, and one looks at a time."""
    path = "/commands/runs/verify"
    reader = Reader(service.viewer, "GET", path, None, query=b"")
    async with owner.transaction():
        await owner.execute("LOCK TABLE iu_core.iu_audit_segment")
        reading = asyncio.create_task(service.app(reader.scope, reader.receive, reader.send))

        async def waits() -> bool:
            blocked: bool = await owner.fetchval(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
                " AND relation = 'iu_core.iu_audit_segment'::regclass)"
            )
            return blocked

        await wait_until(waits, "it looks")
        reader.hang_up.set()
        done, _ = await asyncio.wait([reading], timeout=20)
        assert done == {reading}
    assert reader.sent == []
    assert (await service.viewer.get(path)).json()["holds"] is True
