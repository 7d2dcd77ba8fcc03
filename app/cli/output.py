"""What commands print: documents for programs, tables for people, one line for what went wrong."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from app.errors import CATALOGUE, Kind
from app.refusals.gates import GATE_KEYS, gate_code

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
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

# The catalogue speaks of HTTP; here is said what has a command.
_LEASE = "opens it for a while: factory gate lease {gate} --reason '…'"
_REMEDIES: Mapping[str, str] = {
    **{gate_code(gate): f"an operator {_LEASE}" for gate in GATE_KEYS},
    "delivery_gate_closed": f"an admin {_LEASE}",
    "gate_sealed": "an admin unseals it: factory gate seal {gate} --undo --reason '…'",
    "unauthenticated": "use a key that is in force, in FACTORY_API_KEY; an admin makes one: factory"
    " key create. With the embedded database the first one lies in admin.key in the data directory",
    "template_collection_not_found": "see what there is: factory template list",
    "template_family_not_found": "see what there is: factory template list",
    "unit_not_found": "see what there is: factory piece list",
    "snapshot_not_found": "see what there is: factory snapshots; another one: factory snapshot",
    "retention_policy_not_found": "see what there is: factory retention policies",
    "gate_not_found": "see what there is: factory gate list",
    "api_key_not_found": "see what there is: factory key list",
}

_LISTED_APART = ("errors", "items")
_ANY_WIDTH = 1_000_000
_NARROWEST_TEXT = 12
_GAP = 2
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")

# A terminal has a width; a pipe or a file has none, and nothing is folded for it.
console = Console(highlight=False, width=None if sys.stdout.isatty() else _ANY_WIDTH)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(line: str = "") -> None:
    """Print a line for people, which is not folded: what it shows can be copied."""
    console.print(_harmless(line), markup=False, soft_wrap=True)


def headline(line: str) -> None:
    """Print a line in bold."""
    console.print(Text(_harmless(line), style="bold"), soft_wrap=True)


def fail(message: str) -> None:
    """Print what went wrong, on standard error."""
    style = "red" if _errors.is_terminal else ""
    _errors.print(_harmless(message), style=style, markup=False)


def _harmless(text: str) -> str:
    # What others have stored must not command the terminal of who looks at it.
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def exit_code(code: object) -> int:
    """The exit code for a refusal's code: by the class of the refusal."""
    spec = CATALOGUE.get(str(code))
    return EXIT_CODES[spec.kind] if spec else 1


def refused(problem: Mapping[str, Any], *, as_json: bool = False) -> typer.Exit:
    """Print a problem document; the exception that ends the command with its exit code."""
    if as_json:
        print_json(problem)
    else:
        fail(explained(problem))
    return typer.Exit(exit_code(problem.get("code")))


def explained(problem: Mapping[str, Any]) -> str:
    """A problem for people: what, why, where, and what helps."""
    code = str(problem.get("code", "?"))
    spec = CATALOGUE.get(code)
    lines = [f"{code}: {problem.get('detail') or problem.get('title')}"]
    lines += [f"  {_place(error)}{error['detail']}" for error in problem.get("errors", ())]
    lines += [f"  item {item['ordinal']}: {item['code']}" for item in problem.get("items", ())]
    if spec is not None:
        lines += [
            f"  {member.name}: {cell(problem[member.name])}"
            for member in spec.members
            if member.name in problem and member.name not in _LISTED_APART
        ]
        gate = str(problem.get("gate", "")).removeprefix("iu_core.")
        remedy = _REMEDIES.get(code, "").format(gate=gate) or spec.remedy
        lines.append(f"  What helps: {remedy}")
    if "request_id" in problem:
        lines.append(f"  Request: {problem['request_id']}")
    return "\n".join(lines)


def _place(error: Mapping[str, Any]) -> str:
    # An empty pointer means the document as a whole.
    line = [f"line {error['line']}"] if "line" in error else []
    place = ", ".join([*line, *filter(None, [error["pointer"]])])
    return f"{place}: " if place else ""


def print_json(document: object) -> None:
    """Print a document for programs."""
    unicode = sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(document, ensure_ascii=not unicode, indent=2, default=str)
    sys.stdout.write(f"{text}\n")
    # Now, while somebody can still be told that nobody reads it.
    sys.stdout.flush()


def print_table(rows: Sequence[Mapping[str, Any]], *columns: str, empty: str = "Nothing.") -> None:
    """Print rows for people: one column per member that is named.

    On a terminal the last column is folded where it must be, and no other one: keys and ids can be
    copied. Where even that does not fit, each row is printed as a block of lines.
    """
    if not rows:
        say(empty)
        return
    cells = [[cell(row.get(column)) for column in columns] for row in rows]
    titles = [column.replace("_", " ") for column in columns]
    widths = [max(map(cell_len, texts)) for texts in zip(titles, *cells, strict=True)]
    needed = sum(widths[:-1]) + _GAP * len(widths[:-1]) + min(widths[-1], _NARROWEST_TEXT)
    if needed > console.width:
        for number, row in enumerate(rows):
            if number:
                say()
            print_members(row, *columns)
        return
    headline(_line(titles, widths))
    rest = max(console.width - needed + min(widths[-1], _NARROWEST_TEXT), 1)
    for texts in cells:
        first, *others = _folded(texts[-1], rest)
        say(_line([*texts[:-1], first], widths))
        for other in others:
            say(_line([""] * len(titles[:-1]) + [other], widths))


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    padded = (set_cell_size(text, width) for text, width in zip(texts[:-1], widths, strict=False))
    return (" " * _GAP).join([*padded, texts[-1]]).rstrip()


def _folded(text: str, width: int) -> list[str]:
    return [str(line) for line in Text(text).wrap(console, width, overflow="fold")] or [""]


def print_members(document: Mapping[str, Any], *names: str) -> None:
    """Print a document's members for people, one a line; all of them, unless some are named."""
    shown = {name: document.get(name) for name in names or document}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        lines = cell(value).rstrip("\n").replace("\n", "\n" + " " * (width + _GAP))
        say(f"{name.replace('_', ' '):<{width + _GAP}}{lines}")


def counted(number: int, noun: str) -> str:
    """So many of something: "1 lease", "2 leases"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cell(value: object) -> str:
    """A member's value as people read it."""
    match value:
        case None | "" | []:
            text = "-"
        case dict() if not value:
            text = "-"
        case bool():
            text = "yes" if value else "no"
        case str():
            text = _TIMESTAMP.sub(r"\1 \2Z", value)
        case list() if all(isinstance(part, str) for part in value):
            text = ", ".join(value)
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
    return text


def words(answer: object) -> str:
    """A structured answer as people read it, in one line."""
    if isinstance(answer, list | tuple):
        return ", ".join(cell(part) for part in answer) or "none"
    if isinstance(answer, dict):
        # What the database answers has its members in no order of ours.
        names = sorted(answer, key=lambda name: name != "status")
        return ", ".join(f"{name}: {cell(answer[name])}" for name in names)
    return cell(answer)
