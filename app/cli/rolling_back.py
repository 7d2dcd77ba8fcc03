"""`factory rollback`: plan, look, apply."""

from datetime import datetime
from typing import Annotated

import typer

from app.cli.client import Client
from app.cli.output import Json, console, print_json, print_members


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("rollback")(rollback)


def rollback(
    *,
    actor: Annotated[str | None, typer.Option(help="What this actor composed.")] = None,
    operation: Annotated[str | None, typer.Option(help="What this operation composed.")] = None,
    event: Annotated[str | None, typer.Option(help="What this event composed.")] = None,
    template: Annotated[
        str | None, typer.Option(help="What was composed from this template, or family.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Composed from this time (UTC) on.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Composed before this time (UTC).")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove what the plan names.")] = False,
    release_keys: Annotated[bool, typer.Option(help="Let the same events compose again.")] = False,
    acknowledge_delivered: Annotated[
        bool, typer.Option(help="Also where the message has left the system.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; needed with --apply.")] = "",
    as_json: Json = False,
) -> None:
    """Show what a rollback would remove; with --apply, remove exactly that."""
    if apply and not reason:
        raise typer.BadParameter("say why, with --reason")
    selectors = {
        "actor": actor,
        "operation_id": operation,
        "event_id": event,
        "template": template,
        "composed_from": since and f"{since.isoformat()}Z",
        "composed_to": until and f"{until.isoformat()}Z",
    }
    selected = {name: value for name, value in selectors.items() if value is not None}
    client = Client(as_json=as_json)
    plan = client.call("POST", "/rollback/plan", json={"selectors": selected}).json()
    document = plan
    if apply:
        order = {
            "selectors": selected,
            "plan_digest": plan["plan_digest"],
            "planned_at": plan["planned_at"],
            "release_keys": release_keys,
            "acknowledge_delivered": acknowledge_delivered,
            "reason": reason,
        }
        document = client.call("POST", "/rollback/apply", json=order).json()
    if as_json:
        print_json(document)
        return
    print_members(document)
    if not apply:
        console.print("Nothing was removed. Say --apply --reason '…' to remove it.")
