"""`GET /observability/stream` over a real socket: what happens, once each and in order."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.support.commands import Hosting, environment, hosting
from tests.support.composing import Item, compose
from tests.support.databases import Database
from tests.support.delivery import claim, finish, make_route, open_boundary
from tests.support.http import make_key
from tests.support.interleaving import DEADLINE
from tests.support.live import live_service
from tests.support.rollback import by_actor
from tests.support.templates import Template, close_gates, make_template, open_gates

STREAM = "/observability/stream"
MANY = 12_000


@dataclass(frozen=True)
class Told:
    """One event of the stream."""

    id: str
    kind: str
    data: dict[str, Any]


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template, the gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


def client_at(url: str, key: str) -> httpx.AsyncClient:
    """A client that waits long for what comes."""
    return httpx.AsyncClient(
        base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=30
    )


@pytest.fixture
async def client(database: Database, owner: asyncpg.Connection) -> AsyncIterator[httpx.AsyncClient]:
    """An operator of a service that listens."""
    key = await make_key(owner, "operator")
    with live_service(database) as url:
        async with client_at(url, key) as client:
            yield client


class Listener:
    """Who listens: from now on, or from an event on."""

    def __init__(
        self, client: httpx.AsyncClient, last: str | None = None, accept_encoding: str = "deflate"
    ) -> None:
        headers = {"accept-encoding": accept_encoding}
        if last is not None:
            headers["last-event-id"] = last
        self._stream = client.stream("GET", STREAM, headers=headers)

    async def __aenter__(self) -> "Listener":
        response = await self._stream.__aenter__()
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        self.headers = response.headers
        self._lines = response.aiter_lines()
        assert await anext(self._lines) == ": listening"
        assert await anext(self._lines) == ""
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stream.__aexit__(None, None, None)

    async def next(self) -> Told:
        """What is told next, within the deadline."""
        event: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE):
            async for line in self._lines:
                if line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event:
                    return Told(event["id"], event["event"], json.loads(event["data"]))
        raise AssertionError("the stream has ended")

    async def take(self, count: int) -> list[Told]:
        """So many, in their order."""
        return [await self.next() for _ in range(count)]


async def test_what_happens_is_told_as_it_happens(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    await open_boundary(owner)
    await make_route(owner)
    await compose(owner, Item(template.key))  # before anybody listens
    for one in await claim(owner):
        await finish(owner, [one])
    async with Listener(client) as listener:
        (composed,) = await compose(owner, Item(template.key, suffix="a"))
        told = await listener.next()
        assert (told.kind, told.data) == (
            "composed",
            {
                "kind": "composed",
                "at": told.data["at"],
                "subject_id": str(composed["instance_collection_id"]),
                "template_key": template.key,
                "event_id": str(composed["event_id"]),
                "event_type": "hr.employee.hired",
                "suffix": "a",
                "actor": "hr-bot",
                "operation_id": None,
            },
        )
        await finish(owner, await claim(owner))
        assert (await listener.next()).kind == "delivered"
        await compose(owner, Item(template.key, suffix="b"))
        assert (await listener.next()).kind == "composed"
        await finish(owner, await claim(owner), "failed", 410, "answered")
        assert (await listener.next()).kind == "dead_letter"
        gate = {"state": "closed", "reason": "enough"}
        assert (await client.put("/gates/composer_enabled", json=gate)).status_code == 200
        changed = await listener.next()
        assert (changed.kind, changed.data["gate"], changed.data["action"]) == (
            "gate_changed",
            "iu_core.composer_enabled",
            "close",
        )
        (refused,) = await compose(owner, Item(template.key))
        told = await listener.next()
        assert (told.kind, told.data["code"]) == ("refused", refused["status"])


async def test_who_comes_back_is_told_what_it_missed_and_nothing_twice(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    async with Listener(client) as listener:
        await compose(owner, *(Item(template.key, suffix=str(n)) for n in range(5)))
        seen = await listener.take(3)
    await compose(owner, Item(template.key, suffix="missed"))
    async with Listener(client, last=seen[-1].id) as listener:
        rest = await listener.take(3)
        await compose(owner, Item(template.key, suffix="live"))
        last = await listener.next()
    suffixes = [told.data["suffix"] for told in (*seen, *rest)]
    assert (sorted(suffixes[:5]), suffixes[5]) == (list("01234"), "missed")
    assert (last.data["suffix"], len({told.id for told in (*seen, *rest, last)})) == ("live", 7)


async def test_a_rollback_is_told(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    await compose(owner, Item(template.key))
    async with Listener(client) as listener:
        await by_actor(owner, "hr-bot")
        told = await listener.next()
    assert (told.kind, told.data["actor"], told.data["reason"]) == (
        "rolled_back",
        "hr-bot",
        "wrong list",
    )


async def test_the_same_is_told_compressed_and_as_it_is(
    client: httpx.AsyncClient, owner: asyncpg.Connection, template: Template
) -> None:
    async with Listener(client) as one, Listener(client, None, "identity") as other:
        assert one.headers["content-encoding"] == "deflate"
        assert "content-encoding" not in other.headers
        for listener in (one, other):
            assert listener.headers["vary"].lower() == "accept-encoding"
        await compose(owner, Item(template.key))
        assert await one.next() == await other.next()


@pytest.mark.parametrize(
    "place",
    [
        "7",
        "9999-12-31T23:59:59Z/z-0",
        "2026-01-01T00:00:00Z/",
        "2026-13-01T00:00:00Z/a-1",
        "2026-01-01T00:00:00/a-1",
        "/a-1",
    ],
)
async def test_what_is_no_place_is_refused(client: httpx.AsyncClient, place: str) -> None:
    answer = await client.get(STREAM, headers={"last-event-id": place})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert answer.json()["errors"][0]["pointer"] == "/last-event-id"


@pytest.fixture
def serving(database: Database, tmp_path: Path) -> Iterator[Hosting]:
    """A service as a program of its own."""
    env = environment(
        FACTORY_DATABASE_URL=database.app_url, FACTORY_DISPOSABLE_DATA="true", FACTORY_PORT="0"
    )
    with hosting("serve", "--json", env=env, cwd=tmp_path) as program:
        yield program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_stops_ends_its_streams(
    serving: Hosting, owner: asyncpg.Connection, template: Template, number: signal.Signals
) -> None:
    key = await make_key(owner, "viewer")
    async with (
        client_at(serving.document()["url"], key) as client,
        Listener(client) as listener,
    ):
        await compose(owner, Item(template.key))
        assert (await listener.next()).kind == "composed"
        stopping = asyncio.create_task(asyncio.to_thread(serving.stop, number))
        with pytest.raises(AssertionError, match="has ended"):
            await listener.next()
        assert await stopping == 0
    await close_gates(owner)


@contextmanager
def deaf_client(url: str, key: str, last: str) -> Iterator[None]:
    """Who asks for all that it missed, and reads nothing of it."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((urlsplit(url).hostname, urlsplit(url).port))
        client.sendall(
            f"GET {STREAM} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"last-event-id: {last}\r\n\r\n".encode()
        )
        yield


