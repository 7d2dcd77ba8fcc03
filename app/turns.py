"""Long work on the event loop, in turns: others have theirs in between.

Many small pieces give way to the loop whenever a turn has lasted long enough. A large piece goes
to a thread, where the interpreter takes turns by itself.
"""

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

TURN_S = 0.005
"""How long a turn lasts: as long as CPython's threads have the interpreter at a time."""

LARGE = 32 * 1024
"""Bytes of JSON beyond which one piece of work may be longer than a turn."""


class Turns:
    """The turns of one long piece of work."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    async def do(
        self,
        size: int,
        work: Callable[Arguments, Answer],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Answer:
        """What `work` answers, which is about so many bytes of JSON."""
        if size > LARGE:
            answer = await asyncio.to_thread(work, *args, **kwargs)
            self._began = time.perf_counter()
            return answer
        if time.perf_counter() - self._began >= TURN_S:
            await asyncio.sleep(0)
            self._began = time.perf_counter()
        return work(*args, **kwargs)


class Room:
    """Room for so much weight at a time. Who finds too little waits."""

    def __init__(self, weight: int) -> None:
        self._all = self._left = weight
        self._given_back = asyncio.Event()

    async def enter(self, weight: int) -> int:
        """Wait for room, and answer what `leave` takes.

        What weighs more than there ever is has all of it for itself.
        """
        taken = min(weight, self._all)
        while taken > self._left:
            self._given_back.clear()
            await self._given_back.wait()
        self._left -= taken
        return taken

    def leave(self, taken: int) -> None:
        """Give room back."""
        self._left += taken
        self._given_back.set()
