"""`factory template …`: families and their version chains."""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from app.cli.client import Client, reference
from app.cli.output import Json, console, fail, print_json, print_members, print_table
from app.content import ContentError, CreateFile, VersionFile, read_template

cli = typer.Typer(help="Show, author and withdraw templates.", no_args_is_help=True)

Reference = Annotated[
    str, typer.Argument(help="A family, a key such as tpl:wf:onboarding/v2, or a UUID.")
]
File = Annotated[
    Path, typer.Option("--from", help="A YAML file: docs/content-format.md.", show_default=False)
]


@cli.command("list")
def list_templates(*, as_json: Json = False) -> None:
    """List every template, version by version."""
    rows = list(Client(as_json=as_json).pages("/templates"))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "template_key", "status", "piece_count", "composition_digest")


@cli.command("show")
def show_template(template: Reference, *, as_json: Json = False) -> None:
    """Show a template and its pieces."""
    client = Client(as_json=as_json)
    path = f"/templates/{reference(template)}"
    document = client.call("GET", path).json()
    pieces = list(client.pages(f"{path}/pieces"))
    if as_json:
        print_json({**document, "pieces": pieces})
        return
    print_members(document)
    console.print()
    print_table(pieces, "position", "role", "title", "unit_id")


@cli.command("create")
def create_template(file: File, *, as_json: Json = False) -> None:
    """Create a family with its first version from a file."""
    content = read_file(file)
    if not isinstance(content, CreateFile):
        fail(f"{file} has `edits`: it makes a next version. Use `factory template version`.")
        raise typer.Exit(2)
    _tell(create(Client(as_json=as_json), content), as_json=as_json)


@cli.command("version")
def version_template(
    file: File,
    *,
    dry_run: Annotated[bool, typer.Option(help="Only show what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Make the next version of a family from a file; it supersedes the current one."""
    content = read_file(file)
    if not isinstance(content, VersionFile):
        fail(f"{file} has `pieces`: it makes a new family. Use `factory template create`.")
        raise typer.Exit(2)
    document = create_version(Client(as_json=as_json), content, dry_run=dry_run)
    if as_json or dry_run:
        print_json(document)
        return
    _tell(document, as_json=False)


@cli.command("withdraw")
def withdraw_template(
    template: Reference,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the chain's history.")],
    as_json: Json = False,
) -> None:
    """Withdraw a wrong version that has no instances; its predecessor is current again."""
    client = Client(as_json=as_json)
    path = f"/templates/{reference(template)}"
    etag = client.call("GET", path).headers["etag"]
    document = client.call(
        "POST", f"{path}/withdraw", headers={"If-Match": etag}, json={"reason": reason}
    ).json()
    if as_json:
        print_json(document)
        return
    print_members(document)


def read_file(file: Path) -> CreateFile | VersionFile:
    """A template file's content. Ends the command with what is wrong in it."""
    try:
        return read_template(file)
    except ContentError as error:
        fail(str(error))
        raise typer.Exit(2) from error


def create(client: Client, content: CreateFile) -> dict[str, Any]:
    """Create the family that a file describes."""
    document: dict[str, Any] = client.call("POST", "/templates", json=content.request_body()).json()
    return document


def create_version(
    client: Client, content: VersionFile, *, dry_run: bool = False
) -> dict[str, Any]:
    """Make the next version that a file describes, on top of the one that it names."""
    family = quote(content.family, safe=":")
    current = client.call("GET", f"/templates/{family}")
    key = current.json()["template_key"]
    if content.supersedes is not None and not key.endswith(f"/{content.supersedes}"):
        fail(
            f"The file counts its positions in {content.supersedes}, and the current version is"
            f" {key}: look at the edits again, and change `supersedes`."
        )
        raise typer.Exit(7)
    body = content.request_body() | ({"dry_run": True} if dry_run else {})
    document: dict[str, Any] = client.call(
        "POST",
        f"/templates/families/{family}/versions",
        headers={"If-Match": current.headers["etag"]},
        json=body,
    ).json()
    return document


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    print_members(document, "template_key", "template_collection_id", "composition_digest")
