"""Ctrl-C and SIGTERM end a program in order, wherever it is.

    with stoppable() as run, hosting(settings) as host:    # interrupted: Stopped is raised
        run(work(host))                                    # cancelled, then Stopped is raised

Coroutines are cancelled and not interrupted, as asyncio does it for Ctrl-C alone: what is raised
in the middle of an event loop may be swallowed by it, or leave it half done.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """The program was told to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell calls the exit code of a program that a signal ended."""
        return 128 + self.number


class Runner:
    """Runs coroutines that a signal cancels. Made by `stoppable`, for the main thread."""

    def __init__(self) -> None:
        self._told: int | None = None
        self._running = False
        self._task: asyncio.Task[Any] | None = None

    def __call__(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """What the coroutine answers, as `asyncio.run`; raises Stopped where a signal came.

        A second signal cancels it once more: whoever ends in order may then be quicker about it.
        """
        self._running = True
        try:
            return asyncio.run(self._cancellable(work))
        except asyncio.CancelledError:
            if self._told is None:
                raise
            raise Stopped(self._told) from None
        finally:
            self._running = False
            self._task = None

    async def _cancellable(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        self._task = asyncio.current_task()
        if self._told is not None and self._task is not None:
            self._task.cancel()  # told in an earlier run, as its work was ending, or before this
        return await work

    def told(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._told = number
        if not self._running:
            raise Stopped(number)
        if self._task is not None and not self._task.done():
            self._task.cancel()
            # A loop that waits for nothing but its sockets would not notice.
            self._task.get_loop().call_soon_threadsafe(lambda: None)


@contextlib.contextmanager
def stoppable() -> Iterator[Runner]:
    """Raise Stopped in the block on Ctrl-C and SIGTERM; the runner is for its coroutines."""
    runner = Runner()
    with _handled(runner.told):
        yield runner


@contextlib.contextmanager
def unstoppable() -> Iterator[None]:
    """Pass over Ctrl-C and SIGTERM in the block, which ends soon and must end by itself."""
    # A handler and not SIG_IGN, which programs that are started in the block would inherit.
    with _handled(lambda _number, _frame: None):
        yield


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
