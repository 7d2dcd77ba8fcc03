"""What lies in the data directory: the cluster, its log, the passwords and the locks.

<data dir>/postgres/             the cluster; it belongs to the user that runs the server
<data dir>/postgres.log          what the server says (one older file: postgres.log.1)
<data dir>/postgres.passwords    JSON, role to password, mode 0600
<data dir>/postgres.start.lock   held while the server is being started or stopped
<data dir>/postgres.users.lock   shared by the programs that use the server
<data dir>/postgres.alive.lock   the same, released last: the guard waits on it
<data dir>/postgres.socket       where the socket is, if not in the cluster
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.db.embedded_errors import EmbeddedError

SUPERUSER = "postgres"
START_TIMEOUT = 300.0
"""Seconds until a live server must accept a connection: recovery after a crash takes its time."""

LOCK_TIMEOUT = START_TIMEOUT + 60.0
"""Seconds to wait for another program that starts or stops the server."""

_PROC = Path("/proc/self")
_ROLES = (SUPERUSER, "iu_owner", "iu_app")
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LOG_LIMIT = 16 * 1024 * 1024
_PAUSE = 0.05


def has_proc() -> bool:
    """Whether the system shows processes and open files below /proc, as Linux does."""
    return (_PROC / "fd").is_dir()


class DataFiles:
    """The paths below one data directory, and the small files in it."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir.expanduser().resolve()
        self.cluster = self.root / "postgres"
        self.log = self.root / "postgres.log"
        self.passwords = self.root / "postgres.passwords"
        self.start_lock = self.root / "postgres.start.lock"
        self.users_lock = self.root / "postgres.users.lock"
        self.alive_lock = self.root / "postgres.alive.lock"
        self.socket_note = self.root / "postgres.socket"

    def prepare(self) -> None:
        """Make the data directory, for its owner only; an existing one is left as it is."""
        # Without /proc the server that root hands to another user has to pass through here.
        mode = 0o700 if has_proc() or os.geteuid() != 0 else 0o711
        self.root.mkdir(mode=mode, parents=True, exist_ok=True)
        for lock in (self.start_lock, self.users_lock, self.alive_lock):
            os.close(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600))

    @property
    def token(self) -> str:
        """A name of this very directory, which the server carries as `cluster_name`.

        It comes from the inode: it survives a rename, and a copy of the data has another one.
        """
        found = self.cluster.stat()
        digest = hashlib.sha256(f"{found.st_dev}:{found.st_ino}".encode()).hexdigest()
        return f"factory-{digest[:16]}"

    def role_password(self, role: str) -> str:
        """The password of `role`, made and kept on first use.

        Refuses (EmbeddedError) a lost password file beside an existing cluster.
        """
        if _ROLE.fullmatch(role) is None:
            raise ValueError(f"not a role name: {role!r}")
        known = self._read_passwords()
        if role not in known:
            self.prepare()
            with held(self.users_lock.with_name("postgres.passwords.lock")):
                known = self._read_passwords()
                for name in (*_ROLES, role):
                    known.setdefault(name, secrets.token_urlsafe(32))
                write_private(self.passwords, json.dumps(known, indent=2) + "\n")
        return known[role]

    def _read_passwords(self) -> dict[str, str]:
        try:
            text = self.passwords.read_text(encoding="utf-8")
        except FileNotFoundError:
            if (self.cluster / "PG_VERSION").exists():
                raise EmbeddedError(
                    f"{self.passwords} is missing, so nobody can log in to {self.cluster}: "
                    "restore it from a backup, or set FACTORY_DATA_DIR to another directory."
                ) from None
            return {}
        try:
            known = json.loads(text)
        except ValueError as error:
            raise EmbeddedError(
                f"{self.passwords} is damaged ({error}): restore it from a backup."
            ) from error
        return {str(role): str(password) for role, password in known.items()}

    def open_log(self) -> int:
        """Open the server's log for appending; a long one is first set aside."""
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT:
            self.log.replace(self.log.with_name("postgres.log.1"))
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` in one step, readable for its owner only."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    making = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        making.replace(path)
    except BaseException:
        making.unlink(missing_ok=True)
        raise


def lock_file(path: Path, operation: int) -> int:
    """Open `path` and flock it; the lock lasts as long as the returned descriptor.

    Raises BlockingIOError at once if LOCK_NB is asked for and somebody else is in the way.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, operation)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold `path` exclusively; refuses (EmbeddedError) if that takes over LOCK_TIMEOUT seconds."""
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            descriptor = lock_file(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"Another program has been starting or stopping the database in {path.parent} "
                    f"for over {LOCK_TIMEOUT:.0f} s: end that program and start again."
                ) from None
            time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)
