"""What is wrong with a piece, and where.

    FactoryError
    ├── FlawedError       the piece can't be used whatever the data: all its flaws
    └── UnfillableError   the piece can't be filled with this data: the first flaw that was met

Inside the package, RefusedError is python-liquid's kind of exception for what we refuse ourselves.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from liquid import Token
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LiquidTypeError,
    LiquidValueError,
    ResourceLimitError,
    UndefinedError,
)

from app.errors import FactoryError

Rule = Literal["clock", "code", "filter", "limit", "syntax", "tag", "undefined", "value"]
"""What was broken:

    syntax      what is written is no Liquid, or is left open
    tag         there is no such tag
    filter      there is no such filter, or it does not take these arguments
    clock       it asks what time it is, so that the document would change by itself
    code        a placeholder in Markdown's code, where nothing can be escaped
    undefined   the data does not have it, or has null
    value       the data has it, but as another kind of value
    limit       it is larger, longer or deeper than is taken, or takes too much time
"""


@dataclass(frozen=True, slots=True, order=True)
class Flaw:
    """One thing that is wrong: line and column from 1, what to say about it, and which rule."""

    line: int
    column: int
    detail: str
    rule: Rule


class FlawedError(FactoryError):
    """The piece can't be used. Its flaws are in the order of the text."""

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        self.flaws = tuple(sorted(set(flaws)))
        super().__init__(
            "\n".join(f"{flaw.line}:{flaw.column}: {flaw.detail}" for flaw in self.flaws)
        )


class UnfillableError(FactoryError):
    """The piece can't be filled with this data. The flaw stands at what was being filled."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__(f"{flaw.line}:{flaw.column}: {flaw.detail}")
        self.flaw = flaw


class RefusedError(FilterArgumentError):
    """Refused while filling. A filter's python-liquid gives the place of that filter."""

    def __init__(self, rule: Rule, detail: str) -> None:
        super().__init__(detail, token=None)
        self.rule = rule
        self.detail = detail


class Lines:
    """The lines of a text, to say where in it something stands."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def flaw(self, index: int, detail: str, rule: Rule) -> Flaw:
        """A flaw at the character with that index, from 0."""
        line, column = self.place(index)
        return Flaw(line, column, detail, rule)

    def flaw_of(self, error: LiquidError, at: Token | None) -> Flaw:
        """The flaw that python-liquid's error tells; `at`, where it has no place of its own."""
        token = error.token if error.token and error.token.start_index >= 0 else at
        return self.flaw(token.start_index if token else 0, _detail_of(error), rule_of(error))

    def place(self, index: int) -> tuple[int, int]:
        """Line and column, from 1, of the character with that index, from 0."""
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1


def rule_of(error: LiquidError) -> Rule:
    """The rule that was broken where python-liquid, or we through it, raised this."""
    match error:
        case RefusedError():
            return error.rule
        case UndefinedError():
            return "undefined"
        case ResourceLimitError() | LiquidValueError():
            return "limit"
        case LiquidTypeError() | FilterArgumentError():
            return "value"
        case _:
            return "syntax"


def _detail_of(error: LiquidError) -> str:
    if isinstance(error, LiquidTypeError):
        # python-liquid's own speaks of Python. Only comparisons raise it.
        return (
            "these can't be compared: < and > take two numbers or two texts, and contains looks in"
            " texts, lists and objects"
        )
    return str(error.message)
