"""`factory check`: three exit codes, and what was found."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Cli
from tests.cli.hosted import ask, beside


@contextmanager
def changed(cli: Cli, statement: str, back: str) -> Iterator[None]:
    """The database of the evaluation with a change, for a while."""
    with beside(Path(cli.env["FACTORY_DATA_DIR"])) as server:
        ask(server, statement)
        try:
            yield
        finally:
            ask(server, back)


def test_a_database_as_the_release_makes_it_conforms(cli: Cli) -> None:
    lines = cli("check").out.splitlines()
    header, *kinds = (line.split() for line in lines[:8])
    assert header == [
        *("kind", "passes", "expected", "actual", "own", "missing", "unexpected", "changed")
    ]
    assert [(kind[0], kind[1]) for kind in kinds] == [
        (kind, "yes")
        for kind in ("table", "view", "function", "trigger", "config", "event_type", "route")
    ]
    assert lines[8:] == ["", "7 of 7 kinds pass: the database conforms."]
    assert cli.json("check")["verdict"] == "conforms"


def test_a_difference_is_shown_and_ends_with_1(cli: Cli) -> None:
    reader = "iu_core.fn_iu_gate_is_open(text, text, timestamp with time zone)"
    with changed(cli, f"ALTER FUNCTION {reader} STABLE", f"ALTER FUNCTION {reader} VOLATILE"):
        said = cli("check", code=1).out
        (finding,) = cli.json("check", code=1)["findings"]
    assert finding == {
        "kind": "function",
        "name": reader,
        "finding": "changed",
        "facet": "volatility",
        "expected": "volatile",
        "actual": "stable",
    }
    lines = said.splitlines()
    assert lines[9] == "Findings"
    assert lines[11].split("  ") == [text for text in finding.values() if text]
    assert lines[-1] == "6 of 7 kinds pass: the database differs."


def test_a_database_of_another_release_ends_with_2_and_what_to_do(cli: Cli) -> None:
    one_more = """INSERT INTO iu_core.iu_schema_object
                  VALUES ('views/v_more.sql', 'view', 'v_more', repeat('0', 64), 1000)"""
    none_more = "DELETE FROM iu_core.iu_schema_object WHERE object_path = 'views/v_more.sql'"
    with changed(cli, one_more, none_more):
        done = cli("check", code=2)
        assert cli.json("check", code=2)["verdict"] == "not_comparable"
    assert done.out == ""
    assert done.err.startswith("database_behind: The database is at revision ")
    assert done.err.endswith(": run `factory migrate`, and check again.\n")
