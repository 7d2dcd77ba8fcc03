"""`factory check`: whether the database is what this release makes of one."""

from typing import Any

import typer

from app.cli.client import Client
from app.cli.output import Json, fail, headline, print_json, print_table

EXIT_CODES = {"conforms": 0, "differs": 1, "not_comparable": 2}


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(check)


def check(*, as_json: Json = False) -> None:
    """Compare the database with the release: what is missing, unexpected or changed.

    Exit code 0 if it conforms, 1 if it differs, 2 if it can't be compared: then the answer says
    what to do.
    """
    report = Client(as_json=as_json).call("GET", "/observability/conformance")
    if as_json:
        print_json(report)
    else:
        _print(report)
    raise typer.Exit(EXIT_CODES[report["verdict"]])


def _print(report: dict[str, Any]) -> None:
    kinds = report["kinds"]
    if kinds:
        print_table(
            kinds,
            *("kind", "passes", "expected", "actual", "own", "missing", "unexpected", "changed"),
        )
    if report["findings"]:
        headline("\nFindings")
        print_table(report["findings"], "kind", "name", "finding", "facet", "expected", "actual")
    if report["truncated"]:
        headline("\nThere are more than these.")
    if report["remedy"]:
        fail(f"{report['reason']}: {report['remedy']}")
    if kinds:
        passed = sum(kind["passes"] for kind in kinds)
        headline(f"\n{passed} of {len(kinds)} kinds pass: the database {report['verdict']}.")