async def test_who_has_much_to_read_or_reads_nothing_does_not_hold_up_the_end(
    serving: Hosting, owner: asyncpg.Connection, template: Template
) -> None:
    key = await make_key(owner, "viewer")
    url = serving.document()["url"]
    async with client_at(url, key) as client, AsyncExitStack() as clients:
        async with Listener(client) as listener:
            await compose(owner, Item(template.key))
            first = (await listener.next()).id
        # 9 MB, of which the kernel keeps 4 for who does not read.
        await owner.execute(
            """INSERT INTO iu_core.iu_core_config_history
                      (config_key, action, actor, principal, reason, occurred_at)
               SELECT 'iu_core.composer_enabled', 'open', 'ops-anna', 'anna', repeat('x', 500),
                      iu_core.fn_iu_fact_time()
                 FROM generate_series(1, $1)""",
            MANY,
        )
        for _ in range(3):
            clients.enter_context(deaf_client(url, key, first))
        async with Listener(client, first) as listener:
            # They take turns, so the others have by now as much as they take.
            await listener.take(MANY)
        catching_up = [await clients.enter_async_context(Listener(client, first)) for _ in range(3)]
        reading = asyncio.gather(
            *(one.take(MANY + 1) for one in catching_up), return_exceptions=True
        )
        assert await asyncio.to_thread(serving.stop) == 0
        assert all(isinstance(end, Exception) for end in await reading)
    for trouble in ("timeout graceful shutdown exceeded", "Traceback"):
        assert trouble not in serving.err
    await close_gates(owner)
