"""What an expression refers to: every name and function is known, every path of the data has one.

A path that is written out, such as `data.person.name`, becomes a variable of its own. So the engine
is given what an expression asks for and not the whole event; what is missing is known by its whole
path; and selecting, for which the engine copies what it selects from, is left to macros.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cel

from app.expressions.syntax import FlawedExpressionError
from app.expressions.tree import (
    Call,
    Has,
    Index,
    Literal,
    Macro,
    Name,
    Node,
    Select,
    children,
    rebuilt,
)
from app.patterns import FlawedPatternError, weight_of, without_unicode_classes

FUNCTIONS = {"double": 1, "duration": 1, "int": 1, "size": 1, "string": 1, "timestamp": 1}
"""The functions, and how many arguments they have. None of them reads a clock."""

METHODS = {
    "contains": 1,
    "endsWith": 1,
    "getDate": 0,
    "getDayOfMonth": 0,
    "getDayOfWeek": 0,
    "getDayOfYear": 0,
    "getFullYear": 0,
    "getHours": 0,
    "getMilliseconds": 0,
    "getMinutes": 0,
    "getMonth": 0,
    "getSeconds": 0,
    "matches": 1,
    "size": 0,
    "startsWith": 1,
}
"""The methods, and how many arguments they have."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Steps = tuple[str | int, ...]
"""The steps of a path, the first of which is a variable."""


@dataclass(frozen=True, slots=True)
class Reference(Node):
    """A path that is written out, or whether there is something at it (`has`).

    `variable` is the name under which the engine knows its value.
    """

    steps: Steps
    of_presence: bool
    variable: str


@dataclass(frozen=True, slots=True)
class Pattern(Node):
    """The pattern of `matches`, as the engine is to have it."""

    pattern: str
    weight: int


class Selection(NamedTuple):
    """A path that is known only when the expression is evaluated, within a macro or by a key.

    `key` is the last step, or None where it is computed; `path` leads there, with `[]` for an item
    that a macro is at.
    """

    key: str | int | None
    path: str


def bind(text: str, root: Node, names: tuple[str, ...]) -> tuple[Node, tuple[Selection, ...]]:
    """The expression with its references, which begin with one of the names, and its selections.

    Raises FlawedExpressionError for other names, for functions that there are not, and for patterns
    that are not taken.
    """
    binding = _Binding(text, names)
    return binding.bound(root, {}), tuple(binding.selections)


def text_for_engine(text: str, node: Node) -> str:
    """The part of the text that is the node, as the engine is to have it.

    References and patterns are replaced. Macros are kept from objects, whose members the engine has
    in another order each time: the first that fails ends `exists` and `all`, and the same event
    would compose at one time and not at another.
    """
    match node:
        case Reference(variable=variable):
            return variable
        case Pattern(pattern=pattern):
            return _quoted(pattern)
    pieces: list[str] = []
    at = node.begin
    for child in children(node):
        piece = text_for_engine(text, child)
        if isinstance(node, Macro) and child is node.range:
            piece = f"(({piece}) + [])"
        pieces += (text[at : child.begin], piece)
        at = child.end
    return "".join((*pieces, text[at : node.end]))


def path_of(steps: Steps) -> str:
    """A path as one would write it: `data.person["start-date"]`."""
    return f"{steps[0]}{''.join(map(step_text, steps[1:]))}"


def step_text(step: str | int) -> str:
    """One step of a path as one would write it: `.name`, `["start-date"]` or `[0]`."""
    if isinstance(step, str) and _IDENTIFIER.fullmatch(step):
        return f".{step}"
    return f"[{json.dumps(step, ensure_ascii=False)}]"


