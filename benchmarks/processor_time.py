"""Processor time that programs have used, user and system, as the kernel counts it.

It says what a thing costs also where others share the cores: who waits for a core uses none.
"""

import psutil


def used_s(program: psutil.Process) -> float:
    """Seconds of a process, its children, and those of its children that have ended."""
    seconds = 0.0
    for child in program.children():
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # the parent has its time by now
        seconds += times.user + times.system
    times = program.cpu_times()
    return float(seconds + times.user + times.system + times.children_user + times.children_system)
