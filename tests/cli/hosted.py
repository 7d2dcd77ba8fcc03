"""What the tests of hosting share: a data directory that is ready, and looks at what runs in it."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from app.db.embedded import EmbeddedPostgres
from app.hosting import EMBEDDED_DATABASE


@contextlib.contextmanager
def beside(data: Path) -> Iterator[EmbeddedPostgres]:
    """The embedded server of a data directory, shared with the programs that use it."""
    with EmbeddedPostgres(data) as server:
        yield server


def ask(server: EmbeddedPostgres, query: str) -> object:
    """One value from the factory's database, as its superuser."""

    async def answer() -> object:
        connection = await asyncpg.connect(server.url("postgres", EMBEDDED_DATABASE))
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(answer())


class Holder:
    """A session that keeps something from others until it is told to let go."""

    def __init__(self, url: str, statement: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection = self._loop.run_until_complete(asyncpg.connect(url))
        self._loop.run_until_complete(self._connection.execute("BEGIN"))
        self._loop.run_until_complete(self._connection.execute(statement))

    def somebody_waits(self) -> bool:
        """Whether a session waits for a lock."""
        waiting = self._loop.run_until_complete(
            self._connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
        )
        return bool(waiting)

    def let_go(self) -> None:
        """End the session."""
        if not self._connection.is_closed():
            self._loop.run_until_complete(self._connection.close())
            self._loop.close()


@contextlib.contextmanager
def held(url: str, statement: str) -> Iterator[Holder]:
    """Hold what a statement locks, until the block ends or the holder lets go."""
    holder = Holder(url, statement)
    try:
        yield holder
    finally:
        holder.let_go()


def connection_to(url: str) -> socket.socket:
    """A connection to the service, without a word said."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def received(connection: socket.socket) -> bytes:
    """Everything until the other side ends."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
