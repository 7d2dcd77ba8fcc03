"""Several programs on one data directory, and programs and servers that are killed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.embedded.helpers import Start, guard_of, kill, lives, postmaster, wait_until
from tests.embedded.programs import Run


@pytest.fixture
def bystander(start: Start, data_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """An unrelated process of the very user that runs the server, whose database exists."""
    start().stop()
    owner = (data_dir / "postgres").stat().st_uid
    process = subprocess.Popen(["sleep", "600"], user=None if owner == os.geteuid() else owner)
    yield process
    process.kill()
    process.wait()


CLAIMS = ("postmaster.pid", ".s.PGSQL.5432.lock")


def left_behind(data_dir: Path, pid: int, claims: tuple[str, ...] = CLAIMS) -> None:
    """Write what a power cut leaves: claims whose number belongs to `pid` by now."""
    cluster = data_dir / "postgres"
    owner = cluster.stat()
    for name in claims:
        claim = cluster / name
        claim.write_text(
            f"{pid}\n{cluster}\n1700000000\n5432\n.\n\n 16040107         1\nready   \n"
        )
        os.chown(claim, owner.st_uid, owner.st_gid)
        claim.chmod(0o600)


def test_two_programs_share_a_server_and_the_last_stops_it(run: Run, data_dir: Path) -> None:
    first, second = run(), run()
    assert first.hear() == second.hear()
    pid = postmaster(data_dir)
    first.ask("CREATE TABLE shared AS SELECT 7 AS n")
    assert second.ask("SELECT n FROM shared") == "7"
    first.leave()
    assert lives(pid)
    assert second.ask("SELECT n FROM shared") == "7"
    second.leave()
    assert not lives(pid)


def test_two_uses_in_one_program_count_twice(start: Start, data_dir: Path) -> None:
    first, second = start(), start()
    pid = postmaster(data_dir)
    first.stop()
    assert lives(pid)
    second.stop()
    assert not lives(pid)


def test_programs_that_start_at_once_make_one_database(run: Run, data_dir: Path) -> None:
    programs = [run(anew=True) for _ in range(4)]
    assert len({str(program.hear()) for program in programs}) == 1
    pid = postmaster(data_dir)
    for program in programs:
        program.leave()
    assert not lives(pid)
    ready = (data_dir / "postgres.log").read_text().count("ready to accept connections")
    assert ready == 1


def test_programs_that_come_and_go_never_meet_a_closed_door(run: Run) -> None:
    for _ in range(3):
        leaving = run()
        leaving.hear()
        coming = run()
        leaving.hang_up()
        coming.hear()
        assert coming.ask("SELECT 1") == "1"
        assert leaving.hear() == {"stopped": True}
        coming.leave()


def test_the_server_of_a_killed_program_is_stopped(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    program.ask("CREATE TABLE kept AS SELECT 7 AS n")
    pid = postmaster(data_dir)
    guard = guard_of(pid)
    program.kill()
    wait_until(lambda: not lives(pid), "the server of a killed program still runs")
    wait_until(lambda: not lives(guard), "its guard still runs")
    after = run()
    after.hear()
    assert after.ask("SELECT n FROM kept") == "7"
    after.leave()


def test_a_killed_program_does_not_stop_the_server_of_another(run: Run, data_dir: Path) -> None:
    first, second = run(), run()
    first.hear()
    second.hear()
    pid = postmaster(data_dir)
    first.kill()
    third = run()
    third.hear()
    third.leave()
    assert second.ask("SELECT 7") == "7"
    assert postmaster(data_dir) == pid
    second.leave()
    assert not lives(pid)


def test_a_server_left_alone_by_everybody_is_found_again(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    pid = postmaster(data_dir)
    kill(guard_of(pid))
    program.kill()
    assert lives(pid)  # nobody is left who would stop it
    after = run()
    after.hear()
    assert postmaster(data_dir) == pid
    assert after.ask("SELECT 7") == "7"
    after.leave()
    assert not lives(pid)


def test_a_killed_server_is_started_again_under_its_programs(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    program.ask("CREATE TABLE kept AS SELECT 7 AS n")
    pid = postmaster(data_dir)
    os.kill(pid, signal.SIGKILL)
    after = run()
    after.hear()  # whoever comes waits for it
    assert postmaster(data_dir) != pid
    assert program.ask("SELECT n FROM kept") == "7"
    after.leave()
    second = postmaster(data_dir)
    assert lives(second)
    program.leave()
    assert not lives(second)


def test_a_killed_server_comes_back_without_anybody_asking(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    log = data_dir / "postgres.log"

    def is_ready(times: int) -> bool:
        return log.read_text().count("ready to accept connections") == times

    for times in (2, 3):
        os.kill(postmaster(data_dir), signal.SIGKILL)
        wait_until(partial(is_ready, times), "the server has not come back")
        assert program.ask("SELECT 7") == "7"
    program.leave()


def test_after_a_power_cut_the_next_start_recovers(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    program.ask("CREATE TABLE kept AS SELECT 7 AS n")
    pid = postmaster(data_dir)
    kill(guard_of(pid))
    program.kill()
    kill(pid)
    after = run()
    after.hear()
    assert after.ask("SELECT n FROM kept") == "7"
    after.leave()


def test_sigterm_to_the_guard_stops_the_server_for_good(run: Run, data_dir: Path) -> None:
    program = run()
    program.hear()
    pid = postmaster(data_dir)
    kill(guard_of(pid), signal.SIGTERM)
    assert not lives(pid)
    program.leave()


@pytest.mark.parametrize("claims", [CLAIMS, CLAIMS[:1], CLAIMS[1:]])
def test_an_unrelated_process_under_a_stale_number_survives(
    start: Start, data_dir: Path, bystander: "subprocess.Popen[bytes]", claims: tuple[str, ...]
) -> None:
    left_behind(data_dir, bystander.pid, claims)
    server = start()
    assert postmaster(data_dir) != bystander.pid
    assert bystander.poll() is None
    server.stop()
    assert bystander.poll() is None


def test_stopping_does_not_touch_an_unrelated_process_either(
    start: Start, data_dir: Path, bystander: "subprocess.Popen[bytes]"
) -> None:
    server = start()
    real = postmaster(data_dir)
    claim = (data_dir / "postgres" / "postmaster.pid").read_text()
    guard = guard_of(real)
    left_behind(data_dir, bystander.pid)
    server.stop()
    assert bystander.poll() is None
    (data_dir / "postgres" / "postmaster.pid").write_text(claim)
    wait_until(lambda: not lives(real), "the guard has not stopped the server")
    wait_until(lambda: not lives(guard), "the guard has not ended")


def test_the_server_of_another_directory_under_a_stale_number_survives(
    start: Start, data_dir: Path, tmp_path: Path
) -> None:
    start().stop()
    other = start(tmp_path / "other")
    number = postmaster(tmp_path / "other")
    left_behind(data_dir, number)
    server = start()
    assert postmaster(data_dir) != number
    server.stop()
    assert lives(number)
    assert postmaster(tmp_path / "other") == number
    other.stop()


@pytest.mark.parametrize("content", ["", "garbage\n", "-1\n"])
def test_a_damaged_claim_is_passed_over(start: Start, data_dir: Path, content: str) -> None:
    start().stop()
    claim = data_dir / "postgres" / "postmaster.pid"
    claim.write_text(content)
    server = start()
    assert lives(postmaster(data_dir))
    server.stop()


def test_a_database_that_was_half_made_is_made_anew(start: Start, data_dir: Path) -> None:
    remains = data_dir / "postgres.new" / "base"
    remains.mkdir(parents=True)
    (remains / "half").write_text("a file")
    server = start()
    assert lives(postmaster(data_dir))
    assert not (data_dir / "postgres.new").exists()
    server.stop()
