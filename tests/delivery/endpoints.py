"""Endpoints on 127.0.0.1 that behave as a test says, down to the byte.

async with serving(answers(NO_CONTENT)) as endpoint:
    ...                                   # send to endpoint.url
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from uuid import UUID

from app.delivery.addresses import Address, Guard
from app.delivery.connections import Limits
from app.delivery.message import Message
from app.delivery.sending import Sender

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # of the specification
OTHER_SECRET = "whsec_dGhlIG90aGVyIG9uZSwgYXMgbG9uZyBhcyB0aGUgZmlyc3Q="
LOCAL = Guard.allowing("127.0.0.1/32")


def message(body: bytes = b'{"name": "Zo\xc3\xab"}') -> Message:
    return Message(
        message_id=UUID("0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"),
        sent_at=datetime.now(UTC),
        content_type="application/cloudevents+json",
        body=body,
    )


@contextlib.asynccontextmanager
async def sending(
    *,
    guard: Guard = LOCAL,
    total_s: float = 20.0,
    resolver: "Names | None" = None,
    tls: ssl.SSLContext | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[Sender]:
    """A sender that may send to 127.0.0.1, in plain HTTP too."""
    sender = Sender(
        guard,
        allow_http=True,
        resolver=resolver,
        tls=tls,
        limits=limits or Limits(total_s=total_s),
    )
    try:
        yield sender
    finally:
        await sender.close()


class Names:
    """A resolver: the answers to each name's look-ups, one after the other; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]] | OSError) -> None:
        self._answers = answers
        self.asked: list[str] = []

    async def __call__(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        answers = self._answers[host.removesuffix(".test")]
        if isinstance(answers, OSError):
            raise answers
        number = min(self.asked.count(host), len(answers)) - 1
        return [ip_address(one) for one in answers[number]]


@dataclass(frozen=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Endpoint:
    """What a test sees of an endpoint."""

    port: int = 0
    scheme: str = "http"
    requests: list[Request] = field(default_factory=list)
    visits: int = 0
    """Connections so far."""
    server_names: list[str | None] = field(default_factory=list)
    """What the client asked for in TLS."""
    _open: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return self.url_of("127.0.0.1")

    def url_of(self, host: str) -> str:
        return f"{self.scheme}://{host}:{self.port}/in?token=hidden"

    async def until(self, *, visits: int | None = None, open: int | None = None) -> None:  # noqa: A002
        """Wait until there were so many connections at least, and until so many are open."""
        async with asyncio.timeout(30), self._changed:
            await self._changed.wait_for(
                lambda: (visits or 0) <= self.visits and open in {None, self._open}
            )

    async def count(self, *, visits: int = 0, open: int = 0) -> None:  # noqa: A002
        async with self._changed:
            self.visits += visits
            self._open += open
            self._changed.notify_all()


class Visit:
    """One connection, as the endpoint has it."""

    def __init__(
        self, endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = endpoint.visits
        self._endpoint = endpoint
        self._reader = reader
        self._writer = writer

    async def request(self) -> Request:
        """The next request, read to its end. Raises IncompleteReadError where there is none."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = dict(one.split(": ", 1) for one in lines)
        body = await self._reader.readexactly(int(headers["Content-Length"]))
        request = Request(line, headers, body)
        self._endpoint.requests.append(request)
        return request

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def unsent(self) -> int:
        """Bytes that the client has not taken."""
        return self._writer.transport.get_write_buffer_size()

    async def until_closed(self) -> None:
        """Wait until the client closes the connection."""
        await self._reader.read()


Behaviour = Callable[[Visit], Awaitable[None]]


def answers(*answers: bytes) -> Behaviour:
    """Answer each request, on any connection; the last answer stays."""
    given = iter(answers)

    async def behave(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.write(next(given, answers[-1]))

    return behave


async def hangs(visit: Visit) -> None:
    """Read the request, and answer nothing."""
    await visit.request()
    await visit.until_closed()


@contextlib.asynccontextmanager
async def serving(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """An endpoint on a free port; what it does ends with the block."""
    endpoint = Endpoint(scheme="https" if tls else "http")
    visits: set[asyncio.Task[None]] = set()

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.count(visits=1, open=1)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await behaviour(Visit(endpoint, reader, writer))
        finally:
            writer.transport.abort()
            await endpoint.count(open=-1)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = asyncio.ensure_future(visited(reader, writer))
        visits.add(visit)
        visit.add_done_callback(visits.discard)

    if tls is not None:
        tls.sni_callback = lambda _, name, __: endpoint.server_names.append(name)
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for visit in visits:
            visit.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
