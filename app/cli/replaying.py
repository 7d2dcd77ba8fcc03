"""`factory replay`: what came out at the predecessor must come out here."""

import time
from contextlib import AsyncExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer

from app.cli.files import scratch_directory
from app.cli.output import Json, headline, print_json, print_table, say, words
from app.errors import StartupError
from app.settings import get_settings
from app.stopping import run

if TYPE_CHECKING:
    from app.hosting import Host
    from app.replay.verdicts import Report, Surface, Verdict


class Release(StrEnum):
    """The replays that there are."""

    R25000X = "25000x"
    R50000X = "50000x"


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("replay")(replay)


def replay(
    release: Annotated[Release, typer.Argument(help="The predecessor's release.")],
    *,
    as_json: Json = False,
) -> None:
    """Tell a predecessor's release again, on a scratch database, and compare row by row.

    50000x goes on where 25000x ends, so that is told first. Exit code 0 only if all of it agrees.
    Your own data is not touched.
    """
    from app.hosting import DISPOSABLE, hosting

    began = time.monotonic()
    with scratch_directory("factory-replay-") as directory:
        settings = get_settings().model_copy(
            update={
                "data_dir": directory,
                "database_url": None,
                "migration_database_url": None,
                "disposable_data": True,
                "host": "127.0.0.1",
                "port": 0,
                "log_level": "warning",
            }
        )
        with hosting(settings, options=DISPOSABLE) as host:
            *told_first, report = run(_replay(host, release))
    seconds = time.monotonic() - began
    if as_json:
        print_json(_document(report, told_first, seconds))
    else:
        _print(report, told_first, seconds)
    if not _agree(report, *told_first):
        raise typer.Exit(1)


async def _replay(host: "Host", release: Release) -> "list[Report]":
    from app.db import replay as db
    from app.hosting import bound_socket, served
    from app.replay import story_25000x, story_50000x, telling

    stories = {
        Release.R25000X: (story_25000x,),
        Release.R50000X: (story_25000x, story_50000x),
    }
    await host.prepare()
    await host.migrate()
    async with AsyncExitStack() as stack:
        owner = await db.connect(host.required_owner_url())
        stack.push_async_callback(owner.close)
        secret = await telling.prepare(owner)
        listener = stack.enter_context(bound_socket(host.settings))
        url, _ = await stack.enter_async_context(served(host.service_settings, listener))
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {secret}"},
                timeout=30,
                trust_env=False,
            )
        )
        try:
            return [await story.replay(owner, client) for story in stories[release]]
        except telling.NotToldError as error:
            raise StartupError(f"The story can't be told to its end: {error}") from error


def _agree(*reports: "Report") -> bool:
    return all(report.agrees for report in reports)


def _document(report: "Report", told_first: "list[Report]", seconds: float) -> dict[str, Any]:
    return {
        "release": report.release,
        "agrees": _agree(report, *told_first),
        "seconds": round(seconds, 1),
        "told_first": [
            {"release": first.release, "agrees": first.agrees, **_parts(first)}
            for first in told_first
        ],
        **_parts(report),
    }


def _parts(report: "Report") -> dict[str, Any]:
    parts = {
        "probes": [_verdict(row) for row in report.probes],
        "matrix": [_surface(row) for row in report.surfaces],
        "templates": [_template(row) for row in report.templates],
        "dry_runs": [_verdict(row) for row in report.dry_runs],
        "boundary": [_verdict(row) for row in report.boundary],
        "checks": [_verdict(row) for row in report.checks],
    }
    return {name: rows for name, rows in parts.items() if rows}


def _print(report: "Report", told_first: "list[Report]", seconds: float) -> None:
    for first in told_first:
        if not first.agrees:
            _print_parts(first)
        title = f"Replay {first.release}, on which {report.release} stands"
        _print_outcome(title, f"{len(first.rows)} rows", first.agrees)
        say()
    _print_parts(report)
    _print_outcome(f"Replay {report.release}", f"{seconds:.0f} s", report.agrees)


def _print_outcome(title: str, size: str, agrees: bool) -> None:
    headline(f"{title}: {'all of it agrees' if agrees else 'IT DISAGREES'} ({size}).")


def _print_parts(report: "Report") -> None:
    _print_answers("Probes", "probe", report.probes)
    headline("Regression matrix")
    print_table(
        [
            {**_surface(row), "delta": f"{row.delta:+}" if row.delta else "0"}
            | {"verdict": _word(row.agrees, f"{_or_n(row.expected_before)} {row.expected_delta:+}")}
            for row in report.surfaces
        ],
        *("surface", "before", "after", "delta", "verdict"),
    )
    headline("\nTemplates")
    rows = [
        {
            **(shown := _template(row)),
            # A shorter title, so that the table fits on more terminals.
            "unversioned": shown["template_without_version"],
            "verdict": _word(row.agrees, words(row.expected)),
        }
        for row in report.templates
    ]
    print_table(
        rows,
        *("template", "version", "status", "instances", "matches", "diverges", "unversioned"),
        "verdict",
    )
    say()
    _print_answers("Dry runs", "dry run", report.dry_runs)
    _print_answers("Boundary", "check", report.boundary)
    _print_answers("Besides", "check", report.checks)


def _print_answers(title: str, one: str, verdicts: "list[Verdict]") -> None:
    if not verdicts:
        return
    headline(title)
    rows = [
        {
            one: row.name,
            "verdict": "agrees" if row.agrees else "DISAGREES",
            "answer": words(row.actual)
            if row.agrees
            else f"{words(row.actual)} (required: {words(row.expected)})",
        }
        for row in verdicts
    ]
    print_table(rows, one, "verdict", "answer")
    say()


def _verdict(row: "Verdict") -> dict[str, Any]:
    return {
        "name": row.name,
        "required": row.expected,
        "answered": row.actual,
        "agrees": row.agrees,
    }


def _surface(row: "Surface") -> dict[str, Any]:
    return {
        "surface": row.name,
        "before": row.before,
        "after": row.after,
        "delta": row.delta,
        "required_before": row.expected_before,
        "required_delta": row.expected_delta,
        "agrees": row.agrees,
    }


def _template(row: "Verdict") -> dict[str, Any]:
    from app.replay.telling import TEMPLATE_COLUMNS

    return {
        "template": row.name,
        **dict(zip(TEMPLATE_COLUMNS, row.actual, strict=True)),
        "agrees": row.agrees,
    }


def _word(agrees: bool, required: str) -> str:
    return "agrees" if agrees else f"DISAGREES (required: {required})"


def _or_n(before: int | None) -> str:
    return "n" if before is None else str(before)
