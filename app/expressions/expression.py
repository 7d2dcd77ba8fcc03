"""Expressions that operators write, in CEL: compiled once, evaluated against many events."""

import re
from functools import cached_property, lru_cache
from typing import Any, Literal

import cel

from app.expressions.binding import (
    FUNCTIONS,
    METHODS,
    Reference,
    Selection,
    bind,
    path_of,
    step_text,
    text_for_engine,
)
from app.expressions.cost import SCALAR, Budget, CostBound
from app.expressions.prepared import Prepared
from app.expressions.syntax import FlawedExpressionError, parse
from app.expressions.tree import Node, conjuncts, parts
from app.expressions.verdict import NoJsonError, Verdict, as_json

LONGEST_TEXT = 2_000
"""How many characters an expression may have."""

OF_EVENTS = ("event", "data")
"""The names of a route's expressions: the event's attributes, and its data."""

OF_WEBHOOKS = ("headers", "body")
"""The names of a webhook's expressions."""

Wanted = Literal["bool", "string", "json"]
"""What an expression is for: a condition, a text, or any value of JSON."""

_MOST_EXPRESSIONS = 1024
_LONGEST_DETAIL = 200

# What the engine raises, by its own account (its map_execution_error_to_python).
_ENGINE_ERRORS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_UNDEFINED = re.compile(r"Undefined variable or function: '(\w+)'")
_OF_A_MAP = "Unsupported operation: map + list"  # what `text_for_engine` makes of it
_TYPES: dict[Wanted, type] = {"bool": bool, "string": str}
_KINDS = {
    type(None): "null",
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "an array",
    str: "a string",
}


class Expression:
    """An expression that is sound, compiled. Made by `compile_expression`.

    `text` is what the operator wrote. May be shared by threads.
    """

    def __init__(
        self, text: str, source: str, root: Node, selections: tuple[Selection, ...], wants: Wanted
    ) -> None:
        """Takes the text, and its tree in the text that it is part of.

        Raises FlawedExpressionError where it costs too much for the smallest data.
        """
        self.text = text
        self._source = source
        self._root = root
        self._selections = selections
        self._wants = wants
        found = [node for node in parts(root) if isinstance(node, Reference)]
        self._references = {reference.variable: reference for reference in found}
        self._bound = CostBound(root)
        self.spend_least(Budget())
        self._program = cel.compile(text_for_engine(source, root))

    @cached_property
    def conditions(self) -> tuple["Expression", ...]:
        """The conditions that `&&` joins, each with its own text; the expression if there is one.

        The expression is true where all of them are, false where any of them is, and else fails.
        """
        return tuple(
            Expression(
                self._source[node.begin : node.end], self._source, node, self._selections, "bool"
            )
            for node in conjuncts(self._root)
        )

    def spend_least(self, budget: Budget) -> None:
        """Spend what the smallest data cost.

        Raises FlawedExpressionError where that is more than is left.
        """
        if not self._bound.spend(budget, dict.fromkeys(self._references, SCALAR)):
            raise FlawedExpressionError("could take too long, whatever the data")

    def evaluate(self, prepared: Prepared, budget: Budget | None = None) -> Verdict:
        """The value, or why there is none. Never raises for what is in the data.

        `budget` is what is left for it and others; None: it is alone.
        """
        taken = prepared.take(self._references.values())
        if not taken or not self._bound.spend(budget or Budget(), prepared.extents):
            detail = "the data is too large for this expression: it could take too long"
            return Verdict(failure="too_costly", detail=detail)
        try:
            value = self._program.execute(prepared.context)
        except _ENGINE_ERRORS as error:
            return self._failure(error, prepared)
        return self._answer(value)

    def _answer(self, value: Any) -> Verdict:
        wanted = _TYPES.get(self._wants)
        if wanted is None:
            try:
                return Verdict(as_json(value))
            except NoJsonError as error:
                return Verdict(failure="failed", detail=str(error))
        if isinstance(value, wanted):
            return Verdict(value)
        detail = f"should be {_KINDS[wanted]}, and is {_kind(value)}"
        return Verdict(failure="wrong_type", detail=detail)

    def _failure(self, error: Exception, prepared: Prepared) -> Verdict:
        said = str(error)
        undefined = found[1] if (found := _UNDEFINED.match(said)) else ""
        if reference := self._references.get(undefined):
            steps = reference.steps[:-1] if reference.of_presence else reference.steps
            return _missing(prepared.why_missing(steps), path_of(steps))
        if isinstance(error, KeyError):
            path = self._path_to(error.args[0])
            return _missing(f"there is no {path}", path)
        if undefined in FUNCTIONS or undefined in METHODS:
            said = f"{undefined}() does not take such a value"
        if _OF_A_MAP in said:
            said = "macros such as exists() take arrays: the members of an object have no order"
        # The rest of what it says is advice to programmers.
        return Verdict(failure="failed", detail=_cut(said.partition(". ")[0]))

    def _path_to(self, key: str) -> str:
        """The path that ends with a key that the engine did not find."""
        for selection in self._selections:
            if selection.key == key:
                return selection.path
        for selection in self._selections:
            if selection.key is None:
                return f"{selection.path}{step_text(key)}"
        return key


@lru_cache(maxsize=_MOST_EXPRESSIONS)
def compile_expression(
    text: str, *, wants: Wanted, names: tuple[str, ...] = OF_EVENTS
) -> Expression:
    """The expression that a text is, compiled once in a process.

    Takes what it is for, and the names that it may use; each is the whole of a document. Raises
    FlawedExpressionError where it is none, or where it could take too long or too much memory
    (docs/decisions/0017).
    """
    if len(text) > LONGEST_TEXT:
        detail = f"has {len(text)} characters, {LONGEST_TEXT} are allowed"
        raise FlawedExpressionError(detail)
    tree = parse(text)
    try:
        cel.compile(text)
        root, selections = bind(text, tree, names)
        return Expression(text, text, root, selections, wants)
    except ValueError as error:
        raise _flaw_from(error, text) from None


def _flaw_from(error: ValueError, text: str) -> FlawedExpressionError:
    if (found := _PLACE.search(str(error))) is None:
        return FlawedExpressionError("is no expression")
    line, column, detail = int(found[1]), int(found[2]), found[3]
    before = sum(map(len, text.splitlines(keepends=True)[: line - 1]))
    return FlawedExpressionError(_cut(detail), before + column - 1)


def _missing(detail: str, path: str) -> Verdict:
    return Verdict(failure="missing", detail=_cut(detail), path=_cut(path))


def _cut(text: str) -> str:
    """The text, or as much of it as an answer needs: it may repeat what is in the data."""
    return text if len(text) <= _LONGEST_DETAIL else text[:_LONGEST_DETAIL] + "…"


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), f"a {type(value).__name__}")
