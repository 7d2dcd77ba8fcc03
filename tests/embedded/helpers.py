"""Programs that use the embedded server, and looks at its process."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("program.py")
DEADLINE = 60.0

Start = Callable[..., EmbeddedPostgres]
Run = Callable[..., "Program"]


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


class Program:
    """A running tests/embedded/program.py."""

    def __init__(self, data_dir: Path, bin_dir: Path | None, **how: Any) -> None:
        path = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        self.process = subprocess.Popen(
            [
                how.pop("python", sys.executable),
                *(str(PROGRAM), str(data_dir), *([str(bin_dir)] if bin_dir else [])),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **how.pop("env", {})},
            cwd="/",
            **how,
        )

    def hear(self) -> dict[str, Any]:
        """The next line that it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the program has ended, with {self.process.wait(DEADLINE)}"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def ask(self, query: str) -> str:
        """What it answers to `query`, from the database."""
        assert self.process.stdin is not None
        self.process.stdin.write(query + "\n")
        self.process.stdin.flush()
        return str(self.hear()["answer"])

    def leave(self) -> None:
        """Let it end in order."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.hear() == {"stopped": True}
        assert self.process.wait(DEADLINE) == 0

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(DEADLINE)

    def close(self) -> None:
        """Leave nothing of it."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
