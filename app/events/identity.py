"""Which event it is, and what makes two sendings of it the same (2-design §3, docs/events.md)."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID, uuid5

from app.events.cloudevent import CloudEvent

EVENT_NAMESPACE = UUID("6d225418-3174-5226-aafb-050c4c09e8d0")
"""Never changes. Made as the UUIDv5 of `https://factory.example/events` among URLs (RFC 9562)."""

# How an event travelled: two sendings may differ in it. `time` may be the time of sending, by the
# specification, and clients that leave it out have it invented by their SDK; data is compared as
# the JSON that it is, so that how it was declared does not count.
_NOT_CONTENT = frozenset(
    {"specversion", "time", "datacontenttype", "factorydepth", "traceparent", "tracestate"}
)

_UNSET = {"factorydepth": 0}
"""Values that say as little as leaving them out."""


def event_id(source: str, id: str) -> UUID:  # noqa: A002 - the attribute's name
    """The factory's id of an event: the UUIDv5 of `source LF id`.

    Neither can hold a line feed. An id that looks like a UUID is none either: two sources may use
    the same.
    """
    return uuid5(EVENT_NAMESPACE, f"{source}\n{id}")


def content_of(event: CloudEvent) -> dict[str, Any]:
    """What makes two sendings the same event: what is set of its attributes, extensions and data.

    But for what says how it travelled: `specversion`, `time`, `datacontenttype`, `factorydepth`,
    `traceparent`, `tracestate`.
    """
    return {name: value for name, value in _set(event) if name not in _NOT_CONTENT}


def travelled_of(event: CloudEvent) -> dict[str, Any]:
    """The other attributes that are set; with its content they are the whole event."""
    return {name: value for name, value in _set(event) if name in _NOT_CONTENT}


def _set(event: CloudEvent) -> Iterator[tuple[str, Any]]:
    members = chain(event.__dict__.items(), event.extensions.items())
    return (
        (name, value) for name, value in members if value is not None and value != _UNSET.get(name)
    )
