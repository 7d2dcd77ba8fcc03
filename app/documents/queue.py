"""Waiting for one's turn: in order of arrival, not for ever, and not too many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.documents.errors import RendererBusyError


class Queue:
    """One after the other.

    At most `most` wait, whoever has the turn included, and none longer than `patience_s` seconds.
    `lock` is held by whoever has the turn.
    """

    def __init__(self, most: int, patience_s: float) -> None:
        self.lock = asyncio.Lock()
        self._most = most
        self._patience_s = patience_s
        self._waiting = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it for the block. Refuses with RendererBusyError."""
        if self._waiting >= self._most:
            raise RendererBusyError(f"{self._waiting} documents wait to be rendered already.")
        self._waiting += 1
        try:
            await self._acquire()
            try:
                yield
            finally:
                self.lock.release()
        finally:
            self._waiting -= 1

    async def _acquire(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self.lock.acquire()
        except TimeoutError:
            raise RendererBusyError(
                f"The document waited for its turn to be rendered for {self._patience_s:g} s."
            ) from None
