"""`factory snapshot`, `factory snapshots`, `factory regression`: what was, what became of it."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from app.cli.client import Client
from app.cli.composing import NOT_WHAT_IT_WAS
from app.cli.output import Json, cell, fail, print_json, print_table, say

_SNAPSHOTS = "/observability/snapshots"
_MATRIX = "/observability/regression"


class Text(StrEnum):
    """What the matrix can be printed as, to be kept."""

    MARKDOWN = "markdown"
    HTML = "html"


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("snapshot")(take_snapshot)
    cli.command("snapshots")(list_snapshots)
    cli.command("regression")(regression)


def take_snapshot(
    *,
    reason: Annotated[str, typer.Option(help="Why, in one line.")],
    as_json: Json = False,
) -> None:
    """Count the rows of every surface, with digests, and keep the counts."""
    document = Client(as_json=as_json).call("POST", _SNAPSHOTS, {"reason": reason})
    if as_json:
        print_json(document)
        return
    print_table(document["surfaces"], "surface", "row_count", "digest")
    say()
    say(f"Snapshot {document['snapshot_id']}")


def list_snapshots(*, as_json: Json = False) -> None:
    """List the snapshots, the newest first."""
    rows = list(Client(as_json=as_json).pages(_SNAPSHOTS))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "snapshot_id", "taken_at", "actor", "reason")


def regression(
    before: Annotated[
        str | None, typer.Argument(help="The snapshot before. Left out: the last but one.")
    ] = None,
    after: Annotated[
        str | None, typer.Argument(help="The snapshot after. Left out: the newest.")
    ] = None,
    *,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            help="SURFACE=invariant, SURFACE=+N, SURFACE=-N or SURFACE=any; `*` is every other"
            " surface, invariant unless said otherwise. Repeatable."
        ),
    ] = None,
    text: Annotated[
        Text | None, typer.Option("--format", help="Print it as a document, to be kept.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare every surface in two snapshots. Exit code 6 where one is not as expected."""
    client = Client(as_json=as_json)
    given = {"from": before, "to": after, "expect": expect or None}
    params = {name: value for name, value in given.items() if value is not None}
    document = client.call("GET", _MATRIX, params=params)
    if as_json:
        print_json(document)
    elif text is not None:
        # Of the same two, whatever was taken meanwhile.
        params["from"] = document["before"]["snapshot_id"]
        params["to"] = document["after"]["snapshot_id"]
        sys.stdout.write(client.text(_MATRIX, f"text/{text}", params=params))
    else:
        print_table(
            [{**change, "delta": _signed(change["delta"])} for change in document["surfaces"]],
            *("surface", "before", "after", "delta", "changed", "expected", "holds"),
        )
        if document["holds"]:
            say("Everything is as expected.")
    if not document["holds"]:
        if not as_json:
            broken = sum(not change["holds"] for change in document["surfaces"])
            fail(f"{broken} of {len(document['surfaces'])} surfaces are not as expected.")
        raise typer.Exit(NOT_WHAT_IT_WAS)


def _signed(delta: int | None) -> str:
    """A delta as an expectation names it; none where only one snapshot has the surface."""
    return f"{delta:+}" if delta else cell(delta)
