"""The PostgreSQL that the program brings along, behind one class.

    with EmbeddedPostgres(Path("./var")) as server:
        connect(server.url("iu_app", "factory"))

Several programs may use one data directory at a time: the first starts the server, the last
stops it. If that one is killed the server's guard stops it, and if the server is killed the guard
starts it again (see `embedded_guard`). Users are counted by flock, which the kernel releases
however a program ends. Nothing listens on a network:
the only way in is a socket that other users of the machine cannot reach, with a password.

What the binaries need is in `embedded_binaries`, the cluster in `embedded_cluster`, the files in
`embedded_files`, the start in `embedded_launch`, the process in `embedded_process`, its system
user in `embedded_account`.
"""

import contextlib
import fcntl
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NoReturn, Self
from urllib.parse import quote

from app.db.embedded_account import Account, choose_account
from app.db.embedded_binaries import packaged_bin_dir, reachable_bin_dir, server_version
from app.db.embedded_cluster import (
    PORT,
    ensure_cluster,
    failure_in,
    forget_socket_directory,
    socket_directory,
)
from app.db.embedded_errors import EmbeddedError, disk_full, explained, tells_of_full_disk
from app.db.embedded_files import SUPERUSER, DataFiles, held, lock_file
from app.db.embedded_launch import Launch, await_connection
from app.db.embedded_process import ServerProcess

__all__ = ["EmbeddedError", "EmbeddedPostgres"]

LEFTOVER_TIMEOUT = 60.0
"""Seconds until the orphaned processes of a killed server must be gone."""

STOP_TIMEOUT = 60.0
"""Seconds for an orderly shutdown; after that it is cut short and the next start recovers."""

_PAUSE = 0.05
_OPTION = re.compile(r"[a-z_][a-z0-9_.]*")
_NO_OPTIONS: Mapping[str, str] = MappingProxyType({})


