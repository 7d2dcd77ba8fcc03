"""What commands print: documents for programs, tables for people, one line for what went wrong."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.errors import CATALOGUE, Kind

Json = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON.")]
"""The option that every command has."""

EXIT_CODES = {
    Kind.INTERNAL: 1,
    Kind.INPUT: 2,
    Kind.CALLER: 3,
    Kind.MISSING: 4,
    Kind.GATE: 5,
    Kind.CONFLICT: 6,
    Kind.PRECONDITION: 7,
    Kind.UNAVAILABLE: 8,
}

_TOLD = ("gate", "required_scope", "fields", "etag", "templates", "units", "blockers")

_WIDE = None if sys.stdout.isatty() else 200  # nothing is folded for a pipe or a log

console = Console(highlight=False, width=_WIDE)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """Print what went wrong, on standard error."""
    _errors.print(message, style="red" if _errors.is_terminal else "", markup=False)


def exit_code(problem: Mapping[str, Any]) -> int:
    """The exit code of a problem document: by the class of its refusal."""
    spec = CATALOGUE.get(str(problem.get("code")))
    return EXIT_CODES[spec.kind] if spec else 1


def refused(problem: Mapping[str, Any], *, as_json: bool) -> typer.Exit:
    """Print a refusal; the exception that ends the command with its exit code."""
    if as_json:
        print_json(problem)
    else:
        fail(explained(problem))
    return typer.Exit(exit_code(problem))


def explained(problem: Mapping[str, Any]) -> str:
    """A problem for people: what, why, where, and what helps."""
    code = str(problem.get("code", "?"))
    lines = [f"{code}: {problem.get('detail') or problem.get('title')}"]
    lines += [f"  {error['pointer']}: {error['detail']}" for error in problem.get("errors", ())]
    lines += [f"  item {item['ordinal']}: {item['code']}" for item in problem.get("items", ())]
    lines += [f"  {name}: {_cell(problem[name])}" for name in _TOLD if name in problem]
    if spec := CATALOGUE.get(code):
        lines.append(f"  What helps: {spec.remedy}")
    if "request_id" in problem:
        lines.append(f"  Request: {problem['request_id']}")
    return "\n".join(lines)


def print_json(document: object) -> None:
    """Print a document for programs."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(rows: Sequence[Mapping[str, Any]], *columns: str, empty: str = "Nothing.") -> None:
    """Print rows for people: one column per member that is named."""
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console.print(table)


def print_members(document: Mapping[str, Any], *names: str) -> None:
    """Print a document's members for people, one a line; all of them, unless some are named."""
    shown = {name: document.get(name) for name in names or document}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        console.print(f"{name.replace('_', ' '):<{width}}  {_cell(value)}", markup=False)


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case str() | int() | float():
            return str(value)
        case list() if all(isinstance(part, str) for part in value):
            return ", ".join(value) or "-"
    return json.dumps(value, ensure_ascii=False, default=str)
