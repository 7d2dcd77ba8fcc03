"""A raw webhook as an event: for senders that know their own JSON and nothing of CloudEvents.

GitHub signs the body alone, and a shared secret covers nothing of it: whoever has seen a delivery
can send its body again under another id. So where nothing else is said, such an event's id is the
digest of its body: sent again in whichever way, it is the same event.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.events.cloudevent import MAX_INTEGER, CloudEvent
from app.events.reading import checked_event
from app.events.signatures import HeaderValues
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField, Location
from app.strict_json import parse_json

Extract = Callable[[Mapping[str, str], Any], str]
"""An attribute's value. Takes the headers that came once, by their names in lower case, and the
body as it was read from JSON; raises ValueError, which says why, where it is in neither."""


@dataclass(frozen=True, slots=True)
class RawWebhook:
    """A request as it came. Nothing of it is known to be true before its signature is verified."""

    headers: HeaderValues
    body: bytes


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an attribute is taken from, and is pointed to when it is wrong."""

    extract: Extract
    location: Location
    pointer: str
    name: str | None = None
    """What it is called where the pointer does not tell."""

    def wrong(self, rule: str, detail: str) -> InvalidField:
        """One thing that is wrong with it."""
        if self.name is not None:
            detail = f"{self.name}: {detail}"
        return InvalidField(location=self.location, pointer=self.pointer, rule=rule, detail=detail)


@dataclass(frozen=True, slots=True)
class WebhookMapping:
    """What the events of a source are made of. `source` is a URI reference, checked before."""

    source: str
    id: Origin | None
    """None: the digest of the body, `sha256:` and 64 hex digits."""
    type: Origin


def from_header(name: str) -> Origin:
    """The value of the header of that name."""
    key = name.lower()
    return Origin(lambda headers, _body: _value(headers, key), "header", f"/{key}")


def from_expression(attribute: str, extract: Extract) -> Origin:
    """What the expression of an attribute comes to, over headers and body."""
    return Origin(extract, "body", "", f"the expression of {attribute}")


def own_type(otherwise: str) -> Origin:
    """The body's own member `type`; without one, what is given."""
    return Origin(lambda _headers, body: _own_type(body, otherwise), "body", "/type")


def event_from_webhook(mapping: WebhookMapping, webhook: RawWebhook) -> CloudEvent:
    """The event that a webhook tells of, with its body as data and without a time.

    A factory's message is as deep as it says, so that chains end which lead back here.
    Refuses as `parse_json` does, and with `invalid_input` where id or type can't be taken from it.
    """
    body = parse_json(webhook.body)
    headers = {name: values[0] for name, values in webhook.headers.items() if len(values) == 1}
    members: dict[str, Any] = {
        "specversion": "1.0",
        "source": mapping.source,
        "data": body,
        "factorydepth": _depth(body),
    }
    if mapping.id is None:
        members["id"] = f"sha256:{hashlib.sha256(webhook.body).hexdigest()}"
        origins = {"type": mapping.type}
    else:
        origins = {"id": mapping.id, "type": mapping.type}
    errors: list[InvalidField] = []
    for name, origin in origins.items():
        try:
            members[name] = origin.extract(headers, body)
        except ValueError as error:
            errors.append(origin.wrong("not_found", str(error)))
    if errors:
        raise invalid_input(errors)
    return checked_event(
        members, lambda error: origins[error.pointer[1:]].wrong(error.rule, error.detail)
    )


def _depth(body: Any) -> int:
    match body:
        case {"specversion": str(), "factorydepth": int(depth)}:
            return max(0, min(depth, MAX_INTEGER))
    return 0


def _value(headers: Mapping[str, str], name: str) -> str:
    if name not in headers:
        raise ValueError("is missing, or occurs more than once")
    return headers[name]


def _github_type(headers: Mapping[str, str], body: Any) -> str:
    event = f"github.{_value(headers, 'x-github-event')}"
    match body:
        case {"action": str(action)}:
            return f"{event}.{action}"
    return event


def _own_type(body: Any, otherwise: str) -> str:
    match body:
        case {"type": str(own)}:
            return own
    return otherwise


GITHUB_TYPE = Origin(_github_type, "header", "/x-github-event")
"""`github.issues.opened`: GitHub's event, and the action where the body has one."""
