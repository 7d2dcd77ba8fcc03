"""CloudEvents over HTTP: the three modes of the HTTP binding (1.0.2), told by the content type.

An operation takes them as `Events`, is marked with `@cloud_events`, and describes its bodies with
`openapi_extra=EVENT_BODIES`.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Annotated, Any

from fastapi import Body
from pydantic import PlainValidator
from starlette.requests import Request

from app.errors import Refusal
from app.events.cloudevent import CLOUD_EVENT_EXAMPLE, CloudEvent, is_json_type
from app.events.reading import (
    ONE_EVENT,
    event_from_document,
    event_from_headers,
    unescaped,
    wrong_header,
)
from app.http.batches import read_batch
from app.http.route import BULK_BODY, body_chunks, readable_type, reads, whole_body
from app.refusals.members import InvalidField
from app.strict_json import JSON, parse_json

BATCH = "application/cloudevents-batch+json"
MAX_EVENTS = 10_000

_PREFIX = "ce-"
_BARE = (
    f"Nothing says which event it is: send the whole event as `{ONE_EVENT}`, or its data as"
    f" `{JSON}` with its attributes in `ce-` headers."
)

Events = Annotated[
    CloudEvent | list[CloudEvent | Refusal],
    # What is wrong with an event's fields is told after the scope was looked at, as everywhere.
    PlainValidator(lambda read: read(), json_schema_input_type=CloudEvent),
    Body(media_type=ONE_EVENT),
]
"""One event; or what a batch holds, in its order: each event, or why it is refused."""

EVENT_BODIES: dict[str, Any] = {
    "parameters": [
        {
            "name": f"{_PREFIX}{name}",
            "in": "header",
            "required": False,
            "description": f"In binary mode: the attribute `{name}`, percent-encoded. Extensions"
            " likewise.",
            "schema": {"type": "string"},
            "example": CLOUD_EVENT_EXAMPLE[name],
        }
        for name in ("specversion", "id", "source", "type")
    ],
    "requestBody": {
        "content": {
            BATCH: {
                "schema": {
                    "type": "array",
                    "description": f"At most {MAX_EVENTS:,} events.",
                    "items": {"$ref": "#/components/schemas/CloudEvent"},
                }
            },
            JSON: {
                "schema": {"description": "In binary mode: the data alone, any JSON."},
                "examples": {"data": {"value": CLOUD_EVENT_EXAMPLE["data"]}},
            },
        }
    },
}
"""What FastAPI does not know: the bodies of the other two modes."""


async def _read(request: Request) -> Callable[[], Any]:
    media_type = readable_type(request)
    if media_type == BATCH:
        chunks = body_chunks(request, BULK_BODY)
        items = await read_batch(chunks, most=MAX_EVENTS, read=event_from_document)
        return lambda: items
    if media_type == ONE_EVENT:
        return partial(event_from_document, parse_json(await whole_body(request)))
    if media_type is None or not (media_type == "" or _is_data(media_type)):
        raise Refusal("unsupported_media_type", supported=[ONE_EVENT, BATCH, JSON])
    attributes, errors = _attributes(request.headers.raw)
    if not attributes:
        raise Refusal("unsupported_media_type", _BARE, supported=[ONE_EVENT, BATCH, JSON])
    body = await whole_body(request)
    data = parse_json(body) if body else None
    content_type = request.headers.get("content-type")
    return partial(event_from_headers, attributes, content_type, data, errors=errors)


cloud_events = reads(_read)
"""Mark an operation as one that takes CloudEvents: one of 1 MiB, or a batch of 64 MiB."""


def _is_data(media_type: str) -> bool:
    """Whether a body is the data of an event in binary mode.

    What begins like a CloudEvent is one, in another format than JSON (HTTP binding, 3).
    """
    return is_json_type(media_type) and not media_type.startswith("application/cloudevents")


def _attributes(
    headers: Iterable[tuple[bytes, bytes]],
) -> tuple[dict[str, str], list[InvalidField]]:
    """The attributes among the headers, and what is wrong with their values."""
    attributes: dict[str, str] = {}
    errors: list[InvalidField] = []
    for raw_name, raw_value in headers:
        header = raw_name.decode("latin-1").lower()
        if not header.startswith(_PREFIX):
            continue
        name = header.removeprefix(_PREFIX)
        if name in attributes:
            errors.append(wrong_header(header, "duplicate_key", "the name occurs more than once"))
            continue
        value = unescaped(raw_value)
        attributes[name] = value.decode("utf-8", "replace")
        if attributes[name].encode() != value:
            errors.append(wrong_header(header, "not_utf8", "percent-encoded text must be UTF-8"))
    return attributes, errors
