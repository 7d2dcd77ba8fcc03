"""What leaves, over the wire: outbound routes, attempts, dead letters, and the boundary."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from app.delivery.endpoint import EndpointUrl
from app.events.signatures import WhsecSecret
from app.schemas.base import (
    EventType,
    OutboundDraining,
    Page,
    QueryModel,
    Reason,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)
from app.schemas.event_rules import ActingAs, Description, Key, TypePattern

MAX_REPLAYED = 10_000
"""Messages of one request to send them again."""

_ROUTE_ID = "7d1f0f2e-3d0b-4f57-9a9f-0c8f6f1b2a10"
_MESSAGE_ID = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"
_SUBJECT_ID = "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11"
_ATTEMPT_ID = "b7a1c3d2-6f6e-4a43-8f0e-2f7d0c9b8a11"
_TYPE = "iu.template.instance_auto_composed"
_DEFINITION: dict[str, Any] = {
    "name": "hr-portal",
    "enabled": True,
    "event_type": "iu.template.*",
    "endpoint": "https://hr.example.org/hooks/factory",
    "description": "New starters appear in the portal.",
}
ROUTE_EXAMPLE: dict[str, Any] = {
    "route_id": _ROUTE_ID,
    "revision": 1,
    **_DEFINITION,
    "secret_count": 1,
    "draining": False,
    "live": False,
    "enabled_at": "2026-03-01T09:00:00Z",
    "disabled_by_answer": None,
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:00:00Z",
    "updated_by": "ops-anna",
    "reason": "the portal shows new starters",
}
ATTEMPT_EXAMPLE: dict[str, Any] = {
    "attempt_id": _ATTEMPT_ID,
    "message_id": _MESSAGE_ID,
    "subject_id": _SUBJECT_ID,
    "route_id": _ROUTE_ID,
    "route": "hr-portal",
    "event_type": _TYPE,
    "sequence": 1,
    "attempt": 1,
    "started_at": "2026-03-02T09:00:00Z",
    "ended_at": "2026-03-02T09:00:01Z",
    "took_ms": 87,
    "outcome": "delivered",
    "http_status": 204,
    "error": None,
    "detail": None,
    "answer": "",
    "worker": "host:4711",
}
LETTER_EXAMPLE: dict[str, Any] = {
    "message_id": _MESSAGE_ID,
    "subject_id": _SUBJECT_ID,
    "route_id": _ROUTE_ID,
    "route": "hr-portal",
    "event_type": _TYPE,
    "dead_at": "2026-03-05T09:00:00Z",
    "attempts": 10,
    "attempt_id": _ATTEMPT_ID,
    "http_status": 500,
    "error": "answered",
    "detail": "it answered 500",
    "answer": "Internal Server Error",
    "replayed_at": None,
    "replayed_by": None,
    "payload": {"instance_collection_id": _SUBJECT_ID},
}

Secrets = Annotated[
    list[WhsecSecret],
    Field(
        min_length=1,
        max_length=2,
        description="What its messages are signed with (Standard Webhooks), the newer first: one,"
        " or two while the receiver changes to the other.",
    ),
]


class _RouteDefinition(WireModel):
    name: Key
    enabled: bool = Field(
        False,
        description="It gets every message that is committed while it is, and none from before.",
    )
    event_type: TypePattern
    endpoint: EndpointUrl
    description: Description = ""


class PutOutboundRoute(_RouteDefinition):
    """A route that leads outside, as it shall be."""

    model_config = with_example(
        {
            **_DEFINITION,
            "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "reason": "the portal shows new starters",
        }
    )

    secrets: Secrets | None = Field(None, description="null: those that are there.")
    reason: Reason
    actor: ActingAs = None


class OutboundRoute(_RouteDefinition):
    """A route that leads outside. Its secrets are never told."""

    model_config = with_example(ROUTE_EXAMPLE)

    route_id: UUID
    revision: int = Field(description="Its ETag, for `If-Match`.")
    secret_count: int
    draining: OutboundDraining = False
    live: bool = Field(description="Whether the setting `iu_core.delivery_live_routes` names it.")
    enabled_at: Timestamp | None
    disabled_by_answer: Timestamp | None = Field(
        description="Its endpoint answered 410 Gone: since then it is disabled."
    )
    created_at: Timestamp
    updated_at: Timestamp
    updated_by: str
    reason: str


class OutboundRoutePage(WireModel):
    """One page of outbound routes, by name."""

    model_config = with_example({"items": [ROUTE_EXAMPLE], "next_page_token": None})

    items: list[OutboundRoute]
    next_page_token: str | None


class RemoveOutboundRoute(QueryModel):
    """Why a route is taken away."""

    reason: Reason
    actor: ActingAs = None


class AttemptList(Page):
    """What a list of attempts is narrowed by."""

    route: Uuid | None = None
    message: Uuid | None = None
    subject: Uuid | None = Field(None, description="The instance that the messages are about.")
    outcome: Literal["delivered", "failed", "not_sent", "abandoned"] | None = None


class DeliveryAttempt(WireModel):
    """One attempt to send a message along a route."""

    model_config = with_example(ATTEMPT_EXAMPLE)

    attempt_id: UUID
    message_id: UUID = Field(description="`webhook-id`: the same in each attempt.")
    subject_id: UUID = Field(description="What the message is about: the instance.")
    route_id: UUID
    route: str
    event_type: str
    sequence: int = Field(description="Counts the messages about the subject, from 1.")
    attempt: int
    started_at: Timestamp
    ended_at: Timestamp | None
    took_ms: int | None
    outcome: Literal["delivered", "failed", "not_sent", "abandoned"] | None = Field(
        description="null: on the wire. `failed`: it may have been received all the same."
        " `not_sent`: nothing of it can have left. `abandoned`: who made it was not heard of again."
    )
    http_status: int | None
    error: str | None
    detail: str | None
    answer: str | None = Field(description="The beginning of what the endpoint answered.")
    worker: str


class AttemptPage(WireModel):
    """One page of attempts, the newest first."""

    model_config = with_example({"items": [ATTEMPT_EXAMPLE], "next_page_token": None})

    items: list[DeliveryAttempt]
    next_page_token: str | None


class DeadLetterList(Page):
    """What a list of dead letters is narrowed by."""

    route: Uuid | None = None
    replayed: bool = Field(False, description="Also those that were sent again.")


class DeadLetter(WireModel):
    """A message that could not be delivered, with what the last attempt was answered."""

    model_config = with_example(LETTER_EXAMPLE)

    message_id: UUID
    subject_id: UUID
    route_id: UUID
    route: str
    event_type: str
    dead_at: Timestamp
    attempts: int
    attempt_id: UUID
    http_status: int | None
    error: str | None
    detail: str | None
    answer: str | None
    replayed_at: Timestamp | None
    replayed_by: str | None
    payload: dict[str, Any]


class DeadLetterPage(WireModel):
    """One page of dead letters, the newest first."""

    model_config = with_example({"items": [LETTER_EXAMPLE], "next_page_token": None})

    items: list[DeadLetter]
    next_page_token: str | None


class _Replay(WireModel):
    route: Uuid
    dry_run: bool = Field(True, description="Count, and change nothing.")
    limit: Annotated[int, Field(ge=1, le=MAX_REPLAYED)] = MAX_REPLAYED
    reason: Reason
    actor: ActingAs = None


class ReplayDeadLetters(_Replay):
    """Which dead letters of a route are sent again."""

    model_config = with_example({"route": _ROUTE_ID, "dry_run": True, "reason": "it is up again"})

    messages: Annotated[list[Uuid], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="These; default: all, or those of the range."
    )
    died_from: Timestamp | None = Field(None, description="The first moment.")
    died_to: Timestamp | None = Field(None, description="The first moment that is too late.")


class DeadLettersReplayed(WireModel):
    """How many dead letters there are, and how many are due again, or would be."""

    model_config = with_example({"dry_run": True, "letters": 12, "due": 12})

    dry_run: bool
    letters: int
    due: int


class ReplayMessages(_Replay):
    """Which messages are sent along a route again, or for the first time."""

    model_config = with_example(
        {
            "route": _ROUTE_ID,
            "written_from": "2026-03-01T00:00:00Z",
            "written_to": "2026-03-02T00:00:00Z",
            "dry_run": True,
            "reason": "the portal was restored from the day before",
        }
    )

    written_from: Timestamp
    written_to: Timestamp = Field(description="The first moment that is too late.")
    event_type: EventType | None = Field(None, description="Default: all that the route is for.")
    delivered: bool = Field(False, description="Also those that were delivered along it.")
    page_token: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = Field(
        None, description="From `next_page_token`: goes on where the last request ended."
    )

    @field_validator("written_to")
    @classmethod
    def _is_later(cls, value: datetime, info: ValidationInfo) -> datetime:
        begin = info.data.get("written_from")
        if begin is not None and value <= begin:
            raise ValueError("should be later than written_from")
        return value


class MessagesReplayed(WireModel):
    """How many messages were looked at, and how many are due by it, or would be."""

    model_config = with_example(
        {"dry_run": True, "messages": 40, "due": 38, "next_page_token": None}
    )

    dry_run: bool
    messages: int
    due: int
    next_page_token: str | None = Field(description="There are more; null: that was all.")


class LaneLayer(WireModel):
    """The first layer: which types may leave at all."""

    closed: bool
    live: list[str] = Field(description="The types whose lane is `live`.")


class KeyedRoute(WireModel):
    """A route that leads outside."""

    route_id: UUID
    name: str
    enabled: bool
    event_type: str


class RouteLayer(WireModel):
    """The second layer: where they would go."""

    closed: bool
    keyed: list[KeyedRoute] = Field(description="Any pattern counts, also of types that are not.")


class GateLayer(WireModel):
    """The third layer: whether anything goes now."""

    closed: bool
    delivery_enabled: bool = Field(description="The gate, a lease included.")
    delivery_live_routes: list[str]


class Boundary(WireModel):
    """What keeps messages inside: three layers, of which each is enough."""

    model_config = with_example(
        {
            "internal_only_holds": True,
            "lanes": {"closed": True, "live": []},
            "routes": {"closed": True, "keyed": []},
            "gate": {"closed": True, "delivery_enabled": False, "delivery_live_routes": []},
            "on_the_wire": 0,
            "pending": 0,
        }
    )

    internal_only_holds: bool = Field(description="There is no way outside now.")
    lanes: LaneLayer
    routes: RouteLayer
    gate: GateLayer
    on_the_wire: int = Field(description="Attempts that have begun, and not ended.")
    pending: int = Field(description="Messages that wait for their route.")


class BoundaryProbe(WireModel):
    """What a message caused that was written to be undone."""

    model_config = with_example({"attempts": 0, "internal_only_holds": True})

    attempts: int = Field(description="That would have begun with it.")
    internal_only_holds: bool = Field(description="What the boundary says.")
