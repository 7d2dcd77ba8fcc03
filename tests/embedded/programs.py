"""Programs that use the embedded server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.embedded.helpers import DEADLINE
from tests.support.commands import ROOT, Programs

Run = Callable[..., "Program"]


class Program:
    """A running tests/embedded/program.py."""

    def __init__(self, data_dir: Path, bin_dir: Path | None, **how: Any) -> None:
        path = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        reads, asks = os.pipe()
        hears, says = os.pipe()
        self._asks, self._hears = os.fdopen(asks, "w"), os.fdopen(hears)
        self.process = Programs.start(
            [
                *(how.pop("python", sys.executable), "-m", "tests.embedded.program"),
                *(data_dir, *([bin_dir] if bin_dir else [])),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path), **how.pop("env", {})},
            cwd=Path("/"),
            files=(reads, says, 2),
            **how,
        )
        os.close(reads)
        os.close(says)

    def hear(self) -> dict[str, Any]:
        """The next line that it says."""
        line = self._hears.readline()
        assert line, f"the program has ended, with {self.process.wait(DEADLINE)}"
        heard: dict[str, Any] = json.loads(line)
        return heard

    def ask(self, query: str) -> str:
        """What it answers to `query`, from the database."""
        self._asks.write(query + "\n")
        self._asks.flush()
        return str(self.hear()["answer"])

    def hang_up(self) -> None:
        """Let it end in order, and do not wait for that."""
        self._asks.close()

    def leave(self) -> None:
        """Let it end in order."""
        self.hang_up()
        assert self.hear() == {"stopped": True}
        assert self.process.wait(DEADLINE) == 0

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(DEADLINE)

    def close(self) -> None:
        """Leave nothing of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.kill()
        for stream in (self._asks, self._hears):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
