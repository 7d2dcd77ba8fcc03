"""Values of JSON as Liquid takes them: what is a text, a number, a list, and how each is shown.

Nothing is taken for what it is not, and nothing is left out silently: an object is no text, and
null is as much of a hole in a document as a value that is missing.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from liquid.undefined import is_undefined

from app.canonical_json import canonical_json
from app.documents.liquid.escaping import Markdown, escape
from app.documents.liquid.flaws import RefusedError
from app.documents.liquid.limits import MAX_ITEMS, MAX_NUMBER, MAX_TEXT

Number = int | Decimal

MAX_DIGITS = 15
"""After the point, of what is rounded."""

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_EXACT = Context(prec=40)
"""MAX_NUMBER with MAX_DIGITS after the point."""


def inserted(value: object) -> Markdown:
    """The value as Markdown that shows it. Refuses what is no text, number, true or false."""
    if isinstance(value, Markdown):
        return value
    text = as_text(value)
    # A number is never taken for Markdown, and its sign is to stay.
    return escape(text) if isinstance(value, str) else Markdown(text)


def as_text(value: object) -> str:
    """The value as it is shown. Refuses what is no text, number, true or false.

    Numbers are written as in RFC 8785, so that 5.0 and 5 are shown alike, before and after the
    data was stored.
    """
    match value:
        case Markdown():
            raise RefusedError("filter", "can't take what was captured, or went through markdown")
        case str():
            return value
        case bool() | int() | float():
            return canonical_json(value)
        case _:
            raise not_a("text", value)


def as_number(value: object) -> Number:
    """The value as a number, of MAX_NUMBER at most; a text may be one, in plain digits."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise not_a("number", value)
    small = _small(value)
    return small if isinstance(small, int) else Decimal(repr(small))


def as_list(value: object) -> list[Any]:
    """The value as a list, of MAX_ITEMS at most."""
    if not isinstance(value, list):
        raise not_a("list", value)
    if len(value) > MAX_ITEMS:
        raise RefusedError("limit", f"takes lists of at most {MAX_ITEMS:,} items")
    return value


def as_whole(value: object) -> int:
    """The value as a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise not_a("whole number", value)
    return value


def as_count(value: object) -> int:
    """The value as a whole number from 0."""
    count = as_whole(value)
    if count < 0:
        raise RefusedError("value", f"{count} is below 0")
    return count


def json_number(number: Number) -> int | float:
    """A number of the kind that JSON has, of MAX_NUMBER at most."""
    return _small(number if isinstance(number, int) else float(number))


def rounded(number: Number, digits: int) -> Decimal:
    """The number with so many digits after the point, MAX_DIGITS at most; halves go away from 0."""
    if digits > MAX_DIGITS:
        raise RefusedError("limit", f"gives at most {MAX_DIGITS} digits")
    result = Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _EXACT)
    return result or abs(result)


def _small(number: int | float) -> int | float:
    """The number, unless it is beyond MAX_NUMBER."""
    if not abs(number) <= MAX_NUMBER:
        raise RefusedError("limit", f"takes no numbers beyond ±{MAX_NUMBER}")
    return number


def refuse_longer(length: int) -> None:
    """Refuse a text that would be longer than MAX_TEXT, before it is made."""
    if length > MAX_TEXT:
        raise RefusedError("limit", f"makes a text of more than {MAX_TEXT:,} characters")


def not_a(wanted: str, value: object) -> RefusedError:
    """The refusal of a value of the wrong kind.

    Raises UndefinedError, which knows the variable's name, where there is no value.
    """
    if is_undefined(value):
        str(value)
    if value is None:
        return RefusedError("undefined", f"null is no {wanted}: test for it, or give a default")
    kinds = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    found = kinds.get(type(value), "a number" if isinstance(value, int | float) else "a keyword")
    return RefusedError("value", f"{found} is no {wanted}")
