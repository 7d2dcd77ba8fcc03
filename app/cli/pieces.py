"""`factory piece …`: the reusable pieces of content."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Client, segment
from app.cli.output import Json, print_json, print_members, print_table, say

cli = typer.Typer(help="Show, write and revise pieces.", no_args_is_help=True)


class Life(StrEnum):
    """The stations of a piece's life."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    RETIRED = "retired"


class NextLife(StrEnum):
    """Where a piece is taken by hand; `superseded` is what a revision does."""

    ACTIVE = "active"
    RETIRED = "retired"


Unit = Annotated[str, typer.Argument(help="The piece's id.")]
Body = Annotated[Path, typer.Option("--from", help="The file with the body, in UTF-8.")]


@cli.command("list")
def list_pieces(
    *,
    life: Annotated[Life | None, typer.Option(help="Only those at this station of life.")] = None,
    title: Annotated[str | None, typer.Option(help="Only those whose title contains this.")] = None,
    as_json: Json = False,
) -> None:
    """List the pieces, the newest first."""
    rows = list(Client(as_json=as_json).pages("/pieces", life=life, title=title))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "unit_id", "life", "title")


@cli.command("show")
def show_piece(unit: Unit, *, as_json: Json = False) -> None:
    """Show a piece with its content."""
    document = Client(as_json=as_json).call("GET", f"/pieces/{segment(unit)}")
    if as_json:
        print_json(document)
        return
    body = document.pop("body")
    print_members(document)
    say()
    say(body)


@cli.command("where-used")
def where_used(unit: Unit, *, as_json: Json = False) -> None:
    """List the templates and collections that a piece stands in."""
    rows = list(Client(as_json=as_json).pages(f"/pieces/{segment(unit)}/where-used"))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "collection_key", "status", "position", "role")


@cli.command("create")
def create_piece(
    *,
    title: Annotated[str, typer.Option(help="One line.")],
    body: Body,
    media_type: Annotated[str, typer.Option(help="The body's media type.")] = "text/markdown",
    axis: Annotated[
        list[str] | None, typer.Option(help="A facet, as NAME=VALUE. Repeatable.")
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Make it a draft, which enters no template yet.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Store a piece. Known content answers the piece that is there."""
    order = {
        "title": title,
        "media_type": media_type,
        "body": _text_of(body),
        "axes": _axes(axis or []),
        "life": Life.DRAFT if draft else Life.ACTIVE,
    }
    document = Client(as_json=as_json).call("POST", "/pieces", order)
    if as_json:
        print_json(document)
        return
    if document["known"]:
        say("This content is there already:")
    print_members(document, "unit_id", "life", "title", "content_digest", "warnings")


@cli.command("revise")
def revise_piece(
    unit: Unit,
    *,
    body: Annotated[
        Path | None, typer.Option("--from", help="The file with the new body, in UTF-8.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Another title.")] = None,
    media_type: Annotated[str | None, typer.Option(help="Another media type.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the log of its life.")],
    as_json: Json = False,
) -> None:
    """Store a new piece that supersedes this one. What is left out stays as it was."""
    changes = {
        "title": title,
        "media_type": media_type,
        "body": None if body is None else _text_of(body),
        "reason": reason,
    }
    order = {name: value for name, value in changes.items() if value is not None}
    _print(Client(as_json=as_json).call("POST", f"/pieces/{segment(unit)}/revise", order), as_json)


@cli.command("life")
def piece_life(
    unit: Unit,
    life: Annotated[NextLife, typer.Argument(help="Where to.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the log of its life.")],
    as_json: Json = False,
) -> None:
    """Activate a draft, or retire a piece that no current template uses."""
    order = {"to_life": life, "reason": reason}
    path = f"/pieces/{segment(unit)}/lifecycle"
    _print(Client(as_json=as_json).call("POST", path, order), as_json)


@cli.command("axes")
def piece_axes(
    unit: Unit,
    *,
    axis: Annotated[
        list[str] | None,
        typer.Option(help="A facet that it is to have, as NAME=VALUE. Repeatable: name them all."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for the log of its axes.")],
    as_json: Json = False,
) -> None:
    """Give a piece other axes, all of them at once: those that are left out are taken away."""
    order = {"axes": _axes(axis or []), "reason": reason}
    path = f"/pieces/{segment(unit)}/axes"
    document = Client(as_json=as_json).call("PUT", path, order)
    if as_json:
        print_json(document)
        return
    print_members(document, "unit_id", "title", "axes", "changed", "compositions_refreshed")


def _print(document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    print_members(document, "unit_id", "life", "title", "content_digest")


def _text_of(file: Path) -> str:
    try:
        # Bytes, not text: a line's end is part of the content, and so of its digest.
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{file} is not UTF-8, at byte {error.start}") from error


def _axes(pairs: list[str]) -> dict[str, str]:
    axes: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"--axis {pair} should be NAME=VALUE")
        if name in axes:
            raise typer.BadParameter(f"--axis {name} stands twice")
        axes[name] = value
    return axes
