"""What is wrong with a request, as the members of `invalid_input`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from app.errors import Refusal
from app.json_pointer import pointer, sound_text
from app.refusals.invalid import invalid_input
from app.refusals.members import MOST_ERRORS, InvalidField, Location

# Where Pydantic speaks of its own affairs, or of Python's, and not of the request.
_SAID = {
    "dict_type": "should be an object",
    "extra_forbidden": "there is no such field",
    "list_type": "should be an array",
    "missing": "is missing",
    "model_attributes_type": "should be an object",
    "model_type": "should be an object",
    "too_long": "should have {max_length} items at most",
    "too_short": "should have {min_length} items at least",
    "union_tag_invalid": "{discriminator} should be one of {expected_tags}",
    "union_tag_not_found": "{discriminator} is missing",
}
_NOT_OF_THE_REQUEST = re.compile(r"^(Value error, |(Input|String|List|Dictionary) (?=should ))")

# FastAPI says where an error is in these words, and cookies are headers.
_LOCATIONS: Mapping[str, Location] = {
    "body": "body",
    "query": "query",
    "path": "path",
    "header": "header",
    "cookie": "header",
}


class Items(list[Any]):
    """The items of a bulk; of newline-delimited ones also the line that each stood on."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def line_of(self, tokens: Sequence[str | int]) -> int | None:
        """The line, from 1, of the item that a pointer leads into; None where there are none."""
        match tokens:
            case [int(index), *_] if index < len(self.lines):
                return self.lines[index]
        return None


def refusal_from_validation(found: Sequence[Mapping[str, Any]], body: Any) -> Refusal:
    """`invalid_input` from what FastAPI and Pydantic found wrong with a request, all of it."""
    listed = [_field(one, body) for one in found[:MOST_ERRORS]]
    return invalid_input(listed, omitted=len(found) - len(listed))


def invalid_fields(error: ValidationError, document: Any) -> list[InvalidField]:
    """What Pydantic found wrong with a document that it was given without FastAPI, all of it."""
    found = error.errors(include_url=False, include_input=False)
    return [_field({**one, "loc": ("body", *one["loc"])}, document) for one in found]


def _field(found: Mapping[str, Any], body: Any) -> InvalidField:
    where, *rest = found["loc"]
    location = _LOCATIONS[str(where)]
    tokens = _in_document(rest, body, found["type"]) if location == "body" else rest
    return InvalidField(
        location=location,
        pointer=pointer(tokens),
        rule=str(found["type"]),
        detail=sound_text(_said(found)),
        line=body.line_of(tokens) if location == "body" and isinstance(body, Items) else None,
    )


def _said(found: Mapping[str, Any]) -> str:
    ours = _SAID.get(str(found["type"]))
    if ours is None:
        return _NOT_OF_THE_REQUEST.sub("", str(found["msg"]), count=1)
    return ours.format_map(found.get("ctx", {}))


def _in_document(steps: Sequence[str | int], document: Any, rule: str) -> list[str | int]:
    """The steps that lead through the document.

    Pydantic's locations also name members of unions and validators, which are no place in a body.
    """
    tokens: list[str | int] = []
    node = document
    for number, step in enumerate(steps, start=1):
        if _leads_on(node, step):
            node = node[step]
        elif not (rule == "missing" and number == len(steps)):
            continue
        tokens.append(step)
    return tokens


def _leads_on(node: Any, step: str | int) -> bool:
    if isinstance(step, int):
        return isinstance(node, list) and step < len(node)
    return isinstance(node, dict) and step in node
