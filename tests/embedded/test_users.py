"""Root and ordinary users: root's server is not root's, and no other user gets in."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db import embedded_account, embedded_binaries, embedded_files
from app.db.embedded import EmbeddedError
from app.db.embedded_binaries import packaged_bin_dir, reachable_bin_dir
from tests.embedded.helpers import Start, lives, postmaster
from tests.embedded.programs import Run
from tests.support.commands import ROOT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody may enter, unlike those that pytest makes."""
    place = Path(tempfile.mkdtemp(prefix="factory-test-", dir="/tmp"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


def test_the_server_never_runs_as_root(start: Start, data_dir: Path) -> None:
    start(anew=True)
    uid = uid_of(postmaster(data_dir))
    assert uid != 0
    assert uid == (data_dir / "postgres").stat().st_uid
    if os.geteuid() != 0:
        assert uid == os.geteuid()


@as_root
def test_root_needs_no_open_directories_above(start: Start, tmp_path: Path) -> None:
    closed = tmp_path / "root" / "checkout"
    closed.mkdir(parents=True)
    (tmp_path / "root").chmod(0o700)
    closed.chmod(0o700)
    server = start(closed / "var", anew=True)
    assert uid_of(postmaster(closed / "var")) != 0
    for directory in (tmp_path / "root", closed, closed / "var"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert directory.stat().st_uid == 0
    server.stop()


@as_root
def test_root_keeps_to_the_owner_of_an_existing_database(start: Start, data_dir: Path) -> None:
    start().stop()
    daemon = pwd.getpwnam("daemon")
    cluster = data_dir / "postgres"
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, daemon.pw_uid, daemon.pw_gid, follow_symlinks=False)
    server = start()
    assert uid_of(postmaster(data_dir)) == daemon.pw_uid
    server.stop()


@as_root
def test_a_database_that_was_given_to_root_is_refused(start: Start, data_dir: Path) -> None:
    start().stop()
    os.chown(data_dir / "postgres", 0, 0)
    with pytest.raises(EmbeddedError) as caught:
        start()
    assert str(caught.value) == (
        f"The database in {data_dir}/postgres belongs to root, as whom PostgreSQL does not run: "
        f"give it back (chown -R postgres '{data_dir}/postgres'), or set FACTORY_DATA_DIR."
    )


@as_root
def test_root_takes_nobody_where_there_is_no_postgres(
    start: Start, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_account, "_UNPRIVILEGED", ("no-such-user", "nobody"))
    server = start(anew=True)
    assert uid_of(postmaster(data_dir)) == pwd.getpwnam("nobody").pw_uid
    server.stop()


@as_root
def test_root_without_any_unprivileged_user_is_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_account, "_UNPRIVILEGED", ("no-such-user",))
    with pytest.raises(EmbeddedError) as caught:
        start(anew=True)
    assert str(caught.value) == (
        "PostgreSQL does not run as root and this machine has neither a user postgres nor "
        "nobody: run as an ordinary user, or set FACTORY_DATABASE_URL."
    )


@as_root
def test_another_user_of_the_machine_does_not_get_in(start: Start, open_place: Path) -> None:
    data_dir = open_place / "var"
    data_dir.mkdir(mode=0o755)
    server = start(data_dir)
    other = pwd.getpwnam("daemon").pw_uid
    done = subprocess.run(
        [shutil.which("psql") or server.bin_dir / "psql", "-Xc", "SELECT 1", server.superuser_url],
        capture_output=True,
        text=True,
        check=False,
        user=other,
        cwd="/",
    )
    assert done.returncode == 2  # even with the password in hand
    assert "Permission denied" in done.stderr
    for name in ("postgres.passwords", "postgres.log", "postgres/PG_VERSION"):
        read = subprocess.run(
            ["cat", data_dir / name], capture_output=True, check=False, user=other, cwd="/"
        )
        assert b"Permission denied" in read.stderr, name
    server.stop()


def test_a_system_without_proc_and_pidfd_runs_the_server_too(
    start: Start, open_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS; the guard, a program of its own, still sees this machine as it is."""
    if shutil.which("ps") is None:
        pytest.skip("needs ps")
    monkeypatch.setattr(embedded_files, "_PROC", open_place / "no-proc")
    monkeypatch.delattr(os, "pidfd_open")
    data_dir = open_place / "va'r"
    first = start(data_dir, anew=True)
    pid = postmaster(data_dir)
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert arguments[2] == str(data_dir / "postgres").encode()
    second = start(data_dir)
    assert postmaster(data_dir) == pid
    second.stop()
    assert lives(pid)
    first.stop()
    assert not lives(pid)


@pytest.fixture
def ordinary() -> dict[str, Any]:
    """How to run a program as `nobody`: with a Python that this user can reach too."""
    nobody = pwd.getpwnam("nobody")
    identity: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    path = {"PYTHONPATH": f"{ROOT}:{sysconfig.get_path('platlib')}"}
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, shutil.which(version, path="/usr/bin:/usr/local/bin")):
        if python is None:
            continue
        try:
            done = subprocess.run(
                [python, "-c", "import app.db.embedded"], check=False, env=path, cwd="/", **identity
            )
        except PermissionError:
            continue
        if done.returncode == 0:
            return {**identity, "python": python, "env": path}
    pytest.skip("the checkout, or every Python, is closed to ordinary users")


@as_root
def test_an_ordinary_user_runs_the_server_too(
    run: Run, start: Start, open_place: Path, ordinary: dict[str, Any]
) -> None:
    uid = ordinary["user"]
    home = open_place / "home"
    home.mkdir(mode=0o700)
    os.chown(home, uid, ordinary["group"])
    program = run(home / "var", **ordinary)
    assert "url" in program.hear()
    pid = postmaster(home / "var")
    assert uid_of(pid) == uid
    assert program.ask("SELECT 7") == "7"
    program.leave()
    assert not lives(pid)
    # Root comes afterwards, and then the user again: each finds what the other left.
    server = start(home / "var")
    assert uid_of(postmaster(home / "var")) == uid
    server.stop()
    again = run(home / "var", **ordinary)
    again.hear()
    again.leave()


@as_root
def test_an_ordinary_user_in_a_directory_of_root_is_told(
    run: Run, open_place: Path, ordinary: dict[str, Any]
) -> None:
    directory = open_place / "of-root"
    directory.mkdir(mode=0o755)
    program = run(directory / "var", **ordinary)
    assert program.hear() == {
        "refused": f"The data directory {directory}/var cannot be written by this user "
        f"(Permission denied: {directory}/var): correct its owner, "
        "or set FACTORY_DATA_DIR to a directory of your own."
    }
    assert program.process.wait(60) == 3


@as_root
def test_an_ordinary_user_on_the_data_of_root_is_told(
    run: Run, start: Start, open_place: Path, ordinary: dict[str, Any]
) -> None:
    data_dir = open_place / "var"
    data_dir.mkdir(mode=0o755)
    start(data_dir).stop()
    program = run(data_dir, **ordinary)
    assert program.hear() == {
        "refused": f"The data directory {data_dir} cannot be written by this user "
        f"(Permission denied: {data_dir}/postgres.start.lock): correct its owner, "
        "or set FACTORY_DATA_DIR to a directory of your own."
    }


@pytest.fixture
def closed_bin_dir(tmp_path: Path) -> Path:
    """The packaged PostgreSQL as in a checkout below /root: nobody else can run it."""
    package = packaged_bin_dir().parents[1]
    site = tmp_path / "site-packages"
    install = packaged_bin_dir().parent
    for part in ("bin", "lib", "share"):
        shutil.copytree(install / part, site / package.name / install.name / part, symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), site / f"{package.name}.libs")
    site.chmod(0o700)
    return site / package.name / install.name / "bin"


@as_root
def test_binaries_that_only_root_can_reach_are_copied_once(
    start: Start,
    tmp_path: Path,
    open_place: Path,
    closed_bin_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(embedded_binaries, "_RUNTIME_PARENTS", (open_place,))
    server = start(bin_dir=closed_bin_dir)
    assert server.bin_dir == closed_bin_dir
    program = Path(f"/proc/{postmaster(tmp_path / 'var')}/exe").readlink()
    (copy,) = open_place.iterdir()
    assert copy.name.startswith("product-factory-postgresql-")
    assert program.is_relative_to(copy)
    writable = [path for path in copy.rglob("*") if path.lstat().st_mode & 0o022]
    assert [path for path in writable if not path.is_symlink()] == []
    server.stop()
    made = copy.stat().st_ino
    start(tmp_path / "second", bin_dir=closed_bin_dir).stop()
    (copy,) = open_place.iterdir()
    assert copy.stat().st_ino == made


@pytest.fixture
def closed_programs(tmp_path: Path) -> Path:
    """The same with programs that are none: as good where only their copy is looked at."""
    install = tmp_path / "site-packages" / "package" / "install"
    for part in ("bin", "lib", "share"):
        (install / part).mkdir(parents=True)
    for name in embedded_binaries.SERVER_PROGRAMS:
        (install / "bin" / name).write_text("#!/bin/sh\n")
        (install / "bin" / name).chmod(0o755)
    (tmp_path / "site-packages").chmod(0o700)
    return install / "bin"


@as_root
@pytest.mark.parametrize("trap", ["of another user", "writable", "link"])
def test_a_copy_that_root_did_not_make_is_refused(
    data_dir: Path,
    open_place: Path,
    closed_programs: Path,
    monkeypatch: pytest.MonkeyPatch,
    trap: str,
) -> None:
    monkeypatch.setattr(embedded_binaries, "_RUNTIME_PARENTS", (open_place,))
    account = embedded_account.choose_account(data_dir / "postgres")
    copy = reachable_bin_dir(closed_programs, account).parents[2]
    assert copy.parent == open_place
    if trap == "of another user":
        os.chown(copy, 1, 1)
    elif trap == "writable":
        copy.chmod(0o777)
    else:
        copy.rename(open_place / "elsewhere")
        copy.symlink_to(open_place / "elsewhere")
    with pytest.raises(EmbeddedError) as caught:
        reachable_bin_dir(closed_programs, account)
    assert str(caught.value) == f"{copy} was not made by root: remove it and start again."


@as_root
def test_two_programs_that_copy_at_once_share_the_copy(
    data_dir: Path, open_place: Path, closed_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_binaries, "_RUNTIME_PARENTS", (open_place,))
    account = embedded_account.choose_account(data_dir / "postgres")
    first = reachable_bin_dir(closed_programs, account)
    seen = iter([False])
    monkeypatch.setattr(os.path, "lexists", lambda path: next(seen))
    assert reachable_bin_dir(closed_programs, account) == first
    assert list(open_place.iterdir()) == [first.parents[2]]


@as_root
def test_a_machine_without_a_place_for_the_copy_is_told(
    data_dir: Path, tmp_path: Path, closed_programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_binaries, "_RUNTIME_PARENTS", (tmp_path / "none",))
    account = embedded_account.choose_account(data_dir / "postgres")
    with pytest.raises(EmbeddedError) as caught:
        reachable_bin_dir(closed_programs, account)
    assert str(caught.value) == (
        f"An unprivileged user cannot run the PostgreSQL in {closed_programs}, and there is no "
        f"place for a copy in {tmp_path}/none: run as an ordinary user."
    )


@as_root
def test_binaries_that_cannot_be_copied_are_refused(data_dir: Path, tmp_path: Path) -> None:
    programs = tmp_path / "usr" / "bin"  # laid out as a distribution does it
    programs.mkdir(parents=True)
    tmp_path.chmod(0o700)
    account = embedded_account.choose_account(data_dir / "postgres")
    with pytest.raises(EmbeddedError) as caught:
        reachable_bin_dir(programs, account)
    assert str(caught.value) == (
        f"An unprivileged user cannot run the PostgreSQL in {programs}: make it readable "
        "for everyone, or run as an ordinary user."
    )
