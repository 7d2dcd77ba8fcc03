"""`factory gate …`: what is open, for whom, until when."""

from typing import Annotated, Any

import typer

from app.cli.client import Client, segment
from app.cli.output import Json, cell, counted, print_json, print_table, say

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
    shown = [
        {
            "gate": row["gate"],
            "state": f"{row['state']}, sealed" if row["sealed"] else row["state"],
            "until": row["leases_end_at"] if row["state"] == "leased" else None,
            "reason": row["reason"],
        }
        for row in rows
    ]
    print_table(shown, "gate", "state", "until", "reason")


@cli.command("open")
def open_gate(key: Key, *, reason: Reason, as_json: Json = False) -> None:
    """Open a gate until it is closed. A lease closes by itself: prefer one."""
    order = {"state": "open", "reason": reason}
    document = Client(as_json=as_json).call("PUT", f"/gates/{segment(key)}", order)
    if as_json:
        print_json(document)
        return
    say(f"{document['gate']} is open until it is closed.")


@cli.command("close")
def close_gate(
    key: Annotated[
        str | None, typer.Argument(help="The gate; `iu_core.` may be left out. Or say --all.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Close all eleven gates.")] = False,
    seal: Annotated[
        bool, typer.Option("--seal", help="Refuse whatever would open it, until it is unsealed.")
    ] = False,
    reason: Reason = "closed from the command line",
    as_json: Json = False,
) -> None:
    """Close a gate, or all of them, and end their leases."""
    if every == (key is not None):
        raise typer.BadParameter("name one gate, or say --all")
    client = Client(as_json=as_json)
    if key is None:
        order: dict[str, Any] = {"reason": reason, "seal": seal}
        document = client.call("POST", "/gates/close-all", order)
    else:
        # Without --seal the seal stays as it is, which is not the same as unsealing.
        order = {"state": "closed", "reason": reason} | ({"seal": True} if seal else {})
        document = client.call("PUT", f"/gates/{segment(key)}", order)
    if as_json:
        print_json(document)
        return
    for gate in document["gates"] if key is None else [document]:
        say(f"{gate['gate']} is {_closed(gate)}.")


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
    document = Client(as_json=as_json).call("POST", f"/gates/{segment(key)}/leases", order)
    if as_json:
        print_json(document)
        return
    say(
        f"{document['gate']} is open until {cell(document['expires_at'])}"
        f" (lease {document['lease_id']})."
    )


@cli.command("seal")
def seal_gate(
    key: Key,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Unseal it: it stays closed.")] = False,
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Close a gate and refuse whatever would open it, until an admin unseals it."""
    order = {"state": "closed", "reason": reason, "seal": not undo}
    document = Client(as_json=as_json).call("PUT", f"/gates/{segment(key)}", order)
    if as_json:
        print_json(document)
        return
    say(f"{document['gate']} is {_closed(document)}{', no longer sealed' if undo else ''}.")


def _closed(gate: dict[str, Any]) -> str:
    parts = ["closed"]
    if gate["draining"]:
        parts.append("draining: some who were let in before may still commit")
    if gate["sealed"]:
        parts.append("sealed")
    if gate["leases_ended"]:
        parts.append(f"{counted(gate['leases_ended'], 'lease')} ended")
    return ", ".join(parts)
