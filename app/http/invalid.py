"""What is wrong with a request, as the members of `invalid_input`."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from app.errors import Refusal
from app.refusals.members import InvalidField, Location

# A body of 1 MiB can hold a hundred thousand mistakes; the answer need not be larger than it.
MOST_ERRORS = 100
_LONGEST_TOKEN = 100

# Where Pydantic speaks of its own affairs, or of Python's, and not of the request.
_SAID = {
    "dict_type": "should be an object",
    "extra_forbidden": "there is no such field",
    "list_type": "should be an array",
    "missing": "is missing",
    "model_attributes_type": "should be an object",
    "model_type": "should be an object",
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


def invalid_input(
    errors: Sequence[InvalidField],
    *,
    omitted: int = 0,
    detail: str | None = None,
    status: int | None = None,
) -> Refusal:
    """`invalid_input` with everything that is wrong; what exceeds the first hundred is counted.

    Takes the errors, how many more were found and not built, what to say, and 400 as the status
    where the request can't be parsed at all.
    """
    members: dict[str, Any] = {
        "errors": [error.model_dump(exclude_none=True) for error in errors[:MOST_ERRORS]]
    }
    omitted += max(0, len(errors) - MOST_ERRORS)
    if omitted:
        members["errors_omitted"] = omitted
    return Refusal("invalid_input", detail, status=status, **members)


def refusal_from_validation(error: RequestValidationError) -> Refusal:
    """`invalid_input` from what FastAPI and Pydantic found, all of it."""
    found = error.errors()
    listed = [_field(one, error.body) for one in found[:MOST_ERRORS]]
    return invalid_input(listed, omitted=len(found) - len(listed))


def pointer(tokens: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901).

    Long names are cut, and halves of surrogate pairs replaced: the pointer names something in what
    a client sent, and the answer must be sound whatever that was.
    """
    return "".join(f"/{_escape(str(token))}" for token in tokens)


def sound_text(text: str) -> str:
    """The text with halves of surrogate pairs replaced, so that it can be sent at all."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _escape(token: str) -> str:
    sound = sound_text(token)
    if len(sound) > _LONGEST_TOKEN:
        sound = sound[:_LONGEST_TOKEN] + "…"
    return sound.replace("~", "~0").replace("/", "~1")


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
