"""The cluster on disk: made once, checked before each start, and how its server is configured."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.db.embedded_account import Account, server_environment
from app.db.embedded_errors import EmbeddedError, disk_full, tells_of_full_disk
from app.db.embedded_files import SUPERUSER, DataFiles, has_proc, write_private

PORT = 5432
"""Only a part of the socket's file name: nothing listens on a network."""

SERVER_OPTIONS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
}
"""For a small machine and short statements; durable unless a caller says otherwise."""

# struct sockaddr_un holds 108 bytes on Linux, 104 on macOS and the BSDs, with the final zero.
_SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
SOCKET_NAME = f".s.PGSQL.{PORT}"
"""The file of the socket."""


@contextmanager
def as_data_directory(cluster: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A name for `cluster` that its server's user can follow, and the descriptors it needs.

    On Linux the server is handed an open directory. It then needs no right to enter the
    directories above (a checkout below /root), and no path is too long or oddly spelled for it.
    """
    if not has_proc():
        yield str(cluster), ()
        return
    descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def ensure_cluster(
    files: DataFiles, account: Account, bin_dir: Path, major: int, *, durable: bool
) -> None:
    """Make the cluster if there is none; refuse (EmbeddedError) one of another major version.

    `durable` says that the new files must be on the disk before anything is built on them.
    """
    version_file = files.cluster / "PG_VERSION"
    if version_file.exists():
        found = version_file.read_text(encoding="ascii").strip()
        if found != str(major):
            raise EmbeddedError(
                f"The data in {files.cluster} is PostgreSQL {found}'s and this is PostgreSQL "
                f"{major}: dump it with PostgreSQL {found} (pg_dumpall) and load it into a new "
                "FACTORY_DATA_DIR, or set FACTORY_DATABASE_URL to a running server."
            )
        return
    if files.cluster.exists() and any(files.cluster.iterdir()):
        raise EmbeddedError(
            f"{files.cluster} is not empty and holds no PostgreSQL data: move it, "
            "or set FACTORY_DATA_DIR to another directory."
        )
    _make_cluster(files, account, bin_dir, major, durable=durable)


def _make_cluster(
    files: DataFiles, account: Account, bin_dir: Path, major: int, *, durable: bool
) -> None:
    # Made beside its place and renamed, so that a killed initdb leaves nothing half done.
    making = files.cluster.with_name("postgres.new")
    if making.exists():
        shutil.rmtree(making)
    making.mkdir(mode=0o700)
    account.own(making)
    locale = (
        ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if major >= 17
        else [f"--locale={'C.UTF-8' if sys.platform == 'linux' else 'C'}"]
    )
    with tempfile.TemporaryFile() as secret, as_data_directory(making) as (name, descriptors):
        secret.write(files.role_password(SUPERUSER).encode() + b"\n")
        secret.seek(0)
        account.own(secret.fileno())
        done = subprocess.run(  # noqa: S603
            [
                bin_dir / "initdb",
                *("-D", name),
                *("--username", SUPERUSER),
                f"--pwfile=/dev/fd/{secret.fileno()}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--data-checksums",
                "--no-instructions",
                *([] if durable else ["--no-sync"]),
                *locale,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            cwd="/",
            env=server_environment(),
            pass_fds=(secret.fileno(), *descriptors),
            **account.identity,
        )
    if done.returncode != 0:
        said = done.stdout.decode("utf-8", "replace").strip()
        shutil.rmtree(making, ignore_errors=True)
        if tells_of_full_disk(said):
            raise disk_full(files.root)
        raise EmbeddedError(
            f"A database could not be made in {files.cluster}: {failure_in(said)} "
            "Correct that, or set FACTORY_DATABASE_URL to a running PostgreSQL."
        )
    making.rename(files.cluster)


def failure_in(said: str) -> str:
    """The line of a server's or initdb's output that tells why it failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for marker in ("PANIC:", "FATAL:", "error:", "ERROR:"):
        for line in reversed(lines):
            if marker in line:
                return line[line.index(marker) :]
    return lines[-1] if lines else "it said nothing."


def socket_directory(files: DataFiles, account: Account) -> Path:
    """The directory of the server's socket: entered by the server's user (and root) alone.

    It is the cluster itself, whose mode is 0700. Clients cannot connect to a path that is too
    long for a socket or that holds a comma (which separates hosts in a URL): then it is a
    directory in the system's temporary directory, remembered in the data directory.
    """
    place = str(files.cluster)
    if len(os.fsencode(f"{place}/{SOCKET_NAME}")) <= _SOCKET_PATH_LIMIT and "," not in place:
        return files.cluster
    remembered = remembered_socket_directory(files)
    if remembered is not None and _is_private(remembered, account):
        return remembered
    made = Path(tempfile.mkdtemp(prefix=f"{files.token}-", dir=_temporary()))
    account.own(made)
    write_private(files.socket_note, f"{made}\n")
    return made


def remembered_socket_directory(files: DataFiles) -> Path | None:
    """The short directory that was made for this very cluster, if one was."""
    if not files.socket_note.exists():
        return None
    remembered = Path(files.socket_note.read_text(encoding="utf-8").strip())
    # A copied data directory brings the original's note along; its cluster has another token.
    return remembered if remembered.name.startswith(f"{files.token}-") else None


def forget_socket_directory(files: DataFiles) -> None:
    """Remove the short directory of a stopped server."""
    remembered = remembered_socket_directory(files)
    if remembered is None:
        return
    files.socket_note.unlink()
    shutil.rmtree(remembered, ignore_errors=True)


def _is_private(directory: Path, account: Account) -> bool:
    if directory.is_symlink() or not directory.is_dir():
        return False
    found = directory.stat()
    return found.st_uid == account.uid and found.st_mode & 0o077 == 0


def _temporary() -> Path:
    # Not TMPDIR where it can be helped: it may be long, or closed to the server's user.
    shared = Path("/tmp")  # noqa: S108 - the directory made in it is private and randomly named
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def server_arguments(
    files: DataFiles, socket_dir: Path, options: Mapping[str, str]
) -> dict[str, str]:
    """All settings of the server's command line; `options` come before the defaults."""
    return {
        **SERVER_OPTIONS,
        **options,
        "listen_addresses": "",
        "port": str(PORT),
        # Relative to the cluster, in which the server runs: that fits whatever the path is.
        "unix_socket_directories": "." if socket_dir == files.cluster else str(socket_dir),
        "unix_socket_permissions": "0700",
        "cluster_name": files.token,
    }
