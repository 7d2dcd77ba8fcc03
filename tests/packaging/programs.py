"""What the tests of installations share: clean environments, and programs that are waited for."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0
INSTALLING_S = 900.0
"""Until a command has ended; beside other work, installing takes minutes."""


def clean_environment(**changes: str) -> dict[str, str]:
    """This process' environment without what would reach into the program that is tested.

    Installing compiles nothing: most of what is installed here is never run. (pip takes the
    variable of an option that begins with "no" for what follows, so it is told no.)
    """
    foreign = (
        "FACTORY_",
        "PYTHON",
        "VIRTUAL_ENV",
        "COV",
        "PYTEST",
        "MAKE",
        "MFLAGS",
        "ARGS",
        "WORKERS",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PIP_NO_COMPILE": "no", **changes}


def run(
    *command: str | Path, cwd: Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a failure shows what it printed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=INSTALLING_S,
        check=False,
    )
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def checkout_files() -> list[Path]:
    """The files of the checkout that git knows or would add, relative to it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    names = [Path(name) for name in listed.stdout.split("\0") if name]
    return [name for name in names if (ROOT / name).is_file()]


def copy_checkout(to: Path) -> None:
    """A checkout of the state of the working directory, somewhere else."""
    for name in checkout_files():
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
        target.chmod((ROOT / name).stat().st_mode)


def empty_environment(directory: Path) -> Path:
    """A virtual environment with nothing in it; answers with its bin directory."""
    run(sys.executable, "-m", "venv", "--without-pip", directory, cwd=directory.parent)
    return directory / "bin"


def free_port() -> int:
    """A port of this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    *command: str | Path, cwd: Path, env: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own, as a terminal would start it; killed at the end."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as program,
    ):
        try:
            yield program
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)


def answer(url: str, program: subprocess.Popen[bytes], log: Path) -> httpx.Response:
    """The first answer with status 200 of a program that is starting; a failure shows its log."""
    deadline = time.monotonic() + DEADLINE_S
    last = "no answer"
    with httpx.Client(timeout=10, trust_env=False, verify=False) as client:
        while time.monotonic() < deadline and program.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                response = client.get(url)
                if response.status_code == 200:
                    return response
                last = response.text
            time.sleep(0.05)
    raise AssertionError(f"{url}: {last}\n{log.read_text()}")
