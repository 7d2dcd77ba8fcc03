"""`factory retention …`: how long what is kept, and deleting what need not be kept any longer."""

from collections import Counter
from typing import Annotated, Any

import typer

from app.cli.client import Client, segment
from app.cli.output import Json, cell, print_json, print_table, say

cli = typer.Typer(help="How long what is kept, and cleaning up.", no_args_is_help=True)

_POLICIES = "/retention/policies"
_CLEANUP = "/retention/cleanup"
_SUMMED = ("rows_eligible", "rows_deleted", "rows_gone", "rows_left")
_COLUMNS = ("target", "keep_days", "cutoff", *_SUMMED)


@cli.command("policies")
def list_policies(*, as_json: Json = False) -> None:
    """List how long each target is kept."""
    rows = list(Client(as_json=as_json).pages(_POLICIES))
    if as_json:
        print_json(rows)
        return
    print_table(rows, "target", "keep_days", "enabled", "changed_by", "reason")


@cli.command("set")
def set_policy(
    target: Annotated[str, typer.Argument(help="As `factory retention policies` lists it.")],
    *,
    keep_days: Annotated[int, typer.Option(min=1, max=36_500, help="For how long.")],
    enabled: Annotated[
        bool, typer.Option("--enabled/--disabled", help="Whether it is deleted at all.")
    ] = True,
    reason: Annotated[str, typer.Option(help="Why, for the audit log.")],
    as_json: Json = False,
) -> None:
    """Say how long a target is kept. Deletes nothing."""
    order = {"keep_days": keep_days, "enabled": enabled, "reason": reason}
    document = Client(as_json=as_json).call("PUT", f"{_POLICIES}/{segment(target)}", order)
    if as_json:
        print_json(document)
        return
    kept = f"kept for {document['keep_days']} days" if document["enabled"] else "kept for ever"
    say(f"{document['target']} is {kept}{'' if document['changed'] else ', as before'}.")


@cli.command("cleanup")
def clean_up(
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Delete it.")] = False,
    plan_digest: Annotated[
        str | None, typer.Option(help="Of a dry run: delete exactly what that named.")
    ] = None,
    planned_at: Annotated[
        str | None, typer.Option(help="Of the same dry run, as it was printed.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why. Needed with --apply.")] = "",
    as_json: Json = False,
) -> None:
    """Show what the policies let go; with --apply, delete it, portion by portion.

    Interrupted, it can be given again: what was deleted is gone, and the rest follows.
    """
    if apply and not reason:
        raise typer.BadParameter("say why, with --reason")
    if (plan_digest is None) != (planned_at is None):
        raise typer.BadParameter("a plan is --plan-digest and --planned-at")
    client = Client(as_json=as_json)
    order: dict[str, Any] = {"dry_run": not apply, "reason": reason}
    if plan_digest is not None:
        order |= {"plan_digest": plan_digest, "planned_at": planned_at}
    if apply:
        document = _applied(client, order, further=plan_digest is None)
    else:
        document = client.call("POST", _CLEANUP, order)
    if as_json:
        print_json(document)
        return
    print_table(document["targets"], *_COLUMNS)
    _say_what_stays(document)
    if not apply:
        say(
            "\nNothing was deleted. To delete exactly this: --apply --reason '…'"
            f"\n  --plan-digest {document['plan_digest']} --planned-at {document['planned_at']}"
        )


def _applied(client: Client, order: dict[str, Any], *, further: bool) -> dict[str, Any]:
    """The last answer, with the rows of all calls. `further`: also what one plan can't name."""
    rows: Counter[tuple[str, str]] = Counter()
    retired: list[int] = []
    while True:
        document = _carried_on(client, order, rows)
        retired += document["segments_retired"]
        more = any(target["more"] for target in document["targets"])
        if not (further and more and document["rows_deleted"]):
            break
    for target in document["targets"]:
        for name in _SUMMED:
            target[name] = rows[target["target"], name]
    for name in ("rows_eligible", "rows_deleted"):
        document[name] = sum(target[name] for target in document["targets"])
    return {**document, "segments_retired": retired}


def _carried_on(
    client: Client, order: dict[str, Any], rows: Counter[tuple[str, str]]
) -> dict[str, Any]:
    """The last answer of one plan, with all that its calls have deleted; `rows` are added to.

    A plan that is not given is made by the first call, and the others carry it on.
    """
    document: dict[str, Any] = {"complete": False}
    first: dict[str, Any] = {}
    deleted: Counter[str] = Counter()
    retired: list[int] = []
    while not document["complete"]:
        document = client.call("POST", _CLEANUP, order)
        first = first or {name: document[name] for name in ("begun_at", "begun_by")}
        order = order | {name: document[name] for name in ("plan_digest", "planned_at")}
        retired += document["segments_retired"]
        for target in document["targets"]:
            deleted[target["target"]] += target["rows_deleted"]
    for target in document["targets"]:
        name = target["target"]
        rows[name, "rows_eligible"] += target["rows_eligible"]
        rows[name, "rows_deleted"] += deleted[name]
        rows[name, "rows_gone"] += target["rows_gone"] + target["rows_deleted"] - deleted[name]
        rows[name, "rows_left"] += target["rows_left"]
    return {**document, **first, "rows_deleted": deleted.total(), "segments_retired": retired}


def _say_what_stays(document: dict[str, Any]) -> None:
    if document["begun_by"] is not None:
        say(f"\nThe plan was begun by {document['begun_by']} at {cell(document['begun_at'])}.")
    for target in document["targets"]:
        for why, segments in target["held"].items():
            say(f"\n{target['target']}: {segments} segments stay ({why}).")
        if target["more"]:
            say(f"\n{target['target']}: there may be more than one plan names.")
