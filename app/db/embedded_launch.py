"""Starting the server, and knowing that it has started: when a connection works."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from app.db import embedded_guard
from app.db.embedded_account import Account, server_environment
from app.db.embedded_cluster import PORT, SOCKET_NAME, as_data_directory, server_arguments
from app.db.embedded_errors import EmbeddedError
from app.db.embedded_files import START_TIMEOUT, SUPERUSER, DataFiles
from app.db.embedded_guard import Order
from app.db.embedded_process import is_alive, recorded_pid

_PAUSE = 0.05
_ATTEMPT = 30.0


class Launch:
    """A server that is being started by its guard; used as a context."""

    def __init__(
        self,
        files: DataFiles,
        account: Account,
        program: Path,
        socket_dir: Path,
        options: Mapping[str, str],
    ) -> None:
        settings = server_arguments(files, socket_dir, options)
        # No server of ours runs, so this is a dead one's claim, whose number may be in use again.
        (socket_dir / f"{SOCKET_NAME}.lock").unlink(missing_ok=True)
        self._log_path = files.log
        self._report, report = socket.socketpair()
        log = files.open_log()
        try:
            self._log_start = os.fstat(log).st_size
            with as_data_directory(files.cluster) as (name, descriptors):
                order = Order(
                    data_dir=str(files.root),
                    argv=[str(program), "-D", name, *_as_arguments(settings)],
                    environment=_environment(files),
                    identity=dict(account.identity),
                    pass_fds=list(descriptors),
                    report=report.fileno(),
                )
                # A session of its own: the terminal's Ctrl-C is for the program, which stops the
                # server when its own connections are closed. A guard that fails says so in the
                # log and by closing the socket.
                subprocess.run(  # noqa: S603
                    [sys.executable, "-I", embedded_guard.__file__, json.dumps(order)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=False,
                    cwd="/",
                    pass_fds=(*descriptors, report.fileno()),
                    start_new_session=True,
                )
        except BaseException:
            self._report.close()
            raise
        finally:
            report.close()
            os.close(log)

    def __enter__(self) -> Self:
        """Nothing happens: it has been started."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the guard go on alone."""
        self._report.close()

    def ended(self) -> bool:
        """Whether the server has ended, or was never started."""
        self._report.setblocking(False)
        try:
            return self._report.recv(1) == b""
        except BlockingIOError:
            return False

    def confirm(self) -> None:
        """Tell the guard that the server works, so that from now on it is kept running."""
        self._report.setblocking(True)
        self._report.sendall(b"1")

    def said(self) -> str:
        """What the server wrote to its log since the start."""
        with self._log_path.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode("utf-8", "replace")


def _as_arguments(settings: Mapping[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _environment(files: DataFiles) -> dict[str, str]:
    """The server's environment; tells it of a `postmaster.pid` that is certainly stale.

    The number in it may have gone to an unrelated process, which makes PostgreSQL believe in
    another server. It passes over the number of its grandparent, as pg_ctl tells it, and still
    looks for orphans in the shared memory, which deleting the file would prevent.
    """
    stale = recorded_pid(files)
    if stale is None:
        # Empty: its server died, or the disk was full, while the file was being written.
        (files.cluster / "postmaster.pid").unlink(missing_ok=True)
        return server_environment()
    if not is_alive(stale):
        return server_environment()
    return server_environment({"PG_GRANDPARENT_PID": str(stale)})


def await_connection(files: DataFiles, socket_dir: Path, ended: Callable[[], bool]) -> bool:
    """Wait until a connection works (True) or the server has ended (False).

    Refuses (EmbeddedError) a server that lives on without accepting any, and a password file
    that does not belong to the cluster.
    """
    deadline = time.monotonic() + START_TIMEOUT
    with ThreadPoolExecutor(1) as thread:
        # A thread of its own, because the caller's may be running an event loop.
        while not thread.submit(asyncio.run, _connects(files, socket_dir)).result():
            if ended():
                return False
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"The database server accepts no connection after {START_TIMEOUT:.0f} s: "
                    f"see {files.log}, and start again."
                )
            time.sleep(_PAUSE)
    return True


async def _connects(files: DataFiles, socket_dir: Path) -> bool:
    try:
        connection = await asyncpg.connect(
            host=str(socket_dir),
            port=PORT,
            user=SUPERUSER,
            password=files.role_password(SUPERUSER),
            database="postgres",
            ssl=False,  # a socket has none, whatever PGSSLMODE asks for
            timeout=_ATTEMPT,
        )
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise EmbeddedError(
            f"The password in {files.passwords} does not open the database in "
            f"{files.cluster}: restore the file that belongs to it."
        ) from error
    except asyncpg.TooManyConnectionsError:
        return True  # busy, which is not our question
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
        return False
    except asyncpg.PostgresError as error:
        raise EmbeddedError(
            f"The database server refuses to serve ({error}): see {files.log}."
        ) from error
    await connection.close()
    return True
