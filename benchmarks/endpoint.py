"""Endpoints that messages are sent to: one that answers 204 at once, and one that never answers.

async with helper("benchmarks.endpoint") as ask:
    ports = await ask("ports")      # {"answers": 8001, "hangs": 8002}
    await ask(5000)                 # from now on, so many messages are expected
    took = await ask("seconds")     # from the first to the last of them
"""

import asyncio
import time
from typing import cast

from benchmarks.helper import help_with

LONGEST_S = 120.0
"""That the messages which are expected may take. The process ends where they take longer."""


class _Endpoints:
    """Both, and what has come since somebody began to count."""

    def __init__(self) -> None:
        self._servers: dict[str, asyncio.Server] = {}
        self._moments: list[float] = []
        self._expected = 0
        self._all = asyncio.Event()

    async def answer(self, question: str | int) -> object:
        if question == "ports":
            loop = asyncio.get_running_loop()
            self._servers = {
                "answers": await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0),
                "hangs": await loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
            }
            return {name: it.sockets[0].getsockname()[1] for name, it in self._servers.items()}
        if question == "seconds":
            async with asyncio.timeout(LONGEST_S):
                await self._all.wait()
            return self._moments[-1] - self._moments[0]
        self._moments, self._expected = [], int(question)
        self._all.clear()
        return None

    def received(self) -> None:
        self._moments.append(time.perf_counter())
        if len(self._moments) == self._expected:
            self._all.set()


class _Connection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self, endpoints: _Endpoints) -> None:
        self._endpoints = endpoints
        self._request = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._request += data
        head, end, body = self._request.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(body) == int(length.split(b"\r\n", 1)[0]):
            self._request = b""
            self._endpoints.received()
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")


if __name__ == "__main__":
    help_with(_Endpoints().answer)
