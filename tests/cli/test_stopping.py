"""Signals that come while a program is ending already."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, environment

PROGRAM = """
import asyncio
import os
import sys

from app.stopping import Stopped, heed_signals, run

NUMBER = int(sys.argv[1])


async def work() -> None:
    os.kill(os.getpid(), NUMBER)
    await asyncio.Event().wait()


heed_signals()
try:
    run(work())
except Stopped as stopped:
    os.kill(os.getpid(), NUMBER)
    print(f"Stopped by {stopped.number}.")
os.kill(os.getpid(), NUMBER)
print("Ended in order.")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_another_signal_does_not_disturb_a_program_that_one_has_ended(
    number: signal.Signals, tmp_path: Path
) -> None:
    """It would be raised wherever the program is, and there is nothing left to cut short."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program, str(int(number))],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"Stopped by {int(number)}.\nEnded in order.\n",
        "",
    )
