"""Tables as GitHub writes them, each as one token: a rule for the parser of Markdown.

What is a table, and what is in its cells, is as the parser's own rule has it
(https://github.github.com/gfm/#tables-extension-). That rule makes three tokens of each cell and
looks at every character by itself, which costs a page much; where rows
leave out too many cells it ends the table without a word; it does not say what a head is the head
of; and it aligns by a style, which may say anything.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

from markdown_it.common.utils import mdTrim
from markdown_it.parser_block import RuleFuncBlockType
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token

from app.documents.errors import DocumentTooLargeError

MAX_FILLED = 65_536
MAX_FILLED_PER_CHARACTER = 2
"""Cells of a section's tables that its rows leave out: few characters could come to millions."""

_DELIMITERS = re.compile(r"(?!-[ \t])[-:|][-:| \t]+")
_DELIMITER = re.compile(r"(?P<left>:-+)|(?P<center>:-+:)|(?P<right>-+:)|-+")
_SEPARATOR = re.compile(r"(?<!\\)\|")


@dataclass(slots=True)
class Cell:
    """A cell: its text, and the tokens of that once it is parsed, as an inline token has them."""

    content: str
    children: list[Token] | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with a cell for each column; without a head, each states a fact that it names first.

    `alignments` are those of the columns: "left", "center", "right", or "" where nothing is said.
    """

    alignments: Sequence[str]
    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]

    def cells(self) -> Iterator[Cell]:
        """All of them, in the order of the text."""
        return chain(self.head, *self.rows)


def table_of(token: Token) -> Table:
    """What a token of the type "table" holds."""
    return cast(Table, token.meta["table"])


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read the table that begins at the line `start`, if one does; if silent, say whether it does.

    Refuses with DocumentTooLargeError rows that leave out more cells than a text may be filled up
    with.
    """
    text = _text(state, start)
    if start + 1 == end or "|" not in text or state.is_code_block(start):
        return False
    head, alignments = _cells(text), _alignments(state, start + 1)
    if not head or len(head) != len(alignments):
        return False
    if silent:
        return True

    around, state.parentType = state.parentType, "table"
    others = state.md.block.ruler.getRules("blockquote")
    rows = []
    line = start + 2
    while line < end and _is_row(state, line, end, others):
        cells = _filled(state, _cells(_text(state, line)), len(alignments))
        rows.append([Cell(text) for text in cells])
        line += 1
    token = state.push("table", "table", 0)
    named = [Cell(text) for text in head] if any(head) else []
    token.meta["table"] = Table(alignments, named, rows)
    state.parentType, state.line = around, line
    return True


def _text(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _alignments(state: StateBlock, line: int) -> list[str]:
    """What the line says of each column; nothing if it divides no head from a body."""
    text = _text(state, line)
    if (
        state.sCount[line] < state.blkIndent
        or state.is_code_block(line)
        or not _DELIMITERS.fullmatch(text)
    ):
        return []
    alignments: list[str] = []
    for written in _without_edges(text.rstrip().split("|")):
        delimiter = _DELIMITER.fullmatch(written)
        if delimiter is None:
            return []
        alignments.append(delimiter.lastgroup or "")
    return alignments


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
    if "\\" not in text:
        return _without_edges(mdTrim(text).split("|"))
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
