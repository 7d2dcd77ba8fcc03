"""Programs as processes of their own, `factory` above all: run to the end, or hosting a service."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.embedded.helpers import wait_until
from tests.support.fork_server import Forked

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "app.cli")
DEADLINE_S = 90.0


def environment(**changes: str) -> dict[str, str]:
    """This process' environment without settings of a factory, and with these."""
    foreign = {"COLUMNS", "FORCE_COLOR", "NO_COLOR", "PYTHONUNBUFFERED"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FACTORY_") and name not in foreign
    }
    return {**kept, "PYTHONPATH": str(ROOT), **changes}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What it printed with --json."""
        return json.loads(self.out)

    @property
    def usage_error(self) -> str:
        """What is wrong with the arguments, taken out of its box."""
        return " ".join(re.sub("[│╭╮╰╯─]", " ", self.err).split())


class Programs:
    """How programs are started: forked, once there is a process that forks."""

    fork_server: Path | None = None

    @classmethod
    def start(
        cls,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        files: tuple[int, int, int],
        **identity: Any,
    ) -> "Forked | subprocess.Popen[bytes]":
        """Start a program with these files as its input, its output and its errors."""
        python, option, module, *arguments = map(str, command)
        # What an interpreter reads when it starts, and another interpreter or user, need one.
        plain = not identity and "PYTHONIOENCODING" not in env
        if cls.fork_server is not None and plain and (python, option) == COMMAND[:2]:
            return Forked(cls.fork_server, module, arguments, env=env, cwd=cwd, files=files)
        stdin, stdout, stderr = files
        return subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            **identity,
        )


@contextlib.contextmanager
def into(out: Path, err: Path) -> Iterator[tuple[int, int, int]]:
    """The files of a program that reads nothing, and whose output goes to files."""
    with Path(os.devnull).open("rb") as nothing, out.open("wb") as said, err.open("wb") as failed:
        yield nothing.fileno(), said.fileno(), failed.fileno()


def factory(
    *arguments: str | Path,
    env: Mapping[str, str],
    cwd: Path,
    command: tuple[str, ...] = COMMAND,
    code: int | None = 0,
    deadline_s: float = DEADLINE_S,
) -> Done:
    """Run a command to its end, and expect its exit code (None: any)."""
    with tempfile.TemporaryDirectory() as directory:
        out, err = Path(directory) / "out", Path(directory) / "err"
        with into(out, err) as files:
            program = Programs.start([*command, *arguments], env=env, cwd=cwd, files=files)
        done = Done(program.wait(deadline_s), out.read_text(), err.read_text())
    assert code is None or done.code == code, f"{arguments}: {done}"
    return done


class Hosting:
    """`factory serve` or `factory evaluate` while it runs, as a terminal would start it."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        cwd: Path,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        number = len(list(cwd.glob("*.out")))
        self._out, self._err = cwd / f"{number}.out", cwd / f"{number}.err"
        with into(self._out, self._err) as files:
            self.process = Programs.start([*command, *arguments], env=env, cwd=cwd, files=files)

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has said on standard error so far."""
        return self._err.read_text()

    def says(self, text: str) -> str:
        """Wait until it has printed the text; everything that it has printed."""
        wait_until(
            lambda: text in self.out or self.process.poll() is not None, f"{text!r} in {self}"
        )
        assert text in self.out, str(self)
        return self.out

    def document(self) -> Any:
        """The document that it prints with --json when it is up."""
        return json.loads(self.says("\n}\n"))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal as a terminal does, to the whole group; the exit code."""
        os.killpg(self.process.pid, number)
        return self.wait()

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        """Leave nothing of it."""
        if self.process.poll() is None:
            self.stop()

    def __str__(self) -> str:
        """All that is known of it, for a failure."""
        return f"{self.process.args!r} ({self.process.poll()})\n{self.out}\n{self.err}"


@contextlib.contextmanager
def hosting(
    *arguments: str,
    env: Mapping[str, str],
    cwd: Path,
    command: tuple[str, ...] = COMMAND,
) -> Iterator[Hosting]:
    """A command that hosts a service, until the block ends."""
    program = Hosting(*arguments, env=env, cwd=cwd, command=command)
    try:
        yield program
    finally:
        program.close()
