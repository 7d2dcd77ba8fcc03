"""The server process: recognised beyond doubt before it is signalled, never by its number alone.

A `postmaster.pid` outlives a power cut, and its number may by then belong to anybody. A process
is ours only if it is a `postgres` whose arguments carry the token of this very data directory.
"""

import os
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.db.embedded_files import DataFiles, has_proc

_PAUSE = 0.05


def command_of(pid: int) -> str:
    """The command line of `pid`; empty if there is no such process, or none that we may see."""
    if has_proc():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return ""
        return raw.replace(b"\0", b" ").decode("utf-8", "replace")
    said = subprocess.run(  # noqa: S603
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout


def is_alive(pid: int) -> bool:
    """Whether `pid` is a process, of whomever."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class ServerProcess:
    """A postmaster that was recognised as the one of a data directory."""

    pid: int
    token: str
    pidfd: int | None
    """Names the process, not the number: a signal through it cannot hit a successor."""

    @classmethod
    def find(cls, files: DataFiles) -> Self | None:
        """The running server of `files`, or None if there is none."""
        pid = recorded_pid(files)
        if pid is None:
            return None
        pidfd = None
        if hasattr(os, "pidfd_open"):
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                return None
            except OSError:  # an old kernel, or a sandbox that forbids it: the number must do
                pidfd = None
        found = cls(pid, files.token, pidfd)
        if found.recognised():
            return found
        found.close()
        return None

    def recognised(self) -> bool:
        """Whether the process under this number is still this directory's postmaster."""
        command = command_of(self.pid)
        return "postgres" in command and f"-c cluster_name={self.token}" in command

    def signal(self, number: signal.Signals) -> None:
        """Send `number`, if the process is still there."""
        try:
            if self.pidfd is not None:
                signal.pidfd_send_signal(self.pidfd, number)
            elif self.recognised():
                os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the process to end; answers whether it has."""
        if self.pidfd is not None:
            poller = select.poll()
            poller.register(self.pidfd, select.POLLIN)
            return bool(poller.poll(timeout * 1000))
        deadline = time.monotonic() + timeout
        while self.recognised():
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        return True

    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.wait(0)

    def close(self) -> None:
        """Forget the process."""
        if self.pidfd is not None:
            os.close(self.pidfd)


def recorded_pid(files: DataFiles) -> int | None:
    """The number in the cluster's `postmaster.pid`, or None if there is no usable one."""
    try:
        lines = (files.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    try:
        pid = int(lines[0]) if lines else 0
    except ValueError:
        pid = 0
    return pid if pid > 0 else None
