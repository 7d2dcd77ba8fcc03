"""A way to PostgreSQL that a test can cut, at exactly the moment that it means.

async with proxied(database) as proxy:
    pool = engine.Database(proxy.app_url)
    proxy.lose_answer_to("COMMIT;")       # the next COMMIT happens, and nobody hears of it

It reads the messages that the client sends (chapter "Message Formats" of PostgreSQL's manual), so
it knows which statement is under way. A lost answer is lost after the server has given it: what
the statement does has been done by then.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.databases import Database

_Part = Literal["statement", "answer"]


class Proxy:
    """Passes bytes between the service and PostgreSQL, and cuts where it was told to."""

    def __init__(self, database: Database) -> None:
        self.before_connecting: Callable[[int], Awaitable[None]] | None = None
        """Awaited with the number of each new connection, before the server hears of it."""
        self.connections = 0
        """How many were made so far."""
        self.errors = 0
        """How many errors the server has sent so far."""
        self._url = urlsplit(database.app_url)
        self._statements: list[str] = []
        self._losses: list[tuple[_Part, str]] = []
        self._links: set[_Link] = set()
        self.flows = asyncio.Event()
        """Set while bytes pass."""
        self.flows.set()
        self.ends_pass = asyncio.Event()
        """Set while the server's end of a connection is the client's too."""
        self.ends_pass.set()
        self._server: asyncio.Server | None = None

    @property
    def app_url(self) -> str:
        """The service's login, by way of this proxy."""
        assert self._server is not None
        _, port = self._server.sockets[0].getsockname()
        login = self._url.netloc.rpartition("@")[0]
        return f"postgresql://{login}@127.0.0.1:{port}{self._url.path}?sslmode=disable"

    def sent(self, part: str) -> int:
        """How many statements that contain this text the client has sent."""
        return sum(part in statement for statement in self._statements)

    def lose_answer_to(self, part: str, times: int = 1) -> None:
        """Let the server do the next statement with this text, and cut before it can tell."""
        self._losses += [("answer", part)] * times

    def lose(self, part: str, times: int = 1) -> None:
        """Cut when the next statement with this text is sent; the server never gets it."""
        self._losses += [("statement", part)] * times

    def stall(self) -> None:
        """Pass nothing any more, and cut nothing: as if the other machine had gone."""
        self.flows.clear()

    def hold_ends(self) -> None:
        """Pass what the server says last, and not that it has ended the connection."""
        self.ends_pass.clear()

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Cut everything."""
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.cut()
        self.flows.set()
        self.ends_pass.set()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.before_connecting is not None:
            await self.before_connecting(self.connections)
        (host,), (port,) = (parse_qs(self._url.query)[name] for name in ("host", "port"))
        try:
            server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        except OSError:  # no server: nor is there one for the client
            writer.transport.abort()
            return
        link = _Link(self, (reader, writer), server)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.remove(link)

    def note(self, statement: str) -> _Part | None:
        """A statement is about to be sent: what of it is to be lost, if anything."""
        self._statements.append(statement)
        for loss in self._losses:
            if loss[1] in statement:
                self._losses.remove(loss)
                return loss[0]
        return None


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Link:
    """One connection of a client, and the one to the server that stands behind it."""

    def __init__(self, proxy: Proxy, client: _Streams, server: _Streams) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._prepared: dict[bytes, str] = {}
        self._answer_is_lost = False

    async def run(self) -> None:
        """Pass messages until one side has gone; then the other goes too."""
        sides = {asyncio.create_task(self._up()), asyncio.create_task(self._down())}
        await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        self.cut()
        for ended in await asyncio.gather(*sides, return_exceptions=True):
            if isinstance(ended, Exception) and not _is_end(ended):
                raise ended

    def cut(self) -> None:
        """End both connections at once, without a word."""
        self._to_client.transport.abort()
        self._to_server.transport.abort()

    async def _up(self) -> None:
        # The first message has no type, only a length that counts itself.
        length = await self._from_client.readexactly(4)
        await self._pass_up(length + await self._rest(self._from_client, length))
        while True:
            kind = await self._from_client.readexactly(1)
            length = await self._from_client.readexactly(4)
            content = await self._rest(self._from_client, length)
            statement = self._statement(kind, content)
            lost = None if statement is None else self._proxy.note(statement)
            if lost == "statement":
                return
            self._answer_is_lost = self._answer_is_lost or lost == "answer"
            await self._pass_up(kind + length + content)

    async def _down(self) -> None:
        while True:
            try:
                kind = await self._from_server.readexactly(1)
            except asyncio.IncompleteReadError:
                await self._proxy.ends_pass.wait()
                return
            length = await self._from_server.readexactly(4)
            content = await self._rest(self._from_server, length)
            await self._proxy.flows.wait()
            if not self._answer_is_lost:
                self._to_client.write(kind + length + content)
                await self._to_client.drain()
                self._proxy.errors += kind == b"E"
            elif kind == b"Z":  # ready for the next: this one is over, and committed
                return

    async def _pass_up(self, message: bytes) -> None:
        await self._proxy.flows.wait()
        self._to_server.write(message)
        await self._to_server.drain()

    @staticmethod
    async def _rest(reader: asyncio.StreamReader, length: bytes) -> bytes:
        return await reader.readexactly(int.from_bytes(length, "big") - 4)

    def _statement(self, kind: bytes, content: bytes) -> str | None:
        """The text of the statement that a message makes the server do."""
        if kind == b"Q":
            return content.rstrip(b"\0").decode()
        if kind == b"P":
            name, text, _ = content.split(b"\0", 2)
            self._prepared[name] = text.decode()
        if kind == b"B":
            _portal, name, _ = content.split(b"\0", 2)
            return self._prepared[name]
        return None


def _is_end(error: Exception) -> bool:
    return isinstance(error, asyncio.IncompleteReadError | ConnectionError)


@dataclass(frozen=True)
class ProxiedDatabase(Database):
    """A test's database whose service's login goes by way of a proxy."""

    proxy: Proxy

    @property
    def app_url(self) -> str:
        """The service's login, by way of the proxy."""
        return self.proxy.app_url


@contextlib.asynccontextmanager
async def proxied(database: Database) -> AsyncIterator[Proxy]:
    """A proxy in front of the database, until the block ends."""
    proxy = Proxy(database)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
