"""Data that expressions are evaluated against, given to the engine as far as they ask for it."""

from collections.abc import Iterable, Mapping
from typing import Any

import cel

from app.canonical_json import MAX_EXACT_INTEGER
from app.expressions.binding import Reference, Steps, path_of, step_text
from app.expressions.cost import MOST_VALUES, SCALAR, Extent, TooManyValuesError, extent_of

_MISSING = object()


class Prepared:
    """The variables of expressions, such as the event and its data, for any number of them.

    What an expression refers to is converted when the first one asks for it, and kept. Numbers that
    are equal as JSON (RFC 8785) are the same here: 100.0 is 100, as it is when it is read again.

    `extents` has how large what was asked for is. Not for several threads at a time.
    """

    def __init__(self, variables: Mapping[str, Any]) -> None:
        """Takes the values, as read from JSON, of all the names that the expressions may use."""
        self.context = cel.Context()
        self.extents: dict[str, Extent] = {}
        self._values: dict[str, int] = {}
        self._variables = variables

    def take(self, references: Iterable[Reference]) -> bool:
        """Let the engine know what the references lead to; what is missing stays unknown to it.

        False where that is more than one expression may refer to.
        """
        values = 0
        for reference in references:
            if reference.variable not in self._values:
                self._take(reference)
            values += self._values[reference.variable]
            if values > MOST_VALUES:
                return False
        return True

    def why_missing(self, steps: Steps) -> str:
        """Where a path that leads nowhere ends: `data has no person`."""
        for number in range(1, len(steps)):
            if self._value(steps[: number + 1]) is _MISSING:
                return _why(path_of(steps[:number]), self._value(steps[:number]), steps[number])
        return f"{path_of(steps)} is no object"

    def _take(self, reference: Reference) -> None:
        variable = reference.variable
        take = self._presence if reference.of_presence else self._value
        value = take(reference.steps)
        self._values[variable], self.extents[variable] = 1, SCALAR
        if value is _MISSING:
            return
        try:
            self._values[variable], self.extents[variable] = extent_of(value)
        except TooManyValuesError:
            self._values[variable] = MOST_VALUES + 1
        else:
            self.context.add_variable(variable, _plain(value))

    def _presence(self, steps: Steps) -> Any:
        *within, name = steps
        parent = self._value(tuple(within))
        return name in parent if isinstance(parent, dict) else _MISSING

    def _value(self, steps: Steps) -> Any:
        value = self._variables[str(steps[0])]
        for step in steps[1:]:
            if isinstance(value, dict) and isinstance(step, str):
                value = value.get(step, _MISSING)
            elif isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
                value = value[step]
            else:
                return _MISSING
        return value


def _plain(value: Any) -> Any:
    match value:
        case str() | bool():
            return value
        case dict():
            return {name: _plain(member) for name, member in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer() and abs(value) <= MAX_EXACT_INTEGER:
            return int(value)
        case int() if abs(value) > MAX_EXACT_INTEGER:
            return float(value)
    return value


def _why(path: str, value: Any, step: str | int) -> str:
    match value:
        case dict() if isinstance(step, str):
            return f"{path} has no {step_text(step).removeprefix('.')}"
        case list() if isinstance(step, int):
            return f"{path} has {len(value)} items"
        case None:
            return f"{path} is null"
        case _:
            return f"{path} is no {'object' if isinstance(step, str) else 'array'}"
