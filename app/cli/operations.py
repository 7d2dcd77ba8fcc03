"""`factory operation …`: what is worked on in chunks, how far it is, and how it goes on."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from app.cli.client import Client, segment, unreachable
from app.cli.following import shown
from app.cli.output import (
    EXIT_CODES,
    Json,
    exit_code,
    explained,
    fail,
    print_json,
    print_members,
    print_table,
    say,
)
from app.errors import CATALOGUE, Kind

cli = typer.Typer(help="Watch, cancel and resume operations.", no_args_is_help=True)

Operation = Annotated[str, typer.Argument(help="The operation's id.")]
Reason = Annotated[str, typer.Option(help="Why, for the operation's record.")]

CANCELLED = EXIT_CODES[Kind.CONFLICT]
"""The exit code of an operation that somebody cancelled."""

_COUNTS = (
    "composed",
    "replayed",
    "dry_runs",
    "refused",
    "failed",
    "deleted",
    "gone",
    "blocked",
    "not_attempted",
)
_NOT_DONE = ("refused", "failed", "blocked")
_SHOWN_ITEMS = 10
_TRIES = 5
_PAUSE_S = 1.0


@cli.command("list")
def list_operations(
    *,
    state: Annotated[
        str | None, typer.Option(help="running, halted, cancelled or completed.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="instantiate or rollback.")] = None,
    actor: Annotated[str | None, typer.Option(help="Those of this actor.")] = None,
    as_json: Json = False,
) -> None:
    """List operations, newest first."""
    client = Client(as_json=as_json)
    rows = list(client.pages("/operations", state=state, kind=kind, actor=actor))
    if as_json:
        print_json(rows)
        return
    print_table(
        rows, "operation_id", "kind", "state", "total", "not_attempted", "created_at", "actor"
    )


@cli.command("show")
def show_operation(operation: Operation, *, as_json: Json = False) -> None:
    """Show how far an operation is, and the first items that were not done."""
    client = Client(as_json=as_json)
    document = client.call("GET", f"/operations/{segment(operation)}")
    if as_json:
        print_json(document)
        return
    _print(document, _undone(client, document))


@cli.command("watch")
def watch_operation(operation: Operation, *, as_json: Json = False) -> None:
    """Follow an operation until it has ended, or a closed gate halts it.

    The exit code is 0 when everything is done, else that of what stood in the way.
    """
    client = Client(as_json=as_json)
    follow(client, client.call("GET", f"/operations/{segment(operation)}"), as_json=as_json)


@cli.command("cancel")
def cancel_operation(operation: Operation, *, reason: Reason, as_json: Json = False) -> None:
    """End an operation. What was done stays; the rest is not attempted."""
    _change(operation, "cancel", reason, as_json=as_json)


@cli.command("resume")
def resume_operation(operation: Operation, *, reason: Reason, as_json: Json = False) -> None:
    """Let an operation that a closed gate halted go on."""
    _change(operation, "resume", reason, as_json=as_json)


@cli.command("retry-failed")
def retry_failed_operation(operation: Operation, *, reason: Reason, as_json: Json = False) -> None:
    """Attempt once more what was refused or failed, after its cause was removed."""
    _change(operation, "retry-failed", reason, as_json=as_json)


def start(
    client: Client, source: Path, idempotency_key: str | None, *, wait: bool, as_json: bool
) -> None:
    """Make an operation of a file of orders, and follow it unless told otherwise."""
    media_type = "application/json" if source.suffix == ".json" else "application/x-ndjson"
    try:
        file = source.open("rb")
    except OSError as error:
        raise typer.BadParameter(f"--from {source} can't be read: {error.strerror}") from error
    with file:
        document = client.upload(
            "/instances/bulk", file, media_type, idempotency_key=idempotency_key
        )
    if wait:
        follow(client, document, as_json=as_json)
    elif as_json:
        print_json(document)
    else:
        say(f"Operation {document['operation_id']}: {document['total']} items.")
        say(f"See how far it is: factory operation watch {document['operation_id']}")


def follow(client: Client, operation: dict[str, Any], *, as_json: bool) -> None:
    """Follow an operation until it stands still, print it, and end with what stood in its way."""
    operation = _still(client, operation, quiet=as_json)
    if as_json:
        print_json(operation)
    undone = _undone(client, operation)
    if not as_json:
        _print(operation, undone)
    if code := _exit_code(operation, undone):
        raise typer.Exit(code)


def _change(operation: str, step: str, reason: str, *, as_json: bool) -> None:
    client = Client(as_json=as_json)
    document = client.call("POST", f"/operations/{segment(operation)}/{step}", {"reason": reason})
    if as_json:
        print_json(document)
        return
    say(
        f"Operation {document['operation_id']} is {document['state']}:"
        f" {document['not_attempted']} of {document['total']} items are not attempted."
    )


def _still(client: Client, operation: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """The operation as soon as it stands still; how far it is is shown meanwhile."""
    with shown(operation, quiet=quiet) as show:
        for now in _changes(client, f"/operations/{operation['operation_id']}/stream"):
            operation = now
            show(operation)
            if operation["state"] != "running":
                break
    return operation


def _changes(client: Client, path: str) -> Iterator[dict[str, Any]]:
    """The operation whenever it has changed; asked for again where the service goes away."""
    lost = 0
    while True:
        try:
            for operation in client.events(path, patient=lost < _TRIES):
                lost = 0
                yield operation
        except httpx.HTTPStatusError:
            lost += 1
        except httpx.TransportError as error:
            lost += 1
            if lost > _TRIES:
                raise unreachable(client.url, error) from error
        time.sleep(_PAUSE_S)


def _exit_code(operation: dict[str, Any], undone: list[dict[str, Any]]) -> int:
    if operation["state"] == "halted":
        return exit_code(operation["halted_code"])
    if operation["state"] == "cancelled":
        return CANCELLED
    if not undone:
        return 0
    first = undone[0]
    return EXIT_CODES[Kind.CONFLICT] if first["outcome"] == "blocked" else exit_code(first["code"])


def _undone(client: Client, operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The first items that were attempted and not done."""
    found: list[dict[str, Any]] = []
    for outcome in _NOT_DONE:
        if operation[outcome]:
            params = {"outcome": outcome, "limit": _SHOWN_ITEMS}
            path = f"/operations/{operation['operation_id']}/items"
            found += client.call("GET", path, params=params)["items"]
    return sorted(found, key=lambda item: item["ordinal"])[:_SHOWN_ITEMS]


def _print(operation: dict[str, Any], undone: list[dict[str, Any]]) -> None:
    counts = [name for name in _COUNTS if operation[name]]
    print_members(operation, "operation_id", "kind", "state", "actor", "total", *counts)
    if undone:
        say()
        print_table(undone, "ordinal", "outcome", "code", "event_id", "details")
        more = sum(operation[outcome] for outcome in _NOT_DONE) - len(undone)
        if more:
            say(f"and {more} more.")
    if operation["state"] == "halted":
        refusal = {**operation["halted_details"], "code": operation["halted_code"]}
        fail(explained({"detail": CATALOGUE[refusal["code"]].meaning, **refusal}))
        fail(f"  Then: factory operation resume {operation['operation_id']} --reason '…'")
