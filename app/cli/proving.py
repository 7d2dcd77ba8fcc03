"""`factory evidence …`: an archive that proves an instance, and checking one offline."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.audit import NOT_WHAT_IT_WAS, read_head
from app.cli.client import Client, segment
from app.cli.files import new_file
from app.cli.output import Json, fail, print_json, print_table, say

cli = typer.Typer(help="Prove an instance, and check such a proof offline.", no_args_is_help=True)

Head = Annotated[Path | None, typer.Option(help="A head that was exported, and kept elsewhere.")]


@cli.command("get")
def get(
    instance: Annotated[str, typer.Argument(help="The instance's UUID.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A new file. Left out: evidence-UUID.zip."),
    ] = None,
    head: Head = None,
    as_json: Json = False,
) -> None:
    """Get the archive that proves an instance. With --head its audit chain goes to that head."""
    params = None if head is None else {"head": read_head(head, None)}
    client = Client(as_json=as_json)
    path = Path(f"evidence-{instance}.zip") if output is None else output
    with new_file(path) as file:
        file.write(
            client.content(
                f"/instances/{segment(instance)}/evidence", "application/zip", params=params
            )
        )
    if as_json:
        print_json({"output": str(path)})
    else:
        say(f"The evidence is in {path}: factory evidence verify {path}")


@cli.command("verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The archive.")],
    *,
    head: Head = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The public key (PEM) that it, and the head, must be signed with."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify an archive, without the service. Exit code 6 where it is not what was given.

    Without --key or --head it is only known to agree with itself.
    """
    from app.evidence.verifying import verify as verified

    digest = None if head is None else read_head(head, key)
    public_key = None if key is None else _read_key(key)
    found = verified(_read(file), head=digest, key=public_key)
    rows = [asdict(finding) for finding in found.findings]
    compared = [name for name, given in (("head", head), ("key", key)) if given is not None]
    if as_json:
        print_json(
            {
                "holds": found.holds,
                "compared_with": compared,
                "findings": rows,
                "says": found.predicate,
            }
        )
    else:
        _print(found.predicate, rows, compared)
    if not found.holds:
        raise typer.Exit(NOT_WHAT_IT_WAS)


_PROVEN = {
    "run": "its run {record_id} is sealed in segment {segment_no}.",
    "older_than_runs": "the factory's signature only: it is older than the record of runs.",
    "run_retired": "the factory's signature only: its run was retired.",
}


def _print(says: Any, rows: list[dict[str, Any]], compared: list[str]) -> None:
    if rows:
        print_table(rows, "kind", "subject", "expected", "actual")
        fail("The evidence does not hold.")
        return
    current = "the current version" if says["current_at_composing"] else "not the current version"
    run = says["run"] or {}
    say(f"Instance {says['instance_collection_id']}")
    say(f"composed at {says['composed_at']} from {says['template_key']}, {current} then")
    say(f"composition {says['composition_digest']}")
    if says["data_digest"] is not None:
        say(f"data {says['data_digest']}")
    proven = _PROVEN[says["proven_by"]]
    say(
        "Proven by: "
        + proven.format(record_id=run.get("record_id"), segment_no=says["segment"]["segment_no"])
    )
    signed = says["signed_head"]
    say(f"Signed with it: the head of segment {signed['segment_no']}, {signed['segment_digest']}")
    if compared:
        say(f"Everything holds, with the {' and the '.join(compared)} that you have.")
    else:
        say("Everything holds, with the key that is in it: compare that with --key, or --head.")


def _read(path: Path) -> bytes:
    from app.evidence.archive import MAX_ARCHIVE

    try:
        with path.open("rb") as file:
            # One byte more than there may be, which is then refused; however large it is.
            return file.read(MAX_ARCHIVE + 1)
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from error


def _read_key(path: Path) -> str:
    from app.signing import same_key

    try:
        text = path.read_text(encoding="ascii")
        same_key(text, text)
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"{path} is no key: {error}") from error
    return text