class _Binding:
    """One walk through an expression; `scope` has the variables of macros, and their paths."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        self.selections: list[Selection] = []
        self._text = text
        self._names = names

    def bound(self, node: Node, scope: Mapping[str, str]) -> Node:
        if (steps := _steps_of(node)) and steps[0] not in scope:
            return self._reference(node, steps, of_presence=isinstance(node, Has))
        match node:
            case Has(select=select):
                self._select(select, scope)
            case Select() | Index():
                self._select(node, scope)
            case Call(function="matches", operands=(target, pattern), is_method=True):
                return rebuilt(node, (self.bound(target, scope), _pattern(pattern)))
            case Call():
                _check_call(node)
            case Macro(range=over, variable=variable):
                inner = {**scope, variable: f"{self._described(over, scope)}[]"}
                bound_steps = (self.bound(step, inner) for step in node.steps)
                return rebuilt(node, (self.bound(over, scope), *bound_steps))
        return rebuilt(node, [self.bound(child, scope) for child in children(node)])

    def _reference(self, node: Node, steps: Steps, *, of_presence: bool) -> Reference:
        if steps[0] not in self._names:
            known = " and ".join(self._names)
            raise FlawedExpressionError(f"there is no {steps[0]} here, only {known}", node.begin)
        # The same path has the same variable in all expressions, and no path has another's.
        identity = json.dumps([of_presence, *steps])
        variable = f"_{hashlib.sha256(identity.encode()).hexdigest()[:32]}"
        return Reference(node.begin, node.end, steps, of_presence, variable)

    def _select(self, node: Select | Index, scope: Mapping[str, str]) -> None:
        if isinstance(node, Select):
            self.selections.append(Selection(node.field, self._described(node, scope)))
        elif (key := _literal_key(node)) is not None:
            self.selections.append(Selection(key, self._described(node, scope)))
        else:
            self.selections.append(Selection(None, self._described(node.operand, scope)))

    def _described(self, node: Node, scope: Mapping[str, str]) -> str:
        match node:
            case Name(name=name):
                return scope.get(name, name)
            case Select(operand=operand, field=field):
                return f"{self._described(operand, scope)}{step_text(field)}"
            case Index(operand=operand) if (key := _literal_key(node)) is not None:
                return f"{self._described(operand, scope)}{step_text(key)}"
            case _:
                return self._text[node.begin : node.end]


def _check_call(node: Call) -> None:
    """Raises FlawedExpressionError for a function or method that there is not."""
    name = node.function
    if name == "in" or not _IDENTIFIER.fullmatch(name):
        return  # an operator
    known, kind = (METHODS, "method") if node.is_method else (FUNCTIONS, "function")
    if name not in known:
        detail = f"there is no {kind} {name}, only {', '.join(known)}"
        raise FlawedExpressionError(detail, node.begin)
    if len(node.operands) - node.is_method != known[name]:
        what = "no arguments" if known[name] == 0 else "one argument"
        raise FlawedExpressionError(f"{name}() takes {what}", node.begin)


def _steps_of(node: Node) -> Steps | None:
    match node:
        case Name(name=name):
            return (name,)
        case Has(select=select):
            return _steps_of(select)
        case Select(operand=operand, field=field) if steps := _steps_of(operand):
            return (*steps, field)
        case Index(operand=operand) if (steps := _steps_of(operand)) and (
            (key := _literal_key(node)) is not None
        ):
            return (*steps, key)
        case _:
            return None


def _literal_key(node: Index) -> str | int | None:
    match node.key:
        case Literal(value=str() | int() as key) if not isinstance(key, bool):
            return key
        case _:
            return None


def _pattern(node: Node) -> Pattern:
    match node:
        case Literal(value=str(pattern)):
            pass
        case _:
            raise FlawedExpressionError("the pattern of matches() is written out", node.begin)
    try:
        bound = Pattern(node.begin, node.end, without_unicode_classes(pattern), weight_of(pattern))
        cel.evaluate(f'"".matches({_quoted(bound.pattern)})')
    except FlawedPatternError as error:
        raise FlawedExpressionError(str(error), node.begin) from None
    except RuntimeError:
        raise FlawedExpressionError("is no regular expression (RE2)", node.begin) from None
    return bound


def _quoted(text: str) -> str:
    """The text as a string of CEL, whose escapes are those of JSON and more."""
    return json.dumps(text, ensure_ascii=False)
