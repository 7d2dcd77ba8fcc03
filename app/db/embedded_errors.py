"""What the embedded server says when it cannot run: one line that tells what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)
_NOT_A_DIRECTORY = (errno.ENOTDIR, errno.EEXIST)


_DISK_FULL_SAID = ("No space left on device", "Check free disk space", "Disk quota exceeded")


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used; the message is one line and names the remedy."""


def disk_full(place: Path) -> EmbeddedError:
    """The refusal for a full disk or an exhausted quota at `place`."""
    return EmbeddedError(
        f"The disk that holds {place} is full: make room, "
        "or set FACTORY_DATA_DIR to a directory on another disk."
    )


def tells_of_full_disk(said: str) -> bool:
    """Whether a PostgreSQL program failed, by its output, for want of space."""
    return any(words in said for words in _DISK_FULL_SAID)


@contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Turn what the operating system refuses inside `data_dir` into an EmbeddedError.

    Only causes that a user can remedy are translated; any other OSError passes through.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise disk_full(data_dir) from error
        if error.errno in _NOT_WRITABLE:
            raise EmbeddedError(
                f"The data directory {data_dir} cannot be written by this user "
                f"({error.strerror}: {error.filename or data_dir}): "
                "correct its owner, or set FACTORY_DATA_DIR to a directory of your own."
            ) from error
        if error.errno in _NO_LOCKS:
            raise EmbeddedError(
                f"The file system of {data_dir} has no file locks: "
                "set FACTORY_DATA_DIR to a directory on a local disk."
            ) from error
        if error.errno in _NOT_A_DIRECTORY:
            raise EmbeddedError(
                f"{error.filename or data_dir} is in the way of the data directory {data_dir}: "
                "move it, or set FACTORY_DATA_DIR to another directory."
            ) from error
        raise
