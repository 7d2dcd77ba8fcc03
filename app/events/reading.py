"""Documents and headers into events: what HTTP and the brokers have in common.

Everything that is wrong with an event is told at once, with pointers into the document, or to the
headers that its attributes came in.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from pydantic import ValidationError

from app.errors import Refusal
from app.events.cloudevent import CloudEvent, is_json_type
from app.json_pointer import pointer
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.refusals.validation import invalid_fields
from app.strict_json import Place, parse_json

ONE_EVENT = "application/cloudevents+json"

_QUOTED = re.compile(rb'"(.*)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_NO_HEADER = "there is no such header: the body and its content type say it"
_NOT_JSON = (
    "should be the Base64 of JSON, beside a datacontenttype that says so and without data:"
    " data fills templates"
)


def event_from_document(document: Any, place: Place | None = None) -> CloudEvent:
    """The event of a document in the JSON event format, as it was read from JSON.

    `place` is where in a batch it stands. Refuses with `invalid_input`.
    """

    def in_batch(error: InvalidField) -> InvalidField:
        before = pointer(place.tokens) if place else ""
        return error.model_copy(update={"pointer": before + error.pointer})

    errors: list[InvalidField] = []
    if isinstance(document, dict) and document.get("data_base64") is not None:
        document, errors = _with_decoded_data(document)
    return checked_event(document, in_batch, [in_batch(error) for error in errors])


def event_from_headers(
    attributes: Mapping[str, str],
    content_type: str | None,
    data: Any,
    *,
    prefix: str = "ce-",
    errors: Sequence[InvalidField] = (),
) -> CloudEvent:
    """The event of a message in binary mode, whose attributes came in headers.

    Takes the attributes by their names, the content type of the data, the data as it was read from
    JSON, what the headers' names begin with, and what was wrong with the headers themselves.
    Refuses with `invalid_input`.
    """

    def in_header(error: InvalidField) -> InvalidField:
        name = error.pointer.removeprefix("/")
        if not name:
            return error.model_copy(update={"location": "header"})
        header = "content-type" if name == "datacontenttype" else f"{prefix}{name}"
        return wrong_header(header, error.rule, error.detail)

    reserved = [
        wrong_header(f"{prefix}{name}", "extra_forbidden", _NO_HEADER)
        for name in ("data", "datacontenttype")
        if name in attributes
    ]
    document = {**attributes, "datacontenttype": content_type, "data": data}
    return checked_event(document, in_header, [*errors, *reserved])


def unescaped(value: bytes) -> bytes:
    """A header's value as the attribute's bytes (HTTP binding, 3.1.3.2; the same for NATS)."""
    if quoted := _QUOTED.fullmatch(value):
        value = _ESCAPED.sub(rb"\1", quoted[1])
    return unquote_to_bytes(value)


def wrong_header(name: str, rule: str, detail: str) -> InvalidField:
    """One thing that is wrong with the header of that name."""
    return InvalidField(location="header", pointer=f"/{name}", rule=rule, detail=detail)


def checked_event(
    members: Any,
    placed: Callable[[InvalidField], InvalidField],
    errors: Sequence[InvalidField] = (),
) -> CloudEvent:
    """The event of these members, unless there are errors already or the model finds some.

    `placed` tells of an error with a pointer into the members where in the request it is.
    """
    try:
        event = CloudEvent.model_validate(members)
    except ValidationError as error:
        raise invalid_input([*errors, *map(placed, invalid_fields(error, members))]) from None
    if errors:
        raise invalid_input(errors)
    return event


def _with_decoded_data(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[InvalidField]]:
    """The document with `data` for its `data_base64`; or without both, and what is wrong.

    Some clients encode whatever they were given as bytes. The specification lets it be taken for
    what `datacontenttype` says, and forbids to guess (JSON event format, 3.1.2).
    """
    rest = {name: value for name, value in document.items() if name != "data_base64"}
    try:
        return {**rest, "data": _decoded_data(document)}, []
    except (TypeError, ValueError, Refusal):
        error = InvalidField(
            location="body", pointer="/data_base64", rule="data_not_json", detail=_NOT_JSON
        )
        return rest, [error]


def _decoded_data(document: Mapping[str, Any]) -> Any:
    if document.get("data") is not None or not is_json_type(document.get("datacontenttype", "")):
        raise ValueError("nobody says that it is JSON")
    return parse_json(base64.b64decode(document["data_base64"], validate=True))
