"""Renders documents for a service that must go on answering meanwhile.

    short text    Markdown, HTML and JSON of it are made at once, in a thread of the service
    the rest      PDF and Word, and whatever is long, in the worker: a process of its own that is
                  ended when it takes too much time or memory, which hostile text can make it do

There is one worker: it is started when it is needed, which takes a second, kept for the next
document, and ended when none came for some minutes. Documents wait for it in order of arrival.
"""

import asyncio
import contextlib
import os
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process

from app.documents.errors import RendererBusyError, RenderingFailedError
from app.documents.formats import Format
from app.documents.models import Document
from app.documents.worker import ANSWER, Job, framed, refused

AT_ONCE_BYTES = 16 * 1024
"""Of text. The worst of it that was found takes half a second of one processor, and 60 MiB."""

MOST_WAITING = 16
"""Documents for the worker, the one that it renders included."""

DOCUMENTS_EACH = 200
"""What one worker renders before another takes its place: WeasyPrint keeps some of each."""

_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "FONTCONFIG_FILE")
"""Of the environment: it needs its libraries and fonts, and no secret."""


class Renderer:
    """Renders documents in any format; one for a process, to be closed at its end.

    `deadline_s` and `memory` bound what the worker takes for one document, in seconds and in bytes
    of address space; after `idle_s` seconds without one it is ended.
    """

    def __init__(
        self, *, deadline_s: float = 30.0, memory: int = 2 * 1024**3, idle_s: float = 300.0
    ) -> None:
        self._deadline_s = deadline_s
        self._memory = memory
        self._idle_s = idle_s
        self._waiting = 0
        self._turn = asyncio.Lock()
        """Held by whoever uses, starts or ends the worker."""
        self._worker: _Worker | None = None
        self._idling: asyncio.Task[None] | None = None

    async def render(self, document: Document, format_: Format) -> bytes:
        """The bytes of the document in the format.

        Refuses with DocumentTooLargeError, FormatUnavailableError, RenderingFailedError and
        RendererBusyError (app.documents.errors).
        """
        if not format_.heavy and document.size <= AT_ONCE_BYTES:
            return await asyncio.to_thread(format_.render, document)
        if self._waiting >= MOST_WAITING:
            raise RendererBusyError(f"{self._waiting} documents wait to be rendered already.")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._by_worker(framed(Job(format=format_.name, document=document)))
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the worker, whatever it does."""
        if self._worker:
            self._worker.kill()
        async with self._turn:
            self._stay()
            await self._end()

    async def _by_worker(self, question: bytes) -> bytes:
        self._stay()
        try:
            async with asyncio.timeout(self._deadline_s):
                if self._worker is None or self._worker.is_spent:
                    await self._end()
                    self._worker = await _Worker.start(self._memory)
                kind, answer = await self._worker.ask(question)
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

    async def _end_when_idle(self) -> None:
        await asyncio.sleep(self._idle_s)
        async with self._turn:
            await self._end()

    def _stay(self) -> None:
        """Not end for being idle. Whoever has the turn interrupts nobody who is ending it."""
        if self._idling:
            self._idling.cancel()

    async def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            await worker.end()


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
