"""`factory gate …`: what is open, for whom, until when."""

from typing import Annotated

import typer

from app.cli.client import Client
from app.cli.output import Json, console, print_json, print_table

cli = typer.Typer(help="Open, lease and close the gates.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="The gate; `iu_core.` may be left out.")]
Reason = Annotated[str, typer.Option(help="Why, for the gate's history.")]


@cli.command("list")
def list_gates(*, as_json: Json = False) -> None:
    """List the eleven gates and their state."""
    rows = list(Client(as_json=as_json).pages("/gates"))
    if as_json:
        print_json(rows)
        return
    columns = ("gate", "state", "leases_end_at", "sealed", "changed_by", "reason")
    print_table(rows, *columns)


@cli.command("open")
def open_gate(key: Key, *, reason: Reason, as_json: Json = False) -> None:
    """Open a gate until it is closed. A lease closes by itself: prefer one."""
    client = Client(as_json=as_json)
    order = {"state": "open", "reason": reason}
    document = client.call("PUT", f"/gates/{key}", json=order).json()
    if as_json:
        print_json(document)
        return
    console.print(f"{document['gate']} is open until it is closed.")


@cli.command("close")
def close_gate(
    key: Annotated[str | None, typer.Argument(help="The gate; without it say --all.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Close all eleven gates.")] = False,
    seal: Annotated[bool, typer.Option(help="Refuse openings and leases until unsealed.")] = False,
    reason: Reason = "closed from the command line",
    as_json: Json = False,
) -> None:
    """Close a gate, or all of them, and end their leases."""
    if every == (key is not None):
        raise typer.BadParameter("name one gate, or say --all")
    client = Client(as_json=as_json)
    if every:
        order = {"reason": reason, "seal": seal}
        document = client.call("POST", "/gates/close-all", json=order).json()
        gates = document["gates"]
    else:
        put = {"state": "closed", "reason": reason} | ({"seal": True} if seal else {})
        document = client.call("PUT", f"/gates/{key}", json=put).json()
        gates = [document]
    if as_json:
        print_json(document)
        return
    for gate in gates:
        state = "closed, draining" if gate["draining"] else "closed"
        ended = f", {gate['leases_ended']} leases ended" if gate["leases_ended"] else ""
        console.print(f"{gate['gate']} is {state}{', sealed' if gate['sealed'] else ''}{ended}.")


@cli.command("lease")
def lease_gate(
    key: Key,
    *,
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="For how long.")] = 60,
    actor: Annotated[str | None, typer.Option(help="Admit this actor only.")] = None,
    uses: Annotated[
        int | None, typer.Option(min=1, help="Admit so many newly composed instances.")
    ] = None,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Open a gate for a while: it closes by itself."""
    order = {"seconds": minutes * 60, "reason": reason, "for_actor": actor, "uses": uses}
    client = Client(as_json=as_json)
    document = client.call("POST", f"/gates/{key}/leases", json=order).json()
    if as_json:
        print_json(document)
        return
    console.print(
        f"{document['gate']} is open until {document['expires_at']} (lease {document['lease_id']})."
    )


@cli.command("seal")
def seal_gate(
    key: Key,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Unseal: it stays closed.")] = False,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Close a gate and refuse whatever would open it, until an admin unseals it."""
    client = Client(as_json=as_json)
    order = {"state": "closed", "reason": reason, "seal": not undo}
    document = client.call("PUT", f"/gates/{key}", json=order).json()
    if as_json:
        print_json(document)
        return
    console.print(
        f"{document['gate']} is closed and {'sealed' if document['sealed'] else 'not sealed'}."
    )
