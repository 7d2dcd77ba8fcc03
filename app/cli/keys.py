"""`factory key …`: who may call. The first key is made with the owner's login."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from app.cli.client import Client, segment
from app.cli.output import Json, print_json, print_members, print_table, say

cli = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


class KeyScope(StrEnum):
    """What a key reaches: the scopes of `app.security`, which a client needs no server for."""

    PRODUCER = "producer"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


@cli.command("create")
def create_key(
    *,
    principal: Annotated[str, typer.Option(help="Who is accountable for what the key does.")],
    scope: Annotated[
        KeyScope, typer.Option(help="What the key reaches; each contains those before it.")
    ] = KeyScope.PRODUCER,
    actor: Annotated[str, typer.Option(help="The tag that the key's work is done under.")],
    actor_prefix: Annotated[
        list[str] | None,
        typer.Option(help="Beginning of other tags it may act as; ends at - or :. Repeatable."),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=36500, help="Until it expires; else never.")
    ] = None,
    first: Annotated[
        bool,
        typer.Option("--first", help="Make it with the owner's login, without a service."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is shown once, and is stored nowhere."""
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    prefixes = actor_prefix or []
    if first:
        secret = _first_key(principal, scope, actor, prefixes, expires)
        print_json({"secret": secret}) if as_json else say(secret)
        return
    order = {
        "principal": principal,
        "scope": scope,
        "actor": actor,
        "actor_prefixes": prefixes,
        "expires_at": expires and expires.isoformat(),
    }
    document = Client(as_json=as_json).call("POST", "/api-keys", order)
    if as_json:
        print_json(document)
        return
    print_members(document)
    say()
    say("The secret is shown this once.")


def _first_key(
    principal: str,
    scope: KeyScope,
    actor: str,
    prefixes: list[str],
    expires: datetime | None,
) -> str:
    from app.hosting import hosting, told_in_a_line
    from app.security import Scope
    from app.services.first_key import create_first_key
    from app.settings import get_settings
    from app.stopping import run

    with hosting(get_settings()) as host, host.told_if_new(), told_in_a_line():
        return run(
            create_first_key(
                host.required_owner_url(),
                principal=principal,
                scope=Scope(scope),
                actor=actor,
                actor_prefixes=tuple(prefixes),
                expires_at=expires,
            )
        )


@cli.command("list")
def list_keys(*, as_json: Json = False) -> None:
    """List the keys, revoked and expired ones too."""
    rows = list(Client(as_json=as_json).pages("/api-keys"))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "key_id", "state", "scope", "actor", "principal")


@cli.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between pf_ and the next _.")],
    *,
    as_json: Json = False,
) -> None:
    """Revoke a key."""
    document = Client(as_json=as_json).call("DELETE", f"/api-keys/{segment(key_id)}")
    if as_json:
        print_json(document)
        return
    say(f"The key {document['key_id']} is revoked.")
