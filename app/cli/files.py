"""Files that commands write."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import typer

_NEW = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there as soon as the block has ended, and whole: not before, and else never.

    Until then it is `.NAME.part` beside it. One whose writer was killed is taken over by the next.
    Raises typer.BadParameter where it can't be written, or is there: before the block, if it can.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, _NEW, 0o666), "wb") as file:
            if not _is_ours(file, part):
                raise typer.BadParameter(f"{path} can't be written: somebody else is writing it")
            try:
                _refuse_existing(path)
                file.truncate()
                yield file
                file.flush()
                os.fsync(file.fileno())
                # Every file system can do this, and who has made it meanwhile keeps theirs.
                path.open("xb").close()
                part.replace(path)
            except BaseException:
                part.unlink()
                raise
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be written: {error.strerror}") from error


def _is_ours(file: BinaryIO, part: Path) -> bool:
    """Whether nobody else writes it; one who did may have taken it away before it could be had."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
