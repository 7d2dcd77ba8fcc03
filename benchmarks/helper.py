"""A process of its own that does one thing at a time: a line of JSON in, a line of JSON out.

Whoever is measured shares the cores with it, so what it does is its own business alone.

    async with helper("benchmarks.load") as ask:
        measured = await ask({"ports": [8000], …})
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from app.stopping import ignore_signals

Ask = Callable[[object], Awaitable[Any]]


@asynccontextmanager
async def helper(module: str) -> AsyncIterator[Ask]:
    """The process, until the block ends. Raises RuntimeError where it has ended by itself."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given, answers = process.stdin, process.stdout

    async def ask(question: object) -> Any:
        given.write(json.dumps(question).encode() + b"\n")
        await given.drain()
        answer = await answers.readline()
        if not answer:
            raise RuntimeError(f"{module} ended; the lines above say why")
        return json.loads(answer)

    try:
        yield ask
    finally:
        given.close()
        await process.wait()


def help_with(work: Callable[[Any], Awaitable[object]]) -> None:
    """Be the process: answer each question by `work`, until there are no more."""
    ignore_signals()
    uvloop.run(_work(work))


async def _work(work: Callable[[Any], Awaitable[object]]) -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await work(json.loads(line))), flush=True)
