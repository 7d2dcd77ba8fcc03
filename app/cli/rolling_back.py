"""`factory rollback`: plan, look, apply."""

from datetime import datetime
from typing import Annotated, Any

import typer

from app.cli.client import Client
from app.cli.operations import follow
from app.cli.output import Json, cell, print_json, print_members, print_table, say
from app.cli.times import time_option

_PLAN = ("instances", "lineage_rows", "log_rows", "actors", "plan_digest")
_APPLIED = (
    "planned",
    "deleted",
    "gone",
    "lineage_rows",
    "log_rows",
    "keys_released",
    "messages_cancelled",
    "rollback_operation_id",
    "rolled_back_at",
)


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("rollback")(rollback)


def rollback(
    *,
    actor: Annotated[str | None, typer.Option(help="What this actor composed.")] = None,
    operation: Annotated[str | None, typer.Option(help="What this bulk composed: its id.")] = None,
    event: Annotated[str | None, typer.Option(help="What this event composed: its UUID.")] = None,
    template: Annotated[
        str | None, typer.Option(help="What was composed from this template, or family.")
    ] = None,
    since: Annotated[datetime | None, time_option("What was composed from this time on.")] = None,
    until: Annotated[datetime | None, time_option("What was composed before this time.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove what the plan names.")] = False,
    release_keys: Annotated[
        bool, typer.Option("--release-keys", help="Let the same events compose again.")
    ] = False,
    acknowledge_delivered: Annotated[
        bool, typer.Option("--acknowledge-delivered", help="Also what has left the system.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why. Needed with --apply.")] = "",
    as_json: Json = False,
) -> None:
    """Show what a rollback would remove; with --apply, remove exactly that.

    More than 10,000 instances are removed by an operation, which is followed to its end.

    Several options select together: what all of them name.
    """
    if apply and not reason:
        raise typer.BadParameter("say why, with --reason")
    selectors = {
        "actor": actor,
        "operation_id": operation,
        "event_id": event,
        "template": template,
        "composed_from": since and since.isoformat(),
        "composed_to": until and until.isoformat(),
    }
    selected = {name: value for name, value in selectors.items() if value is not None}
    client = Client(as_json=as_json)
    plan = client.call("POST", "/rollback/plan", {"selectors": selected})
    if not apply:
        if as_json:
            print_json(plan)
            return
        print_members(plan, *_PLAN)
        _print_blockers(plan)
        say("\nNothing was removed. Say --apply --reason '…' to remove it.")
        return
    order = {
        "selectors": selected,
        "plan_digest": plan["plan_digest"],
        "planned_at": plan["planned_at"],
        "release_keys": release_keys,
        "acknowledge_delivered": acknowledge_delivered,
        "reason": reason,
    }
    document = client.call("POST", "/rollback/apply", order)
    if "operation_id" in document:
        follow(client, document, as_json=as_json)
    elif as_json:
        print_json(document)
    else:
        print_members(document, *_APPLIED)


def _print_blockers(plan: dict[str, Any]) -> None:
    if not plan["blockers"]:
        return
    say("\nIn the way:")
    print_table(plan["blockers"], *plan["blockers"][0])
    if plan["blockers_omitted"]:
        say(f"and {cell(plan['blockers_omitted'])} more.")
