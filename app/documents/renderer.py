"""Renders documents for a service that must go on answering meanwhile.

    short text    Markdown, HTML and JSON of it are made at once, in the one thread that the service
                  has for documents, in which pieces are filled with data, too
    the rest      PDF and Word, and whatever is long, in the worker: a process of its own that is
                  ended when it takes too much time or memory, which hostile text can make it do

There is one worker: it is started when it is needed, which takes a second, kept for the next
document, and ended when none came for some minutes. Documents wait for it in order of arrival.

One thread: what it does is Python, so a second one would make nothing faster, and each takes turns
from the event loop.
"""

import asyncio
import contextlib
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from app.documents.errors import RenderingFailedError
from app.documents.formats import Format
from app.documents.models import Document
from app.documents.queue import Queue
from app.documents.worker import ANSWER, Job, framed, refused

AT_ONCE_BYTES = 8 * 1024
"""Of text. The worst of it that was found takes a quarter of a second of one processor."""

MOST_WAITING = 16
"""Documents for the worker, the one that it renders included."""

MOST_AT_ONCE = 100
"""Documents for the thread, the one that it makes included."""

DOCUMENTS_EACH = 200
"""What one worker renders before another takes its place: WeasyPrint keeps some of each."""

_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "FONTCONFIG_FILE")
"""Of the environment: it needs its libraries and fonts, and no secret."""


class Renderer:
    """Renders documents in any format; one for a process, to be closed at its end.

    `deadline_s` and `memory` bound what the worker takes for one document, in seconds and in bytes
    of address space; after `idle_s` seconds without one it is ended. Nobody waits longer than
    `patience_s` for the worker, or than `patience_at_once_s` for the thread.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 30.0,
        memory: int = 2 * 1024**3,
        idle_s: float = 300.0,
        patience_s: float = 30.0,
        patience_at_once_s: float = 5.0,
    ) -> None:
        self._deadline_s = deadline_s
        self._memory = memory
        self._idle_s = idle_s
        self._queue = Queue(MOST_WAITING, patience_s)
        """Of those who use, start or end the worker."""
        self._queue_at_once = Queue(MOST_AT_ONCE, patience_at_once_s)
        self._thread = ThreadPoolExecutor(1, "documents")
        self._worker: _Worker | None = None
        self._idling: asyncio.Task[None] | None = None

    async def render(self, fill: Callable[[], Document], format_: Format) -> tuple[Document, bytes]:
        """The document that `fill` answers, and its bytes in the format.

        `fill` may take seconds, and no more: it can't be broken off. Raises what it raises, and
        refuses with DocumentTooLargeError, FormatUnavailableError, RenderingFailedError and
        RendererBusyError (app.documents.errors).
        """
        async with self._queue_at_once.turn():
            loop = asyncio.get_running_loop()
            document, body = await loop.run_in_executor(self._thread, _at_once, fill, format_)
        if body is None:
            async with self._queue.turn():
                job = framed(Job(format=format_.name, document=document))
                body = await self._by_worker(job)
        return document, body

    async def close(self) -> None:
        """End the worker, whatever it does."""
        if self._worker:
            self._worker.kill()
        async with self._queue.lock:
            self._stay()
            await self._end()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _by_worker(self, question: bytes) -> bytes:
        self._stay()
        try:
            async with asyncio.timeout(self._deadline_s):
                kind, answer = await self._answer(question)
        except TimeoutError:
            await self._end()
            raise RenderingFailedError(
                f"The document was given up after {self._deadline_s:g} s."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._end()
            raise RenderingFailedError(
                f"The document takes more than {self._memory / 1024**2:,.0f} MiB of memory, or it"
                " broke what renders it."
            ) from None
        except BaseException:
            await self._end()  # its answer would be taken for that of the next document
            raise
        self._idling = asyncio.create_task(self._end_when_idle())
        if kind == b"-":
            raise refused(answer)
        return answer

    async def _answer(self, question: bytes) -> tuple[bytes, bytes]:
        if self._worker and not self._worker.is_spent:
            try:
                return await self._worker.ask(question)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass  # it may have been killed while it had nothing to do
        await self._end()
        self._worker = await _Worker.start(self._memory)
        return await self._worker.ask(question)

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._idle_s)
        async with self._queue.lock:
            await self._end()

    def _stay(self) -> None:
        """Not end for being idle. Whoever has the turn interrupts nobody who is ending it."""
        if self._idling:
            self._idling.cancel()

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            await worker.end()


def _at_once(fill: Callable[[], Document], format_: Format) -> tuple[Document, bytes | None]:
    """The document, and its bytes where they are made at once."""
    document = fill()
    short = not format_.heavy and document.size <= AT_ONCE_BYTES
    return document, format_.render(document) if short else None


class _Worker:
    """A process of app.documents.worker, and the pipes to it."""

    def __init__(self, process: Process, stdin: StreamWriter, stdout: StreamReader) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._answers = 0

    @classmethod
    async def start(cls, memory: int) -> "_Worker":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "app.documents.worker",
            str(memory),
            stdin=PIPE,
            stdout=PIPE,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            # A terminal's Ctrl-C is for the service, which ends the worker.
            start_new_session=True,
        )
        assert process.stdin  # noqa: S101 - a pipe was asked for
        assert process.stdout  # noqa: S101 - here too
        return cls(process, process.stdin, process.stdout)

    @property
    def is_spent(self) -> bool:
        return self._process.returncode is not None or self._answers >= DOCUMENTS_EACH

    async def ask(self, question: bytes) -> tuple[bytes, bytes]:
        """The kind and the bytes of its answer; raises what a broken pipe raises."""
        self._stdin.write(question)
        await self._stdin.drain()
        kind, length = ANSWER.unpack(await self._stdout.readexactly(ANSWER.size))
        self._answers += 1
        return kind, await self._stdout.readexactly(length)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill it, and wait until nothing of it is left."""
        self.kill()
        self._stdin.close()
        await self._process.communicate()
        with contextlib.suppress(ConnectionError):
            await self._stdin.wait_closed()
