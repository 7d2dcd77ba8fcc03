"""`factory replay`: what came out at the predecessor must come out here."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from app.cli.output import Json, console, print_json, print_table
from app.db import replay as db
from app.errors import StartupError
from app.hosting import Host, bound_socket, hosting, served, stoppable
from app.replay import story_25000x
from app.replay.verdicts import Report, Verdict
from app.settings import get_settings


class Release(StrEnum):
    """The replays that there are."""

    R25000X = "25000x"


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("replay")(replay)


def replay(
    release: Annotated[Release, typer.Argument(help="The predecessor's release.")],
    *,
    as_json: Json = False,
) -> None:
    """Tell a predecessor's release again, on a scratch database, and compare row by row.

    Exit code 0 only if all of it agrees. Your own data is not touched.
    """
    agrees = False
    with stoppable(), tempfile.TemporaryDirectory(prefix="factory-replay-") as scratch:
        settings = get_settings().model_copy(
            update={
                "data_dir": Path(scratch),
                "database_url": None,
                "port": 0,
                "host": "127.0.0.1",
                "url": None,
                "log_level": "warning",
            }
        )
        with hosting(settings) as host:
            report = asyncio.run(_replay(host))
        agrees = report.agrees
        _print(release, report, as_json=as_json)
    if not agrees:
        raise typer.Exit(1)


async def _replay(host: Host) -> Report:
    await host.prepare()
    await host.migrate()
    async with AsyncExitStack() as stack:
        owner = await db.connect(host.required_owner_url())
        stack.push_async_callback(owner.close)
        service = await db.connect(host.service_url)
        stack.push_async_callback(service.close)
        secret = await story_25000x.prepare(owner)
        listener = bound_socket(host.settings)
        url, _ = await stack.enter_async_context(served(host.service_settings, listener))
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=30
            )
        )
        try:
            return await story_25000x.replay(owner, service, client)
        except RuntimeError as error:
            raise StartupError(f"The story can't be told: {error}") from error


def _print(release: Release, report: Report, *, as_json: bool) -> None:
    matrix = [
        {
            "surface": row.name,
            "before": row.before,
            "after": row.after,
            "delta": f"{row.delta:+d}" if row.delta else "0",
            "required": _required(row.expected_before, row.expected_delta),
            "verdict": _word(row.agrees),
        }
        for row in report.surfaces
    ]
    templates = [
        dict(zip(story_25000x.TEMPLATE_COLUMNS, row.actual, strict=True))
        | {"template": row.name, "verdict": _word(row.agrees)}
        for row in report.templates
    ]
    if as_json:
        print_json(
            {
                "release": release,
                "agrees": report.agrees,
                "probes": _rows(report.probes),
                "matrix": matrix,
                "templates": templates,
                "checks": _rows(report.checks),
            }
        )
        return
    for title, rows, columns in (
        ("Probes", _rows(report.probes), ("probe", "answered", "verdict")),
        (
            "Regression matrix",
            matrix,
            ("surface", "before", "after", "delta", "required", "verdict"),
        ),
        ("Templates", templates, ("template", *story_25000x.TEMPLATE_COLUMNS, "verdict")),
        ("Besides", _rows(report.checks), ("probe", "answered", "verdict")),
    ):
        console.print(f"\n[bold]{title}[/bold]")
        print_table(rows, *columns)
    console.print(f"\nReplay {release}: {'all of it agrees' if report.agrees else 'DISAGREES'}.")


def _rows(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    return [
        {
            "probe": row.name,
            "required": row.expected,
            "answered": row.actual,
            "verdict": _word(row.agrees),
        }
        for row in verdicts
    ]


def _required(before: int | None, delta: int) -> str:
    at_first = "n" if before is None else str(before)
    after = f"n + {delta}" if before is None else str(before + delta)
    return f"{at_first} → {after}" if delta else f"{at_first}, same"


def _word(agrees: bool) -> str:
    return "agrees" if agrees else "DISAGREES"
