"""`factory key …`: who may call. The first key is made with the owner's login."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from app.cli.client import Client
from app.cli.output import Json, console, print_json, print_members, print_table
from app.hosting import hosting, stoppable
from app.security import Scope
from app.services.first_key import create_first_key
from app.settings import get_settings

cli = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@cli.command("create")
def create_key(
    *,
    principal: Annotated[str, typer.Option(help="Who is accountable for what the key does.")],
    scope: Annotated[Scope, typer.Option(help="What the key reaches.")] = Scope.PRODUCER,
    actor: Annotated[str, typer.Option(help="The tag that the key's work is done under.")],
    actor_prefix: Annotated[
        list[str] | None,
        typer.Option(help="Beginning of other tags it may act as; ends at - or :. Repeatable."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Until it expires; else never.")] = None,
    first: Annotated[
        bool,
        typer.Option(
            "--first", help="Make the first key with the owner's login, without the service."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is shown once, and is stored nowhere."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    if first:
        with stoppable(), hosting(get_settings()) as host:
            secret = asyncio.run(
                create_first_key(
                    host.required_owner_url(),
                    principal=principal,
                    scope=scope,
                    actor=actor,
                    actor_prefixes=tuple(actor_prefix or ()),
                    expires_at=expires,
                )
            )
            print_json({"secret": secret}) if as_json else console.print(secret, markup=False)
        return
    order = {
        "principal": principal,
        "scope": scope,
        "actor": actor,
        "actor_prefixes": actor_prefix or [],
        "expires_at": expires and expires.isoformat(),
    }
    document = Client(as_json=as_json).call("POST", "/api-keys", json=order).json()
    if as_json:
        print_json(document)
        return
    print_members(document)


@cli.command("list")
def list_keys(*, as_json: Json = False) -> None:
    """List the keys, revoked and expired ones too."""
    rows = list(Client(as_json=as_json).pages("/api-keys"))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "key_id", "state", "scope", "principal", "actor", "actor_prefixes")


@cli.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between pf_ and the next _.")],
    *,
    as_json: Json = False,
) -> None:
    """Revoke a key."""
    document = Client(as_json=as_json).call("DELETE", f"/api-keys/{key_id}").json()
    if as_json:
        print_json(document)
        return
    console.print(f"{document['key_id']} is revoked.")
