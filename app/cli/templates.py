"""`factory template …`: families and their version chains."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.client import Client, segment
from app.cli.output import Json, fail, print_json, print_members, print_table, say

if TYPE_CHECKING:
    from app.content import CreateFile, VersionFile

cli = typer.Typer(help="Show, author and withdraw templates.", no_args_is_help=True)

INPUT = 2
STALE = 7

Reference = Annotated[
    str,
    typer.Argument(help="A family (its current version), a key such as tpl:wf:x/v2, or a UUID."),
]
File = Annotated[
    Path, typer.Option("--from", help="A YAML file: docs/content-format.md.", show_default=False)
]

_SHOWN = (
    "template_key",
    "template_collection_id",
    "status",
    "title",
    "description",
    "supersedes",
    "family_chain_length",
    "piece_count",
    "composition_digest",
    "schema_digest",
    "axes",
    "reason",
    "versioned_by",
    "versioned_at",
)
_CHANGED = ("change", "role", "before", "after")


class Status(StrEnum):
    """What a version can be in its chain."""

    CURRENT = "current"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    UNVERSIONED = "unversioned"


@cli.command("list")
def list_templates(
    *,
    family: Annotated[str | None, typer.Option(help="Only the versions of this family.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only those with this status.")] = None,
    as_json: Json = False,
) -> None:
    """List every template, version by version."""
    rows = list(Client(as_json=as_json).pages("/templates", family=family, status=status))
    if as_json:
        print_json(rows)
        return
    shown = [{**row, "pieces": row["piece_count"]} for row in rows]
    print_table(shown, "template_key", "status", "pieces", "title")


@cli.command("show")
def show_template(template: Reference, *, as_json: Json = False) -> None:
    """Show a template and its pieces."""
    client = Client(as_json=as_json)
    path = f"/templates/{segment(template)}"
    document = client.call("GET", path)
    pieces = list(client.pages(f"{path}/pieces"))
    if as_json:
        print_json({**document, "pieces": pieces})
        return
    print_members({**document, "axes": list(document["axes"])}, *_SHOWN)
    say()
    shown = [{"#": piece["position"], **piece} for piece in pieces]
    print_table(shown, "#", "unit_id", "role", "title")


@cli.command("create")
def create_template(file: File, *, as_json: Json = False) -> None:
    """Create a family with its first version from a file."""
    from app.content import CreateFile

    content = _read(file)
    if not isinstance(content, CreateFile):
        fail(f"{file} has `edits`: it makes a next version. Use `factory template version`.")
        raise typer.Exit(INPUT)
    document = Client(as_json=as_json).call("POST", "/templates", content.request_body())
    _tell_made(document, as_json)


@cli.command("version")
def version_template(
    file: File,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the next version of a family from a file; it supersedes the current one."""
    from app.content import VersionFile

    content = _read(file)
    if not isinstance(content, VersionFile):
        fail(f"{file} has `pieces`: it makes a new family. Use `factory template create`.")
        raise typer.Exit(INPUT)
    client = Client(as_json=as_json)
    family = segment(content.family)
    current, etag = client.read_tagged(f"/templates/{family}")
    if content.supersedes not in {None, current["version"]}:
        fail(
            f"{file} counts its positions in {content.supersedes}, and the current version is"
            f" {current['template_key']}: look at the edits again, and change `supersedes`."
        )
        raise typer.Exit(STALE)
    document = client.call(
        "POST",
        f"/templates/families/{family}/versions",
        {**content.request_body(), "dry_run": dry_run},
        if_match=etag,
    )
    if as_json:
        print_json(document)
        return
    if dry_run:
        print_members(document["would_be"])
    else:
        _tell_made(document, as_json)
    say()
    print_table([_change(one) for one in document["changes"]], *_CHANGED)
    if dry_run:
        say("\nNothing was written.")


@cli.command("withdraw")
def withdraw_template(
    template: Reference,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the chain's history.")],
    as_json: Json = False,
) -> None:
    """Withdraw a wrong version that has no instances; its predecessor is current again."""
    client = Client(as_json=as_json)
    path = f"/templates/{segment(template)}"
    _, etag = client.read_tagged(path)
    document = client.call("POST", f"{path}/withdraw", {"reason": reason}, if_match=etag)
    if as_json:
        print_json(document)
        return
    say(f"{document['template_key']} is withdrawn.")
    say(f"Current is {document['current']}." if document["current"] else "None is current.")


def _read(file: Path) -> "CreateFile | VersionFile":
    from app.content import ContentError, read_template

    try:
        return read_template(file)
    except ContentError as error:
        fail(str(error))
        raise typer.Exit(INPUT) from error
    except OSError as error:
        fail(f"{file} can't be read: {error.strerror}")
        raise typer.Exit(INPUT) from error


def _tell_made(document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    say(f"{document['template_key']} is {document['status']}.")
    print_members(
        document, "template_collection_id", "piece_count", "composition_digest", "warnings"
    )


def _change(change: dict[str, Any]) -> dict[str, Any]:
    return {**change, "before": _placed(change["before"]), "after": _placed(change["after"])}


def _placed(piece: dict[str, Any] | None) -> str | None:
    return None if piece is None else f"{piece['position']}. {piece['title']}"
