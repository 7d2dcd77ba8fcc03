"""What comes of evaluating an expression: JSON, or a failure that says what to do about it."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from app.canonical_json import MAX_EXACT_INTEGER

Failure = Literal["missing", "wrong_type", "too_costly", "failed"]
"""Why there is no value: the data has not what the expression asks for, the value is none of the
kind that is wanted, evaluating could take too long, or the engine can't evaluate it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A value of JSON; or a failure, with what to say of it and the path of what is missing."""

    value: Any = None
    failure: Failure | None = None
    detail: str | None = None
    path: str | None = None


class NoJsonError(ValueError):
    """A value that is no JSON; the text says what it is."""


def as_json(value: Any) -> Any:
    """The value of the engine as JSON: a timestamp is its RFC 3339 text.

    Raises NoJsonError for what JSON has no value for, and for integers that it holds inexactly.
    """
    match value:
        case None | bool() | str():
            return value
        case int() if abs(value) <= MAX_EXACT_INTEGER:
            return value
        case float() if math.isfinite(value):
            return value
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {_name(name): as_json(member) for name, member in value.items()}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
    raise NoJsonError(f"the value is {_kind(value)}, which is no JSON")


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise NoJsonError("a name in an object is no string")
    return name


def _kind(value: Any) -> str:
    match value:
        case int():
            return "an integer beyond ±9007199254740991"
        case float():
            return "not a finite number"
        case _:
            return f"a {type(value).__name__}"
