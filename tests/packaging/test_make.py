"""`make` on a fresh machine: one line where something is missing, one installation otherwise."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.programs import (
    ROOT,
    answer,
    clean_environment,
    free_port,
    run,
    running,
)
from tests.support.once import alone

NAMED = ", or name another interpreter: make PYTHON=/path/to/python3.  Stop.\n"
TOOLS = ("make", "sh", "env", "dirname", "head", "tail", "cksum", "mv", "rm", "awk", "cat")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """What `make` looks at before it installs, in a directory with an awkward name."""
    directory = tmp_path / "a check  out's (copy)"
    (directory / "tools").mkdir(parents=True)
    for name in ("Makefile", "tools/venv.sh"):
        shutil.copy(ROOT / name, directory / name)
    return directory


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def make(
    directory: Path, *arguments: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return run("make", *arguments, cwd=directory, env=env, check=False)


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a refusal is, without make's own 'Makefile:NN: *** '."""
    assert (done.returncode, done.stdout) == (2, "")
    prefix, found, line = done.stderr.partition(": *** ")
    assert found, done.stderr
    assert prefix.startswith("Makefile:")
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize("target", ["run", "test", "lint"])
def test_an_interpreter_that_is_not_there_is_one_line(fresh: Path, target: str) -> None:
    done = make(fresh, target, "PYTHON=/nonexistent")

    assert complaint(done) == f"/nonexistent can't be run: install Python 3.11 or newer{NAMED}"
    assert not (fresh / ".venv").exists()


def test_an_old_interpreter_is_one_line(fresh: Path, tmp_path: Path) -> None:
    old = script(tmp_path / "old python", "echo 3.10")

    done = make(fresh, "run", f"PYTHON={old}")

    assert complaint(done) == f"{old} is Python 3.10: install Python 3.11 or newer{NAMED}"


def test_an_interpreter_without_the_venv_module_is_one_line(fresh: Path, tmp_path: Path) -> None:
    # As Debian's without python3-venv: it runs, but has no ensurepip.
    bare = script(
        tmp_path / "python3",
        f"""case "$2" in *ensurepip*) exit 1 ;; esac
exec '{sys.executable}' "$@\"""",
    )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"

    done = make(fresh, "run", f"PYTHON={bare}")

    assert complaint(done) == (
        f"{bare} (Python {version}) has no venv module: install it "
        f"(Debian, Ubuntu: apt install python{version}-venv){NAMED}"
    )


def machine_with(tools: Path, *pythons: str) -> dict[str, str]:
    """The environment of a machine that has make, a shell and the pythons named."""
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None, name
        (tools / name).symlink_to(found)
    for name in pythons:
        script(tools / name, f"exec '{sys.executable}' \"$@\"")
    return clean_environment(PATH=str(tools))


def test_a_machine_without_python_is_one_line(fresh: Path, tmp_path: Path) -> None:
    done = make(fresh, "run", env=machine_with(tmp_path / "bin"))

    assert complaint(done) == (
        "no Python 3.11 or newer found: install one "
        f"(Debian, Ubuntu: apt install python3 python3-venv){NAMED}"
    )


def test_the_missing_venv_module_is_told_rather_than_older_pythons(
    fresh: Path, tmp_path: Path
) -> None:
    env = machine_with(tmp_path / "bin")
    script(tmp_path / "bin" / "python3.12", 'case "$2" in *ensurepip*) exit 1 ;; esac; echo 3.12')
    script(tmp_path / "bin" / "python3", "echo 3.9")

    assert complaint(make(fresh, "run", env=env)) == (
        "python3.12 (Python 3.12) has no venv module: install it "
        f"(Debian, Ubuntu: apt install python3.12-venv){NAMED}"
    )


def test_an_interpreter_that_will_do_is_found_past_those_that_will_not(
    fresh: Path, tmp_path: Path
) -> None:
    env = machine_with(tmp_path / "bin", "python3")
    script(tmp_path / "bin" / "python3.13", "echo 'no such command' >&2; exit 127")

    assert run("sh", "tools/venv.sh", "check", cwd=fresh, env=env).stdout == "ok\n"


def test_help_is_the_default_and_lists_every_habit(fresh: Path) -> None:
    done = make(fresh)

    phony = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:")
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert done.returncode == 0
    assert listed == set(phony.removeprefix(".PHONY:").split())
    assert {"run", "test", "lint", "format", "bench", "db-diff", "docs"} <= listed


@pytest.fixture
def installed(installed_checkout: Path, shared_directory: Path) -> Iterator[Path]:
    """The checkout after `make install`, for this test alone while it changes something in it."""
    with alone(shared_directory / "checkout.in-use"):
        yield installed_checkout


@pytest.mark.packaging
def test_the_checkout_itself_runs_and_is_installed_again_when_a_lock_changed(
    installed: Path,
) -> None:
    python = installed / ".venv" / "bin" / "python"
    module = run(python, "-c", "import app; print(app.__file__)", cwd=installed.parent)

    assert Path(module.stdout.strip()) == installed / "app" / "__init__.py"
    assert not [
        path for path in installed.glob(".venv/lib/*/site-packages/app/**") if path.is_file()
    ]

    stamp = installed / ".venv" / ".installed"
    before = stamp.stat().st_mtime_ns
    again = run("make", "install", cwd=installed)

    assert (again.stdout, again.stderr) == ("", "")
    assert stamp.stat().st_mtime_ns == before

    lock = installed / "requirements.txt"
    original = lock.read_bytes()
    lock.write_bytes(original + b"# changed\n")
    try:
        assert "Installing" in run("make", "install", cwd=installed).stdout
        assert run("make", "install", cwd=installed).stdout == ""
    finally:
        lock.write_bytes(original)


@pytest.mark.packaging
def test_an_environment_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(f"{sys.base_prefix}/bin/python3")
    (copy / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "venv.sh", copy / "tools" / "venv.sh")

    # Nothing to install is there: making the environment is what is looked at.
    done = run("sh", "tools/venv.sh", "install", "runtime", cwd=copy, check=False)

    assert done.stdout.splitlines()[0].startswith("Making .venv with python")
    assert run(copy / ".venv" / "bin" / "python", "-c", "import pip", cwd=copy).returncode == 0


@pytest.mark.packaging
def test_make_run_serves_until_ctrl_c_and_finds_its_data_again(
    installed: Path, tmp_path: Path
) -> None:
    port = free_port()
    env = clean_environment(FACTORY_PORT=str(port))
    for attempt in ("first", "second"):
        log = tmp_path / attempt
        with running("make", "run", cwd=installed, env=env, log=log) as program:
            answer(f"http://127.0.0.1:{port}/readyz", program, log)
            # What a terminal does: the whole foreground group gets it, make and the program.
            os.killpg(program.pid, signal.SIGINT)
            program.wait(timeout=60)
        printed = log.read_text()
        assert "Traceback" not in printed
        assert sum(line.startswith("make") for line in printed.splitlines()) <= 1, printed
        assert not (installed / "var" / "postgres" / "postmaster.pid").exists()
