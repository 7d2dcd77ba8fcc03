"""Files that commands write, and directories they work in: of what was killed nothing stays."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import typer

from app.stopping import unstoppable

_LOCK = "program.lock"
_REMOVED_WITHIN_S = 30.0
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
            if not _is_ours(file.fileno(), part):
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


@contextlib.contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """A temporary directory that is gone after the block; signals wait while it is removed.

    Removes those of the prefix, too, whose programs were killed: nobody holds their locks.
    """
    _remove_what_was_left(prefix)
    while True:
        directory = Path(tempfile.mkdtemp(prefix=prefix))
        with contextlib.suppress(FileNotFoundError):
            (directory / _LOCK).touch(exist_ok=False)
            lock = _locked(directory)
            if lock is not None:
                break
        # Another program took it for one that was left.
    try:
        yield directory
    finally:
        with unstoppable():
            _remove(directory)
            os.close(lock)


def _remove_what_was_left(prefix: str) -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        # What is somebody else's, or just going, is left to them.
        with contextlib.suppress(OSError):
            if directory.lstat().st_uid != os.geteuid() or directory.is_symlink():
                continue
            lock = _locked(directory)
            if lock is not None:
                try:
                    _remove(directory)
                finally:
                    os.close(lock)


def _locked(directory: Path) -> int | None:
    """What holds the directory until it is closed, or its process ends; None: another one does.

    Raises OSError where it has no lock, or one that can't be had.
    """
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    try:
        is_ours = _is_ours(lock, directory / _LOCK)
    except BaseException:
        os.close(lock)
        raise
    if is_ours:
        return lock
    os.close(lock)
    return None


def _remove(directory: Path) -> None:
    # A server whose start was interrupted is ended by its guard, which takes it a moment.
    deadline = time.monotonic() + _REMOVED_WITHIN_S
    while True:
        try:
            shutil.rmtree(directory)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _is_ours(descriptor: int, path: Path) -> bool:
    """Lock a file; whether nobody else has, or had it and took it away before it could be had."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
