"""Starts the command `factory` in processes of their own without importing it anew each time.

Importing the program takes longer than most commands do. So one process for each worker of the
tests imports it, runs none of it, and forks: what it forks is the program as a shell would have
started it, with arguments, environment, directory, files and a process group of its own. Tests of
the very start of the program start an interpreter instead.

`python -m tests.support.fork_server SOCKET` is the process that forks; `Forked` is one that was.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Forked:
    """A command that runs, or has run: as much of `subprocess.Popen` as the tests use."""

    def __init__(
        self,
        server: Path,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        out: Path,
        err: Path,
    ) -> None:
        # As `python -m app.cli` has it.
        self.args = [str(ROOT / "app" / "cli" / "__main__.py"), *arguments]
        self._code: int | None = None
        for file in (out, err):
            file.touch()
        order = {
            "arguments": self.args,
            "env": dict(env),
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
        }
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server))
            connection.sendall(json.dumps(order).encode() + b"\n")
            self._told = connection.makefile("r")
        self.pid = int(self._told.readline())
        self._ended = threading.Thread(target=self._wait_to_be_told, daemon=True)
        self._ended.start()

    def _wait_to_be_told(self) -> None:
        self._code = int(self._told.readline())
        self._told.close()

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._code

    def wait(self, timeout: float) -> int:
        """The exit code, when it has ended."""
        self._ended.join(timeout)
        if self._code is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        os.kill(self.pid, number)


@contextlib.contextmanager
def fork_server() -> Iterator[Path]:
    """A process that forks, until the block ends: its address."""
    with tempfile.TemporaryDirectory(prefix="factory-fork-") as directory:
        address = Path(directory) / "socket"
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(address)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield address
            process.stdin.close()


def _serve(address: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how those that attend have ended
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        asked, _, _ = select.select([listener, sys.stdin], [], [])
        if listener not in asked:
            return  # the tests have ended
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> None:
    """Start one command, tell its number, wait for its end, and tell how it has ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order = json.loads(connection.makefile("r").readline())
    pid = os.fork()
    if pid == 0:
        os.setsid()
        connection.sendall(f"{os.getpid()}\n".encode())
        connection.close()
        _become(order)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the tests have ended before it
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(order: dict[str, Any]) -> None:
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    sys.argv = order["arguments"]
    from app.cli import main  # noqa: PLC0415 - it is imported already

    code: Any = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - as an interpreter does at its end
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking all that was imported apart again would take longer than most commands.
    os._exit(code)


# What a command imports sooner or later.
MODULES = (
    "app.cli.program",
    "app.evaluation",
    "app.hosting",
    "app.main",
    "encodings.idna",
    "httpcore",
    "typer.rich_utils",
    "uvicorn.lifespan.on",
    "uvloop",
)

if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()
    _serve(sys.argv[1])
