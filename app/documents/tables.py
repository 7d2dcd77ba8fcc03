"""Tables as GitHub writes them, in the tokens that formats need: a rule for the parser of Markdown.

What is a table, and what is in its cells, is as the parser's own rule has it
(https://github.github.com/gfm/#tables-extension-). That rule looks at every character by
itself, which is a tenth of what a page costs; where rows leave out too many cells it ends the
table without a word; it does not say what a head is the head of; and it aligns by a style, which
may say anything. And a cell is one token here, not three, which is another tenth.

    table_open           class="facts" where the head is empty, and then there is no thead
    inline, of tag "th"  scope="col" in a head; scope="row" where a row of facts begins
    inline, of either    class="left", "center" or "right" where the column says so
"""

import re
from collections.abc import Sequence

from markdown_it.common.utils import mdTrim
from markdown_it.parser_block import RuleFuncBlockType
from markdown_it.rules_block import StateBlock

from app.documents.errors import DocumentTooLargeError

MAX_FILLED = 65_536
MAX_FILLED_PER_CHARACTER = 2
"""Cells of a section's tables that its rows leave out: few characters could come to millions."""

_DELIMITERS = re.compile(r"(?!-[ \t])[-:|][-:| \t]+")
_DELIMITER = re.compile(r"(?P<left>:-+)|(?P<center>:-+:)|(?P<right>-+:)|-+")
_SEPARATOR = re.compile(r"(?<!\\)\|")

_Attributes = dict[str, str | int | float]
_Kind = tuple[str, _Attributes]
"""Of a column's cells: their tag, and what it says."""


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read the table that begins at the line `start`, if one does; if silent, say whether it does.

    Refuses with DocumentTooLargeError rows that leave out more cells than a text may be filled up
    with.
    """
    text = _text(state, start)
    if start + 1 == end or "|" not in text or state.is_code_block(start):
        return False
    head, columns = _cells(text), _columns(state, start + 1)
    if not head or len(head) != len(columns):
        return False
    if silent:
        return True

    around, state.parentType = state.parentType, "table"
    opening = state.push("table_open", "table", 1)
    if any(head):
        state.push("thead_open", "thead", 1)
        _push_row(state, head, [("th", {"scope": "col", **column}) for column in columns])
        state.push("thead_close", "thead", -1)
        kinds = [("td", column) for column in columns]
    else:
        opening.attrs["class"] = "facts"
        kinds = [("th", {"scope": "row", **columns[0]})]
        kinds += [("td", column) for column in columns[1:]]

    line = start + 2
    others = state.md.block.ruler.getRules("blockquote")
    while line < end and _is_row(state, line, end, others):
        if line == start + 2:
            state.push("tbody_open", "tbody", 1)
        _push_row(state, _filled(state, _cells(_text(state, line)), len(columns)), kinds)
        line += 1
    if line > start + 2:
        state.push("tbody_close", "tbody", -1)
    state.push("table_close", "table", -1)
    state.parentType, state.line = around, line
    return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _columns(state: StateBlock, line: int) -> list[_Attributes]:
    """What the line says of each column's cells; nothing if it divides no head from a body."""
    text = _text(state, line)
    if (
        state.sCount[line] < state.blkIndent
        or state.is_code_block(line)
        or not _DELIMITERS.fullmatch(text)
    ):
        return []
    columns: list[_Attributes] = []
    for written in _without_edges(text.rstrip().split("|")):
        delimiter = _DELIMITER.fullmatch(written)
        if delimiter is None:
            return []
        columns.append({"class": delimiter.lastgroup} if delimiter.lastgroup else {})
    return columns


def _is_row(state: StateBlock, line: int, end: int, others: Sequence[RuleFuncBlockType]) -> bool:
    """Whether the line goes on with the table: it is not empty, and begins nothing else."""
    if state.sCount[line] < state.blkIndent or state.is_code_block(line):
        return False
    text = _text(state, line)
    if text.startswith("|"):
        return True  # as nothing else begins
    return bool(mdTrim(text)) and not any(begins(state, line, end, True) for begins in others)


def _cells(text: str) -> list[str]:
    """The cells of a row. A pipe that follows a backslash divides none."""
    return [cell.replace(r"\|", "|") for cell in _without_edges(_SEPARATOR.split(mdTrim(text)))]


def _without_edges(cells: list[str]) -> list[str]:
    """The cells without the space around them, and without what is outside of the outer pipes."""
    first = 1 if not cells[0] else 0
    last = len(cells) - 1 if not cells[-1] else len(cells)
    return [mdTrim(cell) for cell in cells[first:last]]


def _filled(state: StateBlock, cells: list[str], columns: int) -> list[str]:
    """As many cells as there are columns."""
    missing = columns - len(cells)
    if missing > 0:
        filled = state.env["filled"] = state.env.get("filled", 0) + missing
        if filled > min(MAX_FILLED, MAX_FILLED_PER_CHARACTER * len(state.src)):
            raise DocumentTooLargeError(
                "Rows of its tables leave out more cells than can be filled up."
            )
    return (cells + [""] * missing)[:columns]


def _push_row(state: StateBlock, cells: Sequence[str], kinds: Sequence[_Kind]) -> None:
    state.push("tr_open", "tr", 1)
    for content, (tag, attributes) in zip(cells, kinds, strict=True):
        cell = state.push("inline", tag, 0)
        cell.content, cell.attrs = content, {**attributes}
    state.push("tr_close", "tr", -1)