class EmbeddedPostgres:
    """One program's use of the PostgreSQL server of a data directory.

    Takes the data directory, optionally the `bin` directory of another PostgreSQL (15 or newer)
    and server settings that replace the defaults; settings of a server that already runs stay as
    they are. An instance belongs to one program and is not carried across a fork.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        bin_dir: Path | None = None,
        options: Mapping[str, str] = _NO_OPTIONS,
    ) -> None:
        for option in options:
            if _OPTION.fullmatch(option) is None:
                raise ValueError(f"not a server setting: {option!r}")
        self._files = DataFiles(data_dir)
        self._options = dict(options)
        self._bin_dir = packaged_bin_dir() if bin_dir is None else bin_dir
        self._major, self._version = server_version(self._bin_dir)
        self._users: int | None = None
        self._alive: int | None = None
        self._socket_dir: Path | None = None

    @property
    def data_dir(self) -> Path:
        """The data directory, absolute."""
        return self._files.root

    @property
    def bin_dir(self) -> Path:
        """Where psql, pg_dump and the other programs of this PostgreSQL lie."""
        return self._bin_dir

    @property
    def version(self) -> str:
        """The server's version, such as `18.4`."""
        return self._version

    @property
    def log_path(self) -> Path:
        """The file to which the server writes what happens to it."""
        return self._files.log

    @property
    def started(self) -> bool:
        """Whether this program uses the server at present."""
        return self._users is not None

    @property
    def superuser_url(self) -> str:
        """The URL for the superuser, connected to the database `postgres`."""
        return self.url(SUPERUSER, "postgres")

    def url(self, user: str, database: str) -> str:
        """A `postgresql://` URL, with password, that libpq and asyncpg understand.

        Only while the server is in use by this program (RuntimeError otherwise).
        """
        if self._socket_dir is None:
            raise RuntimeError("the embedded server has not been started")
        password = quote(self.role_password(user), safe="")
        host = quote(str(self._socket_dir), safe="/")
        return (
            f"postgresql://{quote(user, safe='')}:{password}@/{quote(database, safe='')}"
            f"?host={host}&port={PORT}"
        )

    def role_password(self, role: str) -> str:
        """The password kept for `role` in the data directory, made on first use.

        Whoever creates the role gives it this password; the superuser has it from the start.
        """
        with explained(self._files.root):
            return self._files.role_password(role)

    def start(self) -> None:
        """Use the server; start it, and make the database, where that has not been done.

        Answers once a connection works. Refuses with EmbeddedError, whose message is one line
        that says what to do. A second call does nothing.
        """
        if self.started:
            return
        with explained(self._files.root):
            self._files.prepare()
            account = choose_account(self._files.cluster)
            with held(self._files.start_lock):
                self._join()
                try:
                    bin_dir = reachable_bin_dir(self._bin_dir, account)
                    durable = self._options.get("fsync") != "off"
                    ensure_cluster(self._files, account, bin_dir, self._major, durable=durable)
                    socket_dir = socket_directory(self._files, account)
                    self._socket_dir = socket_dir
                    self._ensure_running(account, bin_dir, socket_dir)
                except BaseException:
                    self._leave()
                    raise

    def stop(self) -> None:
        """Stop using the server; the last program that does so stops it and waits for its end."""
        if not self.started:
            return
        with explained(self._files.root), contextlib.ExitStack() as stack:
            # Where even the lock cannot be had we still let go, and the guard does the rest.
            stack.callback(self._release)
            if self._files.root.exists():
                stack.enter_context(held(self._files.start_lock))
                self._leave()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop using it."""
        self.stop()

    # Called with the start lock held.

    def _join(self) -> None:
        self._users = lock_file(self._files.users_lock, fcntl.LOCK_SH)
        self._alive = lock_file(self._files.alive_lock, fcntl.LOCK_SH)

    def _release(self) -> None:
        for descriptor in (self._users, self._alive):
            if descriptor is not None:
                os.close(descriptor)
        self._users = self._alive = self._socket_dir = None

    def _leave(self) -> None:
        if self._users is None:
            return
        try:
            # The guard keeps off as long as the other lock, `alive`, is ours.
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._release()
            return
        try:
            server = ServerProcess.find(self._files)
            if server is not None:
                with contextlib.closing(server):
                    self._shut_down(server)
            forget_socket_directory(self._files)
        finally:
            self._release()

    def _shut_down(self, server: ServerProcess) -> None:
        server.signal(signal.SIGINT)
        if server.wait(STOP_TIMEOUT):
            return
        server.signal(signal.SIGQUIT)
        if not server.wait(STOP_TIMEOUT):
            raise EmbeddedError(
                f"The database server (process {server.pid}) does not stop: see {self.log_path}."
            )

    def _ensure_running(self, account: Account, bin_dir: Path, socket_dir: Path) -> None:
        leftovers = time.monotonic() + LEFTOVER_TIMEOUT
        while True:
            found = ServerProcess.find(self._files)
            if found is not None:
                with contextlib.closing(found):
                    if await_connection(self._files, socket_dir, found.ended):
                        return
                # It was being stopped: by a guard, or because its program was killed meanwhile.
                continue
            program = bin_dir / "postgres"
            with Launch(self._files, account, program, socket_dir, self._options) as launch:
                if await_connection(self._files, socket_dir, launch.ended):
                    launch.confirm()
                    return
                said = launch.said()
            if self._running():
                continue  # the server of a program that was killed while it started it
            if "pre-existing shared memory block" in said and time.monotonic() < leftovers:
                # The server was killed and its processes are still noticing.
                time.sleep(_PAUSE)
                continue
            self._explain_failure(said)

    def _running(self) -> bool:
        found = ServerProcess.find(self._files)
        if found is None:
            return False
        found.close()
        return True

    def _explain_failure(self, said: str) -> NoReturn:
        if "pre-existing shared memory block" in said:
            raise EmbeddedError(
                f"A PostgreSQL server that this program did not start uses {self._files.cluster}: "
                f"stop it (pg_ctl stop -D '{self._files.cluster}') and start again."
            )
        if tells_of_full_disk(said):
            raise disk_full(self._files.root)
        raise EmbeddedError(
            f"The database server did not start: {failure_in(said)} "
            f"The whole story is in {self.log_path}."
        )
