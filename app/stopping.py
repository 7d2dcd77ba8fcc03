"""Ctrl-C and SIGTERM end a program in order, wherever it is.

    heed_signals()                    # once, in the program's main; from now on
    with hosting(settings) as host:   # … a signal raises Stopped where the program is
        run(work(host))               # … cancels the work, and then raises Stopped

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


def heed_signals() -> None:
    """Raise Stopped, or cancel what `run` runs, on Ctrl-C and SIGTERM from now on."""
    for number in _SIGNALS:
        signal.signal(number, _program.told)


def ignore_signals() -> None:
    """Pass over Ctrl-C and SIGTERM until the process is gone: it is ending."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def unstoppable() -> Iterator[None]:
    """Pass over Ctrl-C and SIGTERM in the block, which ends soon and must end by itself."""
    # Not SIG_IGN, which a program that is started in the block would inherit.
    with _handled(lambda _number, _frame: None):
        yield


@contextlib.contextmanager
def stoppable_once() -> Iterator[None]:
    """Raise Stopped in the block, but only once: what it then has to clear away is cleared away."""
    told = False

    def once(number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            raise Stopped(number)

    with _handled(once):
        yield


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, previous in before:
            signal.signal(number, previous)


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    """What the coroutine answers, as `asyncio.run`; raises Stopped where a signal ended it.

    Each signal cancels it: whoever is already ending in order may be quicker about it then. Those
    that come once it is over are passed over.
    """
    return _program.run(work)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where there is one: a service answers a third more with it."""
    try:
        import uvloop  # noqa: PLC0415 - a client's command does not wait for it
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class _Program:
    """What the process is doing, and what it was told."""

    def __init__(self) -> None:
        self._told: int | None = None
        self._running = False
        self._ending = False
        self._task: asyncio.Task[Any] | None = None

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        self._running = True
        try:
            with asyncio.Runner(loop_factory=_new_event_loop) as runner:
                return runner.run(self._cancellable(work))
        except asyncio.CancelledError:
            if self._told is None:
                raise
            self._ending = True
            raise Stopped(self._told) from None
        finally:
            self._running = False
            self._task = None

    async def _cancellable(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        self._task = asyncio.current_task()
        if self._told is not None and self._task is not None:
            self._task.cancel()  # told before there was a task, or when the last one was done
        return await work

    def told(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._told = number
        if self._ending:
            # What ran is over, and its program clears away. Raised there, in a finalizer or between
            # two lines of its last ones, it would only leave a traceback.
            return
        if not self._running:
            raise Stopped(number)
        if self._task is not None and not self._task.done():
            self._task.cancel()
            # A loop that waits for nothing but its sockets would not notice.
            self._task.get_loop().call_soon_threadsafe(lambda: None)


_program = _Program()
