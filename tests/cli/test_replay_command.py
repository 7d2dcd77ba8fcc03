"""`factory replay`: what is printed, its exit code, and that nothing is left of it."""

import signal
from pathlib import Path
from typing import Any

from tests.embedded.helpers import is_over, wait_until
from tests.support.commands import COMMAND, environment, factory, hosting

SPOILED = (*COMMAND[:2], "tests.cli.spoiled")


def scratch(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Where the scratch database is made, and the environment that says so."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    return directory, environment(TMPDIR=str(directory))


def sections(out: str) -> list[str]:
    """The first line of each block."""
    return [block.splitlines()[0] for block in out.split("\n\n")]


def disagreeing(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Part and name of each row that disagrees."""
    return [
        (part, row.get("name") or row.get("surface") or row["template"])
        for part, rows in report.items()
        if isinstance(rows, list) and part != "told_first"
        for row in rows
        if not row["agrees"]
    ]


def test_50000x_is_told_on_top_of_25000x_and_all_of_it_agrees(tmp_path: Path) -> None:
    directory, env = scratch(tmp_path)
    done = factory("replay", "50000x", env=env, cwd=tmp_path)
    assert done.err == ""
    *parts, last = sections(done.out)
    assert parts == [
        "Replay 25000x, on which 50000x stands: all of it agrees (42 rows).",
        "Regression matrix",
        "Templates",
        "Dry runs",
        "Boundary",
        "Besides",
    ]
    assert last.startswith("Replay 50000x: all of it agrees (")
    row = ("iu_collection_template_instance_lineage", "17", "37", "+20", "agrees")
    assert row in [tuple(line.split()) for line in done.out.splitlines()]
    assert "DISAGREES" not in done.out
    assert list(directory.iterdir()) == []


def test_25000x_is_told_alone(tmp_path: Path) -> None:
    _, env = scratch(tmp_path)
    report = factory("replay", "25000x", "--json", env=env, cwd=tmp_path).document
    assert report.pop("seconds") > 0
    assert (report.pop("release"), report.pop("agrees"), report.pop("told_first")) == (
        "25000x",
        True,
        [],
    )
    assert {part: len(rows) for part, rows in report.items()} == {
        "probes": 12,
        "matrix": 15,
        "templates": 4,
        "checks": 11,
    }


def test_one_row_that_disagrees_is_an_exit_code_of_one(tmp_path: Path) -> None:
    directory, env = scratch(tmp_path)
    done = factory("replay", "50000x", env=env, cwd=tmp_path, command=SPOILED, code=1)
    assert done.err == ""
    lines = [line.split() for line in done.out.splitlines()]
    unit = [line for line in lines if line[:1] == ["information_unit"]]
    assert unit == [
        ["information_unit", "175", "176", "+1", "DISAGREES", "(required:", "174", "+1)"],
        ["information_unit", "176", "176", "0", "DISAGREES", "(required:", "175", "+0)"],
    ]
    assert "\nReplay 25000x, on which 50000x stands: IT DISAGREES (42 rows).\n" in done.out
    assert "\nReplay 50000x: IT DISAGREES (" in done.out
    assert sections(done.out)[0] == "Probes", "what disagrees is shown whole"

    report = factory(
        "replay", "50000x", "--json", env=env, cwd=tmp_path, command=SPOILED, code=1
    ).document
    (first,) = report["told_first"]
    assert (report["agrees"], first["agrees"]) == (False, False)
    assert disagreeing(report) == disagreeing(first) == [("matrix", "information_unit")]
    assert list(directory.iterdir()) == []


def test_an_interrupted_replay_leaves_nothing(tmp_path: Path) -> None:
    directory, env = scratch(tmp_path)
    with hosting("replay", "50000x", env=env, cwd=tmp_path) as program:
        wait_until(
            lambda: any(directory.glob("factory-replay-*/postgres/postmaster.pid")), "a server"
        )
        (data,) = directory.iterdir()
        assert program.stop(signal.SIGINT) == 128 + signal.SIGINT
        assert program.out == ""
        assert program.err.splitlines() == ["Interrupted (SIGINT)."]
    assert is_over(data)
    assert list(directory.iterdir()) == []


def test_what_a_killed_replay_has_left_goes_with_the_next(tmp_path: Path) -> None:
    directory, env = scratch(tmp_path)
    with hosting("replay", "25000x", env=env, cwd=tmp_path) as program:
        wait_until(
            lambda: any(directory.glob("factory-replay-*/postgres/postmaster.pid")), "a server"
        )
        (data,) = directory.iterdir()
        assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    assert list(directory.iterdir()) == [data]
    other = directory / "factory-replay-of-somebody"
    other.mkdir()
    factory("replay", "25000x", env=env, cwd=tmp_path)
    assert is_over(data)
    assert list(directory.iterdir()) == [other]
