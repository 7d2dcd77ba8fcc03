"""What is made once in a run, by the first of its workers, and shared by all of them."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Keep every other worker out of the block that has the same lock."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def once(thing: Path) -> Iterator[bool]:
    """Whether to make `thing`: nobody has yet, and everybody else waits until this block ends.

    A block that fails leaves it to the next worker, who may find half of it there.
    """
    ready = thing.with_name(f"{thing.name}.ready")
    with alone(thing.with_name(f"{thing.name}.lock")):
        if ready.exists():
            yield False
        else:
            yield True
            ready.touch()
