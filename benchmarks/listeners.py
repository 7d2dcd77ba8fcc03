"""Clients of `GET /observability/stream`, of which the first looks how late each fact comes.

    async with helper("benchmarks.listeners") as ask:
        await ask({"port": 8000, "key": key, "clients": 200})   # those before are gone
        heard = await ask("heard")                              # so far

`heard` is how many facts the first was told, and how many milliseconds after the facts' own
times half of them and 99 % of them had come; how many bytes the client got that got fewest; and
the seconds of processor time that this process has used. The first takes the stream as it is; the
others take it compressed, as browsers do, and don't look inside.
"""

import asyncio
import time
from datetime import datetime
from functools import partial
from typing import Any, cast

from benchmarks.helper import help_with
from benchmarks.load import get


class _Listeners:
    def __init__(self) -> None:
        self._clients: list[_Client] = []

    async def answer(self, question: dict[str, Any] | str) -> object:
        if isinstance(question, str):
            return self._heard()
        for client in self._clients:
            client.close()
        loop = asyncio.get_running_loop()
        self._clients = [
            _Client(
                get("/observability/stream", question["key"], "deflate" if i else "identity"),
                first=i == 0,
            )
            for i in range(question["clients"])
        ]
        for client in self._clients:
            await loop.create_connection(partial(_itself, client), "127.0.0.1", question["port"])
        for client in self._clients:
            await client.listening.wait()
        return None

    def _heard(self) -> object:
        late = sorted(self._clients[0].late_ms) if self._clients else []
        return {
            "facts": len(late),
            "fewest_bytes": min((client.received for client in self._clients), default=0),
            "cpu_s": time.process_time(),
            "p50_ms": late[len(late) // 2] if late else 0.0,
            "p99_ms": late[len(late) * 99 // 100] if late else 0.0,
        }


class _Client(asyncio.Protocol):
    def __init__(self, request: str, *, first: bool) -> None:
        self._request = request.encode()
        self._first = first
        self._head: bytes | None = b""
        self._rest = b""
        self.listening = asyncio.Event()
        self.received = 0
        self.late_ms: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        if self._head is not None:
            # Nothing of the body comes before whoever asks listens.
            self._head += data
            if self._head.partition(b"\r\n\r\n")[2]:
                self._head = None
                self.listening.set()
        self.received += len(data)
        if self._first:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"id: "):  # a time and an id
                    at = datetime.fromisoformat(line[4:].partition(b"/")[0].decode())
                    self.late_ms.append((now - at.timestamp()) * 1000)

    def close(self) -> None:
        self._transport.close()


def _itself(client: _Client) -> _Client:
    return client


if __name__ == "__main__":
    help_with(_Listeners().answer)
