"""Starts modules, as `python -m` does, in processes of their own without importing them anew.

Importing the program takes longer than most commands do. So one process for each run of the tests
imports it, runs none of it, and forks: what it forks is the program as a shell would have started
it, with arguments, environment, directory, open files and a process group of its own. Tests of the
very start of a program start an interpreter instead.

`python -m tests.support.fork_server SOCKET RUN` leaves a process behind that forks, until nobody
has the pipe RUN open for writing any more; `Forked` is a program that was forked.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from app.garbage import collect_seldom

ROOT = Path(__file__).parents[2]


class Forked:
    """A program that runs, or has run: as much of `subprocess.Popen` as the tests use."""

    def __init__(
        self,
        server: Path,
        module: str,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        files: Sequence[int],
    ) -> None:
        self.args = ["-m", module, *arguments]
        self._code: int | None = None
        order = {"module": module, "arguments": arguments, "env": dict(env), "cwd": str(cwd)}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server))
            socket.send_fds(connection, [b"\n"], files)
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


def start_fork_server(address: Path, run: Path) -> None:
    """Leave a process behind that forks, as long as the pipe `run` is open for writing."""
    subprocess.run(
        [sys.executable, "-m", "tests.support.fork_server", str(address), str(run)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        check=True,
        start_new_session=True,  # the terminal's Ctrl-C is for the tests
    )


def _serve(address: str, run: str) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    with Path(run).open("rb") as tests:
        if os.fork() != 0:
            os._exit(0)  # who started it goes on
        _attend(listener, tests)


def _attend(listener: socket.socket, tests: BinaryIO) -> None:
    """Start programs, and tell who asked for each how it has ended; stop those of who is gone."""
    ended, end = socket.socketpair()
    end.setblocking(False)
    signal.set_wakeup_fd(end.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)  # who waits below is woken up
    watched: list[socket.socket | BinaryIO] = [listener, tests, ended]
    running: dict[int, socket.socket] = {}
    while True:
        asking = {asker: pid for pid, asker in running.items() if asker.fileno() >= 0}
        ready, _, _ = select.select([*watched, *asking], [], [])
        if ended in ready:
            ended.recv(4096)
            _tell_of_the_ended(running)
        for asker in asking.keys() & set(ready):
            # Killed with what would have stopped its program; that is not waited for here.
            asker.close()
            if asking[asker] in running:
                os.kill(asking[asker], signal.SIGTERM)
        if listener in ready:
            connection, _ = listener.accept()
            pid = _start(connection, [*watched, end, *running.values()])
            if pid is not None:
                running[pid] = connection
        elif tests in ready:
            for pid in running:
                os.kill(pid, signal.SIGTERM)
            return


def _tell_of_the_ended(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as asker, contextlib.suppress(OSError):  # it may be gone
            asker.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _start(connection: socket.socket, inherited: Iterable[socket.socket | BinaryIO]) -> int | None:
    """Start the program that is asked for, which tells its number; None where nobody asks."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as asked:
        order = asked.readline()
    if not order:
        connection.close()
        return None
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in inherited:
            file.close()
        os.setsid()
        connection.sendall(f"{os.getpid()}\n".encode())
        connection.close()
        _become(json.loads(order), files)
    for number in files:
        os.close(number)
    return pid


def _become(order: dict[str, Any], files: Sequence[int]) -> None:
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.argv[1:] = order["arguments"]
    # Where the tests run in the background of a shell, that has Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code: Any = 0
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:  # noqa: BLE001 - as an interpreter does at its end
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    # Taking all that was imported apart again would take longer than most programs.
    os._exit(code)


# What a program imports sooner or later.
MODULES = (
    "app.cli.program",
    "app.evaluation",
    "app.hosting",
    "app.main",
    "encodings.idna",
    "httpcore",
    "schemathesis.cli.commands.run.executor",
    "schemathesis.engine.run.stateful._executor",
    "schemathesis.engine.run.unit._hypothesis_executor",
    "schemathesis.specs.openapi.coverage._operation",
    "schemathesis.specs.openapi.schemas",
    "schemathesis.transport.asgi",
    "typer.rich_utils",
    "uvicorn.lifespan.on",
    "uvloop",
)

if __name__ == "__main__":
    collect_seldom()
    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()
    _serve(*sys.argv[1:])
