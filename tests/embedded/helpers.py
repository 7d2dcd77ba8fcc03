"""Looks at the process of the embedded server, and copies of its data."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.db.embedded import EmbeddedPostgres

DEADLINE = 60.0

Start = Callable[..., EmbeddedPostgres]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`; fail, saying what did not happen, after DEADLINE seconds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"after {DEADLINE:.0f} s: {what}")
        time.sleep(0.02)


def postmaster(data_dir: Path) -> int:
    """The process number that the server has written into its directory."""
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def copy_of(ready: Path, to: Path) -> Path:
    """A copy of a data directory in which nothing runs, with the owners of its files."""
    subprocess.run(["cp", "-a", ready, to], check=True)
    return to


def is_over(data_dir: Path) -> bool:
    """Whether no server runs in the directory, nor is about to."""
    try:
        return not lives(postmaster(data_dir))
    except FileNotFoundError:
        return True
    except IndexError:
        return False  # it is there already, and its number is being written


def guard_of(pid: int) -> int:
    """The parent of `pid`."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def lives(pid: int) -> bool:
    """Whether `pid` runs; a dead process that nobody has asked about does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Kill `pid` and wait until it is gone."""
    os.kill(pid, number)
    wait_until(lambda: not lives(pid), f"process {pid} has not ended")
