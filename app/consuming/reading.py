"""A broker's message as an event: the protocol bindings of CloudEvents for NATS, Kafka and AMQP.

They are alike: structured mode where the content type says so, else binary mode with the attributes
in headers. None of them knows batches. A message that has neither content type nor attributes is
read as structured: brokers had no headers once (NATS binding, 3; Kafka binding, 1.3).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from app.errors import Refusal
from app.events.cloudevent import CloudEvent, is_json_type
from app.events.reading import ONE_EVENT, event_from_document, event_from_headers, wrong_header
from app.refusals.members import InvalidField
from app.strict_json import JSON, MAX_DOCUMENT, parse_json


@dataclass(frozen=True, slots=True)
class Binding:
    """How a broker's headers carry attributes."""

    prefixes: tuple[str, ...]
    """What their names begin with, in whichever case; the first is named in refusals."""
    text: Callable[[Any], str]
    """A header's value as the attribute's canonical string; raises ValueError where it has none."""


def event_of(binding: Binding, headers: Iterable[tuple[str, Any]], body: bytes) -> CloudEvent:
    """The event of a message; `content-type` is among the headers, wherever the broker has it.

    Refuses with `unsupported_media_type`, `too_large`, `too_deep` and `invalid_input`.
    """
    if len(body) > MAX_DOCUMENT:
        raise Refusal("too_large", limit=MAX_DOCUMENT, counted="bytes of the body")
    content_type, attributes, errors = _read(binding, headers)
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == ONE_EVENT or not (media_type or attributes or errors):
        return event_from_document(parse_json(body))
    # NATS has an attribute of its own for it; the others say it once.
    declared = content_type or attributes.get("datacontenttype")
    is_data = declared is None or is_json_type(declared)
    if not is_data or media_type.startswith("application/cloudevents") or not attributes:
        raise Refusal("unsupported_media_type", _taken(binding), supported=[ONE_EVENT, JSON])
    attributes.pop("datacontenttype", None)
    data = parse_json(body) if body else None
    return event_from_headers(attributes, declared, data, prefix=binding.prefixes[0], errors=errors)


def _taken(binding: Binding) -> str:
    return (
        f"The message is no event that is taken: send the whole event as `{ONE_EVENT}`, or its data"
        f" as `{JSON}` with its attributes in `{binding.prefixes[0]}` headers."
    )


def _read(
    binding: Binding, headers: Iterable[tuple[str, Any]]
) -> tuple[str, dict[str, str], list[InvalidField]]:
    """The content type, empty without one; the attributes; and what is wrong with the headers."""
    content_type = ""
    attributes: dict[str, str] = {}
    errors: list[InvalidField] = []
    for header, value in headers:
        name = _attribute(binding, header.lower())
        if name is None:
            continue
        try:
            text = binding.text(value)
        except ValueError:
            errors.append(wrong_header(header, "not_utf8", "should be text in UTF-8"))
            continue
        if name == "":
            content_type = text
        elif name in attributes:
            errors.append(wrong_header(header, "duplicate_key", "the name occurs more than once"))
        else:
            attributes[name] = text
    return content_type, attributes, errors


def _attribute(binding: Binding, header: str) -> str | None:
    """The attribute that a header names, the empty text for the content type, None for no other."""
    if header == "content-type":
        return ""
    for prefix in binding.prefixes:
        if header.startswith(prefix.lower()) and len(header) > len(prefix):
            return header[len(prefix) :]
    return None
