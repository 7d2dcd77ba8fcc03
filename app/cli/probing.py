"""`factory probe`: whether composing answers as it must."""

from typing import Any

import typer

from app.cli.client import Client
from app.cli.output import Json, fail, print_json, print_table, say, words
from app.settings import SettingsError

NOT_RUN = 2
"""The exit code where it can't be told; 1 says that a probe does not hold."""

_EXIT_CODES = {"holds": 0, "differs": 1, "not_run": NOT_RUN}


def register(cli: typer.Typer) -> None:
    """Add the command to the program."""
    cli.command("probe")(probe)


def probe(*, as_json: Json = False) -> None:
    """Prove that composing answers as it must (C1 to C12), on your own data, and undo all of it.

    Exit code 0 where all twelve hold, 1 where one does not, 2 where they could not be run.
    """
    report = _report(as_json=as_json)
    if as_json:
        print_json(report)
    else:
        _print(report)
    raise typer.Exit(_EXIT_CODES[report["verdict"]])


def _report(*, as_json: bool) -> Any:
    try:
        return Client(as_json=as_json).call("POST", "/observability/probes")
    except typer.Exit as told:
        raise typer.Exit(NOT_RUN) from told
    except SettingsError as error:
        fail(str(error))
        raise typer.Exit(NOT_RUN) from error


def _print(report: Any) -> None:
    rows = [
        {
            "probe": row["probe"],
            "given": row["given"],
            "verdict": row["verdict"].replace("_", " "),
            "answer": _answer(row),
        }
        for row in report["probes"]
    ]
    print_table(rows, "probe", "given", "verdict", "answer")
    if report["verdict"] == "holds":
        say("All of them hold, and nothing is left of them.")
    elif report["verdict"] == "differs":
        fail("Something does not hold.")
    else:
        fail("Not all of them could be run.")


def _answer(row: Any) -> str:
    parts = [words(row["actual"])]
    if row["actual"] != row["expected"]:
        parts.append(f"expected: {words(row['expected'])}")
    if row["note"]:
        parts.append(row["note"])
    return "; ".join(parts)
