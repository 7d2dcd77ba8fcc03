"""`factory piece …`: the reusable pieces of content."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Client
from app.cli.output import Json, console, print_json, print_members, print_table

cli = typer.Typer(help="Show, write and revise pieces.", no_args_is_help=True)

Unit = Annotated[str, typer.Argument(help="The piece's id.")]
Body = Annotated[Path, typer.Option("--from", help="The file with the body.", exists=True)]
Title = Annotated[str, typer.Option(help="One line.")]
MediaType = Annotated[str, typer.Option(help="The body's media type.")]


@cli.command("list")
def list_pieces(
    *,
    life: Annotated[str | None, typer.Option(help="draft, active, superseded or retired.")] = None,
    as_json: Json = False,
) -> None:
    """List the pieces, the newest first."""
    rows = list(Client(as_json=as_json).pages("/pieces", life=life))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "unit_id", "life", "title", "media_type")


@cli.command("show")
def show_piece(unit: Unit, *, as_json: Json = False) -> None:
    """Show a piece with its content."""
    document = Client(as_json=as_json).call("GET", f"/pieces/{unit}").json()
    if as_json:
        print_json(document)
        return
    body = document.pop("body")
    print_members(document)
    console.print()
    console.print(body, markup=False)


@cli.command("where-used")
def where_used(unit: Unit, *, as_json: Json = False) -> None:
    """List the templates that a piece stands in."""
    document = Client(as_json=as_json).call("GET", f"/pieces/{unit}/where-used").json()
    if as_json:
        print_json(document)
        return
    print_table(document["items"], "template_key", "status", "position", "role")


@cli.command("create")
def create_piece(
    *, title: Title, body: Body, media_type: MediaType = "text/markdown", as_json: Json = False
) -> None:
    """Store a piece. Known content answers the piece that is there."""
    order = {"title": title, "media_type": media_type, "body": body.read_text(encoding="utf-8")}
    _send("/pieces", order, as_json=as_json)


@cli.command("revise")
def revise_piece(
    unit: Unit,
    *,
    title: Title,
    body: Body,
    media_type: MediaType = "text/markdown",
    reason: Annotated[str, typer.Option(help="Why, for the life's log.")],
    as_json: Json = False,
) -> None:
    """Store a new piece that supersedes this one."""
    order = {
        "title": title,
        "media_type": media_type,
        "body": body.read_text(encoding="utf-8"),
        "reason": reason,
    }
    _send(f"/pieces/{unit}/revise", order, as_json=as_json)


@cli.command("life")
def piece_life(
    unit: Unit,
    life: Annotated[str, typer.Argument(help="active or retired.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the life's log.")],
    as_json: Json = False,
) -> None:
    """Activate or retire a piece."""
    _send(f"/pieces/{unit}/lifecycle", {"to_life": life, "reason": reason}, as_json=as_json)


def _send(path: str, order: dict[str, Any], *, as_json: bool) -> None:
    document = Client(as_json=as_json).call("POST", path, json=order).json()
    if as_json:
        print_json(document)
        return
    print_members(document, "unit_id", "life", "title", "content_digest")
