"""The bytes of one connection.

Neither asyncio's streams nor anyio's: nothing here waits for the other side to take bytes or to
say farewell, so a connection can be closed at any time and in any state, without a task of its
own; and no more than about `_MOST_UNREAD` bytes are held that nobody has asked for.
"""

import asyncio
from typing import cast

_MOST_UNREAD = 64 * 1024


class Stream(asyncio.Protocol):
    """One connection, in plain TCP or in TLS. One task at a time reads."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._unread = bytearray()
        self._came = asyncio.Event()
        self._paused = False
        self._ended = False
        self._lost: Exception | None = None

    @property
    def is_quiet(self) -> bool:
        """Whether the connection is open and nothing came unasked, and all was sent."""
        return not (self._ended or self._unread or self._transport.get_write_buffer_size())

    def write(self, data: bytes) -> None:
        """Send. What the other side does not take yet is kept until it does, or it is closed."""
        if not self._ended:
            self._transport.write(data)

    async def read(self, most: int) -> bytes:
        """What came in, at least one byte and at most so many; none when nothing more will come.

        Raises OSError where the connection was lost.
        """
        while not self._unread and not self._ended:
            self._came.clear()
            await self._came.wait()
        if self._lost is not None and not self._unread:
            raise ConnectionError from self._lost
        data = bytes(self._unread[:most])
        del self._unread[:most]
        if self._unread:
            await asyncio.sleep(0)  # others have their turn in between
        elif self._paused and not self._ended:
            self._paused = False
            self._transport.resume_reading()
        return data

    def close(self) -> None:
        """Close at once; what is unsent is dropped."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (called by the event loop, as all that follows)."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came, and ask for a pause where that is much."""
        self._unread += data
        if len(self._unread) >= _MOST_UNREAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._came.set()

    def eof_received(self) -> None:
        """Nothing more will come; the transport closes itself."""
        self._ended = True
        self._came.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing goes in or out any more."""
        self._ended = True
        self._lost = exc
        self._came.set()
