"""`factory instantiate` and `factory verify`."""

import json
from typing import Annotated
from uuid import uuid4

import typer

from app.cli.client import Client
from app.cli.output import Json, console, fail, print_json, print_members, print_table


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("instantiate")(instantiate)
    cli.command("verify")(verify)


def instantiate(
    template: Annotated[str, typer.Argument(help="A family, a key, or a UUID.")],
    *,
    event_id: Annotated[
        str | None, typer.Option(help="The event's UUID; left out: a new one.")
    ] = None,
    event_type: Annotated[str, typer.Option(help="The event's type.")] = "factory.manual",
    suffix: Annotated[str, typer.Option(help="Tells instances of one event apart.")] = "",
    actor: Annotated[str | None, typer.Option(help="Left out: the key's own.")] = None,
    data: Annotated[str, typer.Option(help="The payload, as a JSON object.")] = "{}",
    reason: Annotated[str, typer.Option(help="Why, for the event log.")] = "",
    require_current: Annotated[bool, typer.Option(help="Refuse a superseded version.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Do everything but write.")] = False,
    as_json: Json = False,
) -> None:
    """Compose one instance, as an event would."""
    try:
        payload = json.loads(data)
    except ValueError as error:
        raise typer.BadParameter(f"--data is no JSON: {error}") from error
    order = {
        "event_id": event_id or str(uuid4()),
        "event_type": event_type,
        "template": template,
        "suffix": suffix,
        "actor": actor,
        "emit_mode": "dry_run" if dry_run else "live",
        "reason": reason,
        "data": payload,
        "require_current": require_current,
    }
    document = Client(as_json=as_json).call("POST", "/instances/from-event", json=order).json()
    if as_json:
        print_json(document)
        return
    print_members(document)


def verify(
    instance: Annotated[
        str | None, typer.Argument(help="An instance's UUID; left out: everything.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Recompute digests from the stored content; exit code 6 when something does not hold."""
    client = Client(as_json=as_json)
    path = "/observability/integrity" if instance is None else f"/instances/{instance}/verify"
    document = client.call("GET", path).json()
    findings = document["findings"]
    if as_json:
        print_json(document)
    elif findings:
        print_table(findings, "kind", "subject", "expected", "actual")
    else:
        console.print("Everything holds.")
    if findings:
        if not as_json:
            fail("Something does not hold.")
        raise typer.Exit(6)
