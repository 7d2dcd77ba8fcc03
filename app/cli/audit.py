"""`factory audit …`: what commands did, whether it is still what was sealed, a head to keep."""

import base64
import binascii
import hashlib
import json
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.client import Client
from app.cli.files import new_file
from app.cli.output import Json, cell, counted, fail, print_json, print_table, say
from app.cli.times import time_option

cli = typer.Typer(help="List what commands did, and prove it.", no_args_is_help=True)

NOT_WHAT_IT_WAS = 6

_EXPORT = "/commands/runs/export"


@cli.command("list")
def list_runs(
    *,
    command: Annotated[str | None, typer.Option(help="Only runs of this command.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only runs of this actor.")] = None,
    since: Annotated[datetime | None, time_option("Only from this time on.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List runs of commands, the last first."""
    rows = list(
        islice(
            Client(as_json=as_json).pages(
                "/commands/runs",
                command=command,
                actor=actor,
                since=since and since.isoformat(),
            ),
            limit,
        )
    )
    if as_json:
        print_json(rows)
        return
    shown = [
        {**row, "at": row["last_at"], "segment": row["segment_no"], "counts": _counts(row)}
        for row in rows
    ]
    print_table(shown, "at", "command", "outcome", "code", "actor", "counts", "segment")


@cli.command("seal")
def seal(*, as_json: Json = False) -> None:
    """Seal what is old enough now. The service does so by itself, several times a minute."""
    document = Client(as_json=as_json).call("POST", "/commands/runs/seal")
    if as_json:
        print_json(document)
        return
    sealed = counted(document["runs"], "run")
    say(f"{sealed} sealed, in {counted(document['segments'], 'segment')}.")
    if not document["complete"]:
        say("Somebody is writing still, so not all could be sealed: try again.")


@cli.command("verify")
def verify(
    *,
    head: Annotated[
        Path | None,
        typer.Option(help="A head that was exported, and must still be in the chain."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The public key (PEM) that the head must be signed with."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look whether the audit log is what was sealed. Exit code 6 where it is not."""
    if key is not None and head is None:
        raise typer.BadParameter("--key says whose a --head is")
    expected = None if head is None else {"head": read_head(head, key)}
    document = Client(as_json=as_json).look("/commands/runs/verify", params=expected)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if not document["holds"]:
        raise typer.Exit(NOT_WHAT_IT_WAS)


@cli.command("export")
def export(
    *,
    output: Annotated[
        Path | None, typer.Option(help="A new file for it. Left out: standard output.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give the chain's head away, signed: keep it where nobody can change it."""
    client = Client(as_json=as_json)
    if output is None:
        print_json(client.call("POST", _EXPORT))
        return
    # First, for what was given away counts as exported, though nobody could keep it.
    with new_file(output) as file:
        document = client.call("POST", _EXPORT)
        file.write(f"{json.dumps(document, indent=2)}\n".encode("ascii"))
    if as_json:
        print_json({"output": str(output), "segment_no": document["segment_no"]})
    else:
        say(f"The head of segment {document['segment_no']} is in {output}: keep it elsewhere.")


def _print(document: dict[str, Any]) -> None:
    if document["findings"]:
        print_table(document["findings"], "kind", "subject", "expected", "actual")
    if document["truncated"]:
        say("There are more.")
    unsealed = document["unsealed"]
    if unsealed["runs"]:
        more = " or more" if unsealed["more"] else ""
        say(f"{unsealed['runs']}{more} runs since {cell(unsealed['since'])} are not sealed yet.")
    if document["holds"]:
        retired = f", {document['retired']} of them retired" if document["retired"] else ""
        segments = counted(document["segments"], "segment")
        say(f"{counted(document['runs'], 'run')} in {segments}{retired}: all hold.")
    else:
        fail("The audit log is not what was sealed.")


def read_head(path: Path, key: Path | None) -> str:
    """The digest of an exported head. Raises typer.BadParameter for one that is none."""
    from app.signing import is_signed

    try:
        head = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(head, dict):
            raise TypeError("it is no JSON object")  # noqa: TRY301
        public_key = head["public_key"] if key is None else key.read_text(encoding="ascii")
        text = head["head"].encode()
        signature = base64.b64decode(head["signature"], validate=True)
        sound = (
            hashlib.sha256(text).hexdigest() == head["segment_digest"]
            and head["head"].startswith(f"segment {head['segment_no']}\n")
            and is_signed(text, signature, public_key)
        )
    except OSError as error:
        raise typer.BadParameter(f"{error.filename} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        or_key = "" if key is None else f", or {key} no key"
        raise typer.BadParameter(f"{path} is no head{or_key}: {error}") from error
    if not sound:
        raise typer.BadParameter(f"{path} was changed, or is not signed with that key")
    return str(head["segment_digest"])


def _counts(row: dict[str, Any]) -> str:
    if row["counts"] is None:
        return f"{row['occurrences']} times" if row["occurrences"] > 1 else ""
    return ", ".join(f"{count} {name}" for name, count in row["counts"].items() if count)
