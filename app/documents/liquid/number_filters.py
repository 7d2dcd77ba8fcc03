"""Filters that count: exactly, in decimal, with numbers up to ±(2⁵³ − 1)."""

import math
import operator
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from app.documents.liquid.flaws import RefusedError
from app.documents.liquid.values import (
    Number,
    as_count,
    as_number,
    as_text,
    json_number,
    rounded,
)

MAX_SEPARATOR = 8
"""Characters between the digits of a number: it may have six."""


def absolute(value: object) -> int | float:
    """Without its sign."""
    a = as_number(value)
    return json_number(-a if a < 0 else a)


def at_least(value: object, other: object) -> int | float:
    """The larger of the two."""
    return _calculated(max, value, other)


def at_most(value: object, other: object) -> int | float:
    """The smaller of the two."""
    return _calculated(min, value, other)


def plus(value: object, other: object) -> int | float:
    """The sum."""
    return _calculated(operator.add, value, other)


def minus(value: object, other: object) -> int | float:
    """The difference."""
    return _calculated(operator.sub, value, other)


def times(value: object, other: object) -> int | float:
    """The product."""
    return _calculated(operator.mul, value, other)


def divided_by(value: object, other: object) -> int | float:
    """The quotient; of two whole numbers, rounded down to a whole one, as Liquid does."""
    whole = isinstance(as_number(value), int) and isinstance(as_number(other), int)
    return _calculated(operator.floordiv if whole else operator.truediv, value, other)


def modulo(value: object, other: object) -> int | float:
    """What remains after dividing."""
    return _calculated(operator.mod, value, other)


def ceil(value: object) -> int | float:
    """Rounded up to a whole number."""
    return json_number(math.ceil(as_number(value)))


def floor(value: object) -> int | float:
    """Rounded down to a whole number."""
    return json_number(math.floor(as_number(value)))


def round_(value: object, digits: object = 0) -> int | float:
    """Rounded to so many digits after the point; halves go away from 0."""
    result = rounded(as_number(value), as_count(digits))
    return json_number(int(result) if result == int(result) else result)


def number(
    value: object, digits: object = None, thousands: object = ",", decimal: object = "."
) -> str:
    """As readers write it: with separators, and so many digits after the point."""
    count = as_number(value)
    exact = Decimal(count) if digits is None else rounded(count, as_count(digits))
    return f"{exact:,f}".translate({ord(","): _separator(thousands), ord("."): _separator(decimal)})


def _separator(value: object) -> str:
    text = as_text(value)
    if len(text) > MAX_SEPARATOR:
        raise RefusedError("limit", f"takes separators of at most {MAX_SEPARATOR} characters")
    return text


def _calculated(
    operation: Callable[[Any, Any], Number], value: object, other: object
) -> int | float:
    a, b = as_number(value), as_number(other)
    if isinstance(a, Decimal) or isinstance(b, Decimal):
        a, b = Decimal(a), Decimal(b)
    try:
        return json_number(operation(a, b))
    except (ZeroDivisionError, InvalidOperation):
        raise RefusedError("value", f"can't divide {a} by {b}") from None


NUMBER_FILTERS: dict[str, Callable[..., object]] = {
    "abs": absolute,
    "at_least": at_least,
    "at_most": at_most,
    "ceil": ceil,
    "divided_by": divided_by,
    "floor": floor,
    "minus": minus,
    "modulo": modulo,
    "number": number,
    "plus": plus,
    "round": round_,
    "times": times,
}
