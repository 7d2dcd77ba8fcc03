"""What would be right, for a person who sends data.

Says what the schema asks for, which its author wrote, and nothing of the data that does not.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.json_pointer import sound_text
from app.json_schema.keywords import FORMATS

_LONGEST = 200
_TYPES = {
    "array": "an array",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a string",
}

_SAID: Mapping[str, Callable[[Any], str]] = {
    "additionalProperties": lambda _: "there is no such member",
    "anyOf": lambda options: f"should fit one of {_count(len(options), 'alternative')}",
    "const": lambda value: f"should be {_json(value)}",
    "contains": lambda _: "should have as many items of a kind as the schema asks for",
    "dependentRequired": lambda name: f"is missing, beside {_json(name)}",
    "enum": lambda options: f"should be one of {', '.join(map(_json, options))}",
    "exclusiveMaximum": lambda limit: f"should be less than {_json(limit)}",
    "exclusiveMinimum": lambda limit: f"should be greater than {_json(limit)}",
    "format": lambda name: f"should be {FORMATS[name]}",
    "maxItems": lambda limit: f"should have at most {_count(limit, 'item')}",
    "maxLength": lambda limit: f"should have at most {_count(limit, 'character')}",
    "maxProperties": lambda limit: f"should have at most {_count(limit, 'member')}",
    "maximum": lambda limit: f"should be {_json(limit)} or less",
    "minItems": lambda limit: f"should have at least {_count(limit, 'item')}",
    "minLength": lambda limit: f"should have at least {_count(limit, 'character')}",
    "minProperties": lambda limit: f"should have at least {_count(limit, 'member')}",
    "minimum": lambda limit: f"should be {_json(limit)} or more",
    "multipleOf": lambda divisor: f"should be a multiple of {_json(divisor)}",
    "not": lambda _: "is of a kind that the schema rules out",
    "oneOf": lambda options: f"should fit exactly one of {_count(len(options), 'alternative')}",
    "pattern": lambda pattern: f"should match the pattern {pattern}",
    "propertyNames": lambda _: "is no name that a member may have here",
    "type": lambda types: (
        "should be "
        + " or ".join(_TYPES[name] for name in ([types] if isinstance(types, str) else types))
    ),
    "uniqueItems": lambda _: "should not have the same item twice",
}

CHECKED = _SAID.keys()
"""The keywords that something can be said about."""


def said(keyword: str, argument: Any) -> str:
    """What the keyword asks for, in a line."""
    line = sound_text(_SAID[keyword](argument))
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _count(limit: float, noun: str) -> str:
    return f"{int(limit)} {noun}" if limit == 1 else f"{int(limit)} {noun}s"
