"""What the log says, and in which form. Logging is global, so each test has its own process."""

import json
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment, factory

PROGRAM = (sys.executable, "-m", "tests.api.logging_program")

# A process of its own, but not an interpreter.
pytestmark = pytest.mark.usefixtures("forks")


def run(level: str, style: str) -> tuple[list[str], list[str]]:
    """The request ids that were answered, and the lines that were logged."""
    ended = factory(level, style, command=PROGRAM, env=environment(), cwd=Path.cwd())
    return ended.out.split(), ended.err.splitlines()


def test_for_machines_every_line_is_json_with_the_request_id() -> None:
    (works, fails), lines = run("info", "json")
    logged = [json.loads(line) for line in lines]
    assert [(line["event"], line["level"], line["request_id"]) for line in logged] == [
        ("said by a library", "warning", works),
        ("request", "info", works),
        ("unexpected_exception", "error", fails),
        ("request", "info", fails),
    ]
    assert logged[2]["exception"][0]["exc_value"] == "the reason"
    assert {name: logged[3][name] for name in ("method", "route", "status", "code")} == {
        "method": "GET",
        "route": "/fails",
        "status": 500,
        "code": "internal",
    }
    assert logged[3]["client_request_id"] == "theirs"


def test_for_people_lines_are_readable_and_have_no_colours_in_a_file() -> None:
    (works, _), lines = run("info", "console")
    text = "\n".join(lines)
    assert "\x1b[" not in text
    assert "said by a library" in text
    assert works in text
    assert "RuntimeError: the reason" in text


@pytest.mark.parametrize("style", ["console", "json"])
def test_tracebacks_do_not_tell_the_values_of_variables(style: str) -> None:
    _, lines = run("info", style)
    text = "\n".join(lines)
    assert "RuntimeError" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(("level", "events"), [("warning", 2), ("error", 1)])
def test_what_is_less_important_is_left_out(level: str, events: int) -> None:
    _, lines = run(level, "json")
    assert len(lines) == events
