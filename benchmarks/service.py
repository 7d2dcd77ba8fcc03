"""Processes to be measured, and the program that serves: `python -m benchmarks.service`.

That one is what `factory serve` runs, on a port of its own, with the log at `warning`; with the
name of a rival the service function is the rival's. Prints its port when it answers.
"""

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from socket import socket

import psutil

from app.hosting import bound_socket, served
from app.settings import Settings, get_settings
from app.stopping import Stopped, heed_signals, run
from benchmarks.rivals import Rival, answer_with

FACTORY = "factory"
RIVALS = ("no_database", "orm", "procrastinate_job", "dbos_workflow")
"""The modules of the rivals."""

_RIVAL_URL = "BENCH_RIVAL_URL"


@dataclass(frozen=True, slots=True)
class Service:
    """An API process that answers."""

    port: int
    process: psutil.Process


@asynccontextmanager
async def service(
    service_url: str, who: str = FACTORY, rival_url: str = ""
) -> AsyncIterator[Service]:
    """An API process of the factory or of a rival, until the block ends.

    `service_url` is the factory's database, which knows the keys, also for a rival.
    """
    settings = {"FACTORY_PORT": "0", "FACTORY_LOG_LEVEL": "warning", _RIVAL_URL: rival_url}
    async with _program(service_url, settings, "benchmarks.service", who) as (process, said):
        yield Service(int(said), process)


@asynccontextmanager
async def worker(service_url: str) -> AsyncIterator[None]:
    """`factory deliver`, which may send to this machine, until the block ends."""
    settings = {"FACTORY_DELIVERY_ALLOW": "127.0.0.1/32", "FACTORY_LOG_LEVEL": "error"}
    async with _program(service_url, settings, "app.cli", "deliver"):
        yield


@asynccontextmanager
async def _program(
    service_url: str, settings: Mapping[str, str], *command: str
) -> AsyncIterator[tuple[psutil.Process, bytes]]:
    """A module as a program, and the line that it says when it is ready, until the block ends."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FACTORY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        stdout=asyncio.subprocess.PIPE,
        env={**kept, "FACTORY_DATABASE_URL": service_url, **settings},
    )
    assert process.stdout is not None
    try:
        said = await process.stdout.readline()
        if not said:
            raise RuntimeError(f"{command[-1]} did not come up; the lines above say why")
        yield psutil.Process(process.pid), said
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _serve(who: str, settings: Settings, listener: socket) -> None:
    async with AsyncExitStack() as stack:
        if who != FACTORY:
            opened: Rival = importlib.import_module(f"benchmarks.rivals.{who}").opened
            answer_with(await stack.enter_async_context(opened(os.environ[_RIVAL_URL])))
        _, ended = await stack.enter_async_context(served(settings, listener))
        print(listener.getsockname()[1], flush=True)
        await asyncio.wait({ended})


def main(who: str) -> None:
    """Serve until told to end."""
    heed_signals()
    settings = get_settings()
    try:
        with bound_socket(settings) as listener:
            run(_serve(who, settings, listener))
    except Stopped:
        return


if __name__ == "__main__":
    main(sys.argv[1])
