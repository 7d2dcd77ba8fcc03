"""What the keywords of JSON Schema 2020-12 mean for whoever walks through a schema."""

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

SubSchema = dict[str, Any] | bool
Tokens = tuple[str, ...]
"""The steps of a JSON pointer into a schema, unescaped."""


class Holds(Enum):
    """How a keyword holds its subschemas."""

    ONE = auto()
    LIST = auto()
    MAP = auto()


class Applies(Enum):
    """To what a keyword's subschemas apply."""

    HERE = auto()
    """To the value itself."""
    NAMES = auto()
    MEMBERS = auto()
    ITEMS = auto()
    NOTHING = auto()
    """To nothing by themselves: they are referred to, or say something for people."""


class Applicator(NamedTuple):
    """A keyword that holds subschemas."""

    holds: Holds
    applies: Applies


APPLICATORS: Mapping[str, Applicator] = {
    "$defs": Applicator(Holds.MAP, Applies.NOTHING),
    "definitions": Applicator(Holds.MAP, Applies.NOTHING),
    "contentSchema": Applicator(Holds.ONE, Applies.NOTHING),
    "allOf": Applicator(Holds.LIST, Applies.HERE),
    "anyOf": Applicator(Holds.LIST, Applies.HERE),
    "oneOf": Applicator(Holds.LIST, Applies.HERE),
    "not": Applicator(Holds.ONE, Applies.HERE),
    "if": Applicator(Holds.ONE, Applies.HERE),
    "then": Applicator(Holds.ONE, Applies.HERE),
    "else": Applicator(Holds.ONE, Applies.HERE),
    "dependentSchemas": Applicator(Holds.MAP, Applies.HERE),
    "propertyNames": Applicator(Holds.ONE, Applies.NAMES),
    "properties": Applicator(Holds.MAP, Applies.MEMBERS),
    "patternProperties": Applicator(Holds.MAP, Applies.MEMBERS),
    "additionalProperties": Applicator(Holds.ONE, Applies.MEMBERS),
    "prefixItems": Applicator(Holds.LIST, Applies.ITEMS),
    "items": Applicator(Holds.ONE, Applies.ITEMS),
    "contains": Applicator(Holds.ONE, Applies.ITEMS),
}

_ELSEWHERE = "refer with a JSON pointer into this schema: #/$defs/name"
_OF_OLDER_DRAFTS = "is of an older draft, and would be ignored: use {}"

NOT_TAKEN: Mapping[str, str] = {
    "$anchor": _ELSEWHERE,
    "$dynamicAnchor": _ELSEWHERE,
    "$dynamicRef": _ELSEWHERE,
    "$recursiveAnchor": _ELSEWHERE,
    "$recursiveRef": _ELSEWHERE,
    "$vocabulary": "is for meta-schemas",
    "additionalItems": _OF_OLDER_DRAFTS.format("prefixItems and items"),
    "dependencies": _OF_OLDER_DRAFTS.format("dependentRequired or dependentSchemas"),
    # The engine validates what lies beside them once more on every level: 2 to the power of their
    # nesting (docs/decisions/0017).
    "unevaluatedItems": "is not taken: use items beside prefixItems",
    "unevaluatedProperties": "is not taken: use additionalProperties",
}

FORMATS: Mapping[str, str] = {
    "date": "a date such as 2026-01-31",
    "date-time": "a date and time with its offset, such as 2026-01-31T09:30:00Z",
    "duration": "a duration such as P3DT4H",
    "email": "an email address such as ada@example.org",
    "hostname": "a host name such as www.example.org",
    "ipv4": "an IPv4 address such as 192.0.2.1",
    "ipv6": "an IPv6 address such as 2001:db8::1",
    "time": "a time with its offset, such as 09:30:00Z",
    "uri": "an absolute URI such as https://example.org/a",
    "uri-reference": "a URI or a relative reference such as /a?b=c",
    "uuid": "a UUID such as 0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
}
"""The formats that are checked, and what each looks like."""


def held(keyword: str, argument: Any) -> Iterator[tuple[Tokens, Any]]:
    """What a keyword holds in place of subschemas, with the steps to it; none if misshapen."""
    applicator = APPLICATORS.get(keyword)
    match applicator and applicator.holds, argument:
        case Holds.ONE, _:
            yield (keyword,), argument
        case Holds.LIST, list():
            yield from (((keyword, str(n)), item) for n, item in enumerate(argument))
        case Holds.MAP, dict():
            yield from (((keyword, name), item) for name, item in argument.items())
