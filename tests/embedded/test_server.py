"""One program and its server: what it is, where it lies, who gets in."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest

from app.db.embedded import EmbeddedPostgres
from tests.embedded.helpers import Start, guard_of, lives, postmaster, wait_until
from tests.embedded.programs import Run


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def ask(url: str, query: str) -> object:
    return asyncio.run(fetch(url, query))


def psql(server: EmbeddedPostgres, query: str) -> str:
    """Ask through libpq, with the program that comes with the server."""
    done = subprocess.run(
        [server.bin_dir / "psql", "-XAtc", query, server.superuser_url],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_started_means_that_a_connection_works(start: Start, data_dir: Path) -> None:
    server = start()
    assert ask(server.superuser_url, "SELECT 40 + 2") == 42
    assert psql(server, "SHOW server_version").startswith(server.version)
    assert server.started
    assert server.data_dir == data_dir


def test_stopping_ends_the_server_and_its_guard(start: Start, data_dir: Path) -> None:
    server = start()
    pid = postmaster(data_dir)
    guard = guard_of(pid)
    assert lives(pid)
    assert lives(guard)
    server.stop()
    assert not lives(pid)
    wait_until(lambda: not lives(guard), "the guard has not ended")
    assert not server.started
    server.stop()  # a second time does nothing
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = server.superuser_url


def test_starting_twice_is_starting_once(start: Start, data_dir: Path) -> None:
    server = start()
    pid = postmaster(data_dir)
    server.start()
    assert postmaster(data_dir) == pid
    server.stop()
    assert not lives(pid)


def test_the_next_start_finds_the_data(start: Start, data_dir: Path) -> None:
    first = start()
    ask(first.superuser_url, "CREATE TABLE kept AS SELECT 'so it is' AS what")
    password = first.role_password("iu_owner")
    first.stop()
    second = start()
    assert ask(second.superuser_url, "SELECT what FROM kept") == "so it is"
    assert second.role_password("iu_owner") == password


def test_it_can_be_started_and_stopped_inside_an_event_loop(start: Start) -> None:
    async def story() -> object:
        server = start(anew=True)
        answer = await fetch(server.superuser_url, "SELECT 'fine'")
        server.stop()
        return answer

    assert asyncio.run(story()) == "fine"


def test_the_defaults_are_durable_local_and_the_same_everywhere(
    start: Start, bin_dir: Path | None
) -> None:
    server = start(anew=True, options={"fsync": "on", "work_mem": "7MB"})
    shown = {
        name: ask(server.superuser_url, f"SHOW {name}")
        for name in (
            *("fsync", "synchronous_commit", "full_page_writes", "data_checksums"),
            *("listen_addresses", "server_encoding", "timezone", "password_encryption"),
            *("max_connections", "work_mem", "lc_messages"),
        )
    }
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "password_encryption": "scram-sha-256",
        "max_connections": "100",
        "work_mem": "7MB",
        "lc_messages": "C" if int(server.version.split(".")[0]) >= 17 else "C.UTF-8",
    }
    # Code points decide the order and case works beyond ASCII, whatever the machine's locale is.
    ordered = "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,a,B,ä,Z}'::text[]) AS x"
    assert ask(server.superuser_url, ordered) == "BZabä"
    assert ask(server.superuser_url, "SELECT upper('äx')") == "ÄX"


def test_the_environment_of_the_program_does_not_disturb_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturbing = {
        "PGDATA": "/nowhere",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGPASSWORD": "wrong",
        "PGHOST": "nowhere.invalid",
        "PGSSLMODE": "verify-full",
        "PGOPTIONS": "-c nonsense=1",
        "NOTIFY_SOCKET": "/nowhere",
        "LC_ALL": "de_DE.UTF-8",
        "TZ": "Asia/Kathmandu",
    }
    with monkeypatch.context() as disturbed:
        for name, value in disturbing.items():
            disturbed.setenv(name, value)
        server = start(anew=True)
    assert ask(server.superuser_url, "SHOW log_timezone") == "UTC"


@pytest.mark.parametrize(
    "name", ["-c with space, quo'te\"s", "50%41 & $HOME;#?=", "größe-数据 a\\b"]
)
def test_any_name_of_a_directory_works(start: Start, tmp_path: Path, name: str) -> None:
    server = start(tmp_path / name / "var", anew=True)
    assert ask(server.superuser_url, "SELECT 'asyncpg'") == "asyncpg"
    assert psql(server, "SELECT 'libpq'") == "libpq"
    server.stop()


@pytest.mark.parametrize("length", [300, 1500])
def test_a_long_path_works(start: Start, tmp_path: Path, length: int) -> None:
    directory = tmp_path
    while len(str(directory)) < length:
        directory /= "a-directory-whose-name-is-long"
    server = start(directory, anew=True)
    assert psql(server, "SELECT 'libpq'") == "libpq"
    socket_dir = Path((directory / "postgres.socket").read_text().strip())
    assert len(str(socket_dir)) < 80
    assert mode(socket_dir) == 0o700
    assert socket_dir.stat().st_uid == (directory / "postgres").stat().st_uid
    second = start(directory)  # finds the same place
    assert second.superuser_url == server.superuser_url
    second.stop()
    server.stop()
    assert not socket_dir.exists()
    assert not (directory / "postgres.socket").exists()


def test_a_short_socket_directory_that_is_not_ours_is_not_used(
    start: Start, tmp_path: Path
) -> None:
    directory = tmp_path / ("long-" * 40)
    server = start(directory)
    socket_dir = Path((directory / "postgres.socket").read_text().strip())
    server.stop()
    try:
        socket_dir.mkdir(mode=0o755)  # anybody's, by its mode
        (directory / "postgres.socket").write_text(f"{socket_dir}\n")
        again = start(directory)
        used = Path((directory / "postgres.socket").read_text().strip())
        assert used != socket_dir
        assert mode(used) == 0o700
        again.stop()
    finally:
        socket_dir.rmdir()


def test_a_copy_of_the_data_is_a_database_of_its_own(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / ("long-" * 40)
    server = start(directory)
    ask(server.superuser_url, "CREATE TABLE kept AS SELECT 1 AS n")
    server.stop()
    copy = tmp_path / ("copy-" * 40)
    shutil.copytree(directory, copy, symlinks=True)
    owner = (directory / "postgres").stat()
    if owner.st_uid != os.geteuid():
        for path in (copy / "postgres", *(copy / "postgres").rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
    first, second = start(directory), start(copy)
    ask(second.superuser_url, "DROP TABLE kept")
    assert ask(first.superuser_url, "SELECT n FROM kept") == 1
    first.stop()
    second.stop()


def test_nobody_gets_in_without_the_password(start: Start, data_dir: Path) -> None:
    server = start()
    place = str(data_dir / "postgres")
    if len(place) > 90:
        place = (data_dir / "postgres.socket").read_text().strip()

    async def connect(password: str) -> None:
        connection = await asyncpg.connect(
            host=place, port=5432, user="postgres", database="postgres", password=password
        )
        await connection.close()

    for password in ("", "postgres", server.role_password("iu_app")):
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(connect(password))
    asyncio.run(connect(server.role_password("postgres")))
    methods = "SELECT array_agg(DISTINCT auth_method) FROM pg_hba_file_rules"
    assert ask(server.superuser_url, methods) == ["scram-sha-256"]


def test_every_role_has_a_password_of_its_own(start: Start, data_dir: Path) -> None:
    server = start()
    roles = ("postgres", "iu_owner", "iu_app", "iu_reader")
    passwords = {server.role_password(role) for role in roles}
    assert len(passwords) == len(roles)
    assert min(map(len, passwords)) >= 40
    same = EmbeddedPostgres(data_dir)
    assert {same.role_password(role) for role in roles} == passwords
    with pytest.raises(ValueError, match="not a role name"):
        server.role_password("iu_app; DROP")


def test_what_lies_in_the_data_directory_is_for_its_owner_only(
    start: Start, data_dir: Path
) -> None:
    old = os.umask(0)
    try:
        start(anew=True)
    finally:
        os.umask(old)
    assert mode(data_dir) == 0o700
    assert mode(data_dir / "postgres") == 0o700
    files = {path.name: mode(path) for path in data_dir.iterdir() if path.is_file()}
    assert files.keys() >= {"postgres.log", "postgres.passwords", "postgres.users.lock"}
    assert set(files.values()) == {0o600}


def test_a_data_directory_that_exists_keeps_its_mode(start: Start, data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o750)
    start()
    assert mode(data_dir) == 0o750


def test_a_long_log_is_set_aside(
    start: Start, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start().stop()
    monkeypatch.setattr("app.db.embedded_files._LOG_LIMIT", 10)
    first = (data_dir / "postgres.log").read_text()
    start()
    assert (data_dir / "postgres.log.1").read_text() == first
    assert first not in (data_dir / "postgres.log").read_text()


def test_ctrl_c_reaches_the_program_and_not_its_server(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    pid = postmaster(data_dir)
    os.killpg(program.process.pid, signal.SIGINT)  # what a terminal does
    assert program.hear() == {"interrupted": "still there"}
    assert program.hear() == {"stopped": True}
    assert program.process.wait(60) == 0
    assert not lives(pid)


def test_sigterm_stops_the_program_and_then_the_server(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    pid = postmaster(data_dir)
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(60) == 0
    assert not lives(pid)
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_the_server_ends_with_a_data_directory_that_was_removed(
    start: Start, data_dir: Path
) -> None:
    server = start()
    pid = postmaster(data_dir)
    guard = guard_of(pid)
    shutil.rmtree(data_dir)
    server.stop()
    wait_until(lambda: not lives(pid), "the server still runs")
    wait_until(lambda: not lives(guard), "its guard still runs")
    assert not data_dir.exists()
