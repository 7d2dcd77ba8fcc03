"""The server's parent process: keeps the server running while it is used, and no longer.

A program that ends in order stops the server itself. One that is killed cannot, and its server
would run for ever; but the kernel releases a dead program's flock, and that is what this process
waits for. It also starts the server again when that dies under the programs that use it.

Run as a script with the standard library only. Its argument is an `Order` as JSON. The socket
`report` joins it to the program that started it: that one sends a byte once the server works, and
sees the socket close when the server has failed to start.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

if __name__ == "__main__":  # started by path, isolated from the environment: find our own package
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.db.embedded_files import DataFiles
from app.db.embedded_process import ServerProcess

FAST_SHUTDOWN = 60.0
"""Seconds after which an orderly shutdown is cut short; the next start recovers from the log."""

GIVE_UP = 60.0
"""Seconds during which a server that died is started again without success."""

_HEALTHY = 10.0
_PAUSE = 0.2


class Order(TypedDict):
    """What to run, and for which data directory."""

    data_dir: str
    argv: list[str]
    environment: dict[str, str]
    identity: dict[str, Any]
    pass_fds: list[int]
    report: int


class Guard:
    """The server and the wish to stop it."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._files = DataFiles(Path(order["data_dir"]))
        self._report = socket.socket(fileno=order["report"])
        # Opened once: whoever removes the data directory afterwards finds nothing made anew in it.
        self._alive = os.open(self._files.alive_lock, os.O_RDWR)
        self._users = os.open(self._files.users_lock, os.O_RDWR)
        self._start = os.open(self._files.start_lock, os.O_RDWR)
        self._stopping = False
        self._server = self._launch()

    def run(self) -> int:
        """Run the server until nobody uses it; answers its exit code."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        # Opened again: the two threads exclude each other, as two programs do.
        start = os.open(self._files.start_lock, os.O_RDWR)
        threading.Thread(target=self._stop_when_unused, args=(start,), daemon=True).start()
        code = self._server.wait()
        if not self._has_worked():
            return code
        give_up = time.monotonic() + GIVE_UP
        while self._relaunch():
            began = time.monotonic()
            code = self._server.wait()
            if time.monotonic() > began + _HEALTHY:
                give_up = time.monotonic() + GIVE_UP
            elif time.monotonic() > give_up:
                break
            # Its processes may still be noticing that they are orphans.
            time.sleep(_PAUSE)
        return code

    def _launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603
            self._order["argv"],
            env=self._order["environment"],
            stdin=subprocess.DEVNULL,
            pass_fds=self._order["pass_fds"],
            **self._order["identity"],
        )

    def _relaunch(self) -> bool:
        """Start the server again, unless nobody needs that."""
        with _locked(self._start):
            if self._stopping or not self._used():
                return False
            found = ServerProcess.find(self._files)
            if found is not None:  # a program that came meanwhile has started it, with a guard
                found.close()
                return False
            self._server = self._launch()
            return True

    def _used(self) -> bool:
        try:
            with _locked(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB):
                return False
        except BlockingIOError:
            return True

    def _has_worked(self) -> bool:
        self._report.setblocking(False)
        try:
            return self._report.recv(1) != b""
        except BlockingIOError:
            return False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._server.send_signal(signal.SIGINT)

    def _stop_when_unused(self, start: int) -> None:
        while not self._stopping:
            # Granted when no program is left. It is given back at once: a program that starts
            # now must not wait for us while we wait for the start lock that it holds.
            with _locked(self._alive):
                pass
            with _locked(start):
                if self._used():
                    continue
                self._stopping = True
                self._server.send_signal(signal.SIGINT)
                try:
                    self._server.wait(FAST_SHUTDOWN)
                except subprocess.TimeoutExpired:
                    self._server.send_signal(signal.SIGQUIT)
                    self._server.wait()


@contextmanager
def _locked(descriptor: int, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    fcntl.flock(descriptor, operation)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def main() -> int:
    """Leave the program that called, so that it needs not look after us; then guard."""
    if os.fork() != 0:
        os._exit(0)
    return Guard(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    sys.exit(main())
