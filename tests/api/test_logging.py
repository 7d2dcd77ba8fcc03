"""What the log says, and in which form. Logging is global, so each test has its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, logging, sys
from app.observability import configure_logging
configure_logging(sys.argv[1], sys.argv[2])
logging.getLogger("httpx").setLevel("WARNING")
from fastapi import APIRouter
from app.http.route import FactoryRoute
from tests.api.throwaway import client_of, throwaway_app

router = APIRouter(route_class=FactoryRoute)

@router.get("/works")
async def works() -> str:
    logging.getLogger("some.library").warning("said by %s", "a library")
    return "ok"

@router.get("/fails")
async def fails() -> str:
    secret = "".join(["hun", "ter2"])
    raise RuntimeError("the reason")

async def main() -> None:
    async with client_of(throwaway_app(router)) as client:
        for path in ("/works", "/fails"):
            response = await client.get(path, headers={"x-request-id": "theirs"})
            print(response.headers["x-request-id"])

asyncio.run(main())
"""


def run(level: str, style: str) -> tuple[list[str], list[str]]:
    """The request ids that were answered, and the lines that were logged."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, level, style],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return ended.stdout.split(), ended.stderr.splitlines()


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
