"""What programs have used of the processors: theirs, and that of their children."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.processor_time import used_s

SPENT_S = 0.3
SPEND = f"import time\nwhile time.process_time() < {SPENT_S}: pass\n"
PARENT = f"""\
import subprocess, sys
child = [sys.executable, "-c", {SPEND!r} + 'print(flush=True); input()']
subprocess.run([sys.executable, "-c", {SPEND!r}], check=True)
with subprocess.Popen(child, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as living:
    living.stdout.readline()
    print(flush=True)
    input()
    living.communicate(b"\\n")
"""


@pytest.fixture
def parent() -> Iterator[psutil.Process]:
    """A program of which one child has spent its time and ended, and one is still there."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"\n"
        yield psutil.Process(program.pid)
        program.communicate(b"\n")
    assert program.returncode == 0


def test_children_count_whether_they_have_ended_or_not(parent: psutil.Process) -> None:
    (living,) = parent.children()
    # The kernel tells whole hundredths of a second, two figures for a process.
    assert used_s(living) >= SPENT_S - 0.02
    assert used_s(parent) >= 2 * SPENT_S - 0.04
