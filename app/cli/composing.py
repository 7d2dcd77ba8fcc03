"""`factory instantiate` and `factory verify`."""

import json
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from app.cli.client import Client, as_body, segment
from app.cli.operations import start
from app.cli.output import (
    Json,
    exit_code,
    explained,
    fail,
    print_json,
    print_members,
    print_table,
    say,
)

NOT_WHAT_IT_WAS = 6
"""The exit code of a verification that found something: the state of what is stored."""


def register(cli: typer.Typer) -> None:
    """Add the commands to the program."""
    cli.command("instantiate")(instantiate)
    cli.command("verify")(verify)


_OF_ONE = (
    "event_id",
    "event_type",
    "suffix",
    "actor",
    "data",
    "reason",
    "require_current",
    "dry_run",
)
_OF_MANY = ("idempotency_key", "no_wait")


def instantiate(
    context: typer.Context,
    template: Annotated[
        str | None,
        typer.Argument(
            help="A family (its current version), a key such as tpl:wf:x/v2, or a UUID."
            " Or say --from."
        ),
    ] = None,
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Many instances: a file with the order of one on each line (.json: an array of"
            " orders). They become an operation, which is followed to its end.",
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="With --from: the same key brings back the same operation."),
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="With --from: do not follow the operation.")
    ] = False,
    event_id: Annotated[
        str | None, typer.Option(help="The event's UUID. Left out: a new one.")
    ] = None,
    event_type: Annotated[str, typer.Option(help="The event's type.")] = "factory.manual",
    suffix: Annotated[str, typer.Option(help="Tells instances of one event apart.")] = "",
    actor: Annotated[str | None, typer.Option(help="As whom. Left out: the key's own.")] = None,
    data: Annotated[
        str, typer.Option(help="The payload: a JSON object, or @FILE with one in it.")
    ] = "{}",
    reason: Annotated[str, typer.Option(help="Why, for the event log.")] = "",
    require_current: Annotated[
        bool, typer.Option("--require-current", help="Refuse a superseded version.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but write, and say what would come.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compose one instance, as an event would. The same event again answers the same instance.

    With --from compose many, as an operation. Each line has what the API takes for one, such as
    `{"event_id": "…", "event_type": "employee.hired", "template": "tpl:wf:onboarding"}`.
    """
    if (template is None) == (source is None):
        raise typer.BadParameter("name a template, or say --from FILE")
    _refuse_given(context, _OF_MANY if source is None else _OF_ONE, source)
    if source is not None:
        start(Client(as_json=as_json), source, idempotency_key, wait=not no_wait, as_json=as_json)
        return
    order = {
        "event_id": event_id or str(uuid4()),
        "event_type": event_type,
        "template": template,
        "suffix": suffix,
        "actor": actor,
        "emit_mode": "dry_run" if dry_run else "live",
        "reason": reason,
        "require_current": require_current,
    }
    # As it was written: names that stand twice and numbers without end are the service's to judge.
    body = as_body(order)[:-1] + b', "data": ' + _json_of(data) + b"}"
    document = Client(as_json=as_json).call("POST", "/instances/from-event", body)
    would_be_refused = document.get("refusal")
    if as_json:
        print_json(document)
    elif would_be_refused:
        refusal = {**would_be_refused["members"], **would_be_refused}
        fail(f"It would be refused. {explained(refusal)}")
    else:
        print_members({"outcome": document["outcome"], **document})
    if would_be_refused:
        raise typer.Exit(exit_code(would_be_refused["code"]))


def _refuse_given(context: typer.Context, names: tuple[str, ...], source: Path | None) -> None:
    why = "goes with --from" if source is None else "does not go with --from: each line has its own"
    for name in names:
        origin = context.get_parameter_source(name)
        if origin is not None and origin.name == "COMMANDLINE":
            raise typer.BadParameter(f"--{name.replace('_', '-')} {why}")


def _json_of(data: str) -> bytes:
    try:
        text = (
            Path(data[1:]).read_bytes()
            if data.startswith("@")
            else data.encode("utf-8", "surrogateescape")
        )
        json.loads(text)
    except OSError as error:
        raise typer.BadParameter(f"--data {data} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise typer.BadParameter(f"--data is no JSON: {error}") from error
    return text


def verify(
    instance: Annotated[
        str | None, typer.Argument(help="An instance's UUID. Left out: everything there is.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Recompute digests from the stored content. Exit code 6 where something does not hold."""
    client = Client(as_json=as_json)
    if instance is None:
        document = client.call("GET", "/observability/integrity")
    else:
        document = client.call("GET", f"/instances/{segment(instance)}/verify")
    if as_json:
        print_json(document)
    else:
        if document["findings"]:
            print_table(document["findings"], "kind", "expected", "actual", "subject")
        if document.get("truncated"):
            say(f"There are more; by kind: {json.dumps(document['counts'])}")
        if document["holds"]:
            say("Everything holds." if instance is None else "The instance holds.")
        else:
            fail("Something does not hold.")
    if not document["holds"]:
        raise typer.Exit(NOT_WHAT_IT_WAS)
