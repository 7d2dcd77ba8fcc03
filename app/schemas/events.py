"""Events over the wire: what came of one that was sent, and how they are listed and fired again."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from app.schemas.base import EventType, Page, Timestamp, Uuid, WireModel, with_example

MAX_REFIRED = 1_000
"""Events that are looked at in one request to fire them again."""

_EVENT_ID = "4a2c9f0e-8f6b-5e9d-8c55-3e6a1d2b7f10"
_ROUTE_ID = "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11"

RESULT_EXAMPLE: dict[str, Any] = {
    "route_id": _ROUTE_ID,
    "route": "onboarding",
    "outcome": "composed",
    "code": None,
    "instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
    "rolled_back_at": None,
    "template": "tpl:wf:onboarding/v3",
    "suffix": "ada-lovelace",
    "details": {},
    "fired_at": "2026-03-02T09:00:00Z",
    "firings": 1,
}
EVENT_EXAMPLE: dict[str, Any] = {
    "outcome": "accepted",
    "event_id": _EVENT_ID,
    "source": "/hr/system",
    "id": "hire-4711",
    "type": "employee.hired",
    "received_at": "2026-03-02T09:00:00Z",
    "inert": False,
    "results": [RESULT_EXAMPLE],
    "not_taken": [],
}

_STORED: dict[str, Any] = {
    **{name: value for name, value in EVENT_EXAMPLE.items() if name != "outcome"},
    "depth": 0,
    "channel": "http",
    "actor": "hr",
    "principal": "hr system",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "content_digest": "9f86d081" * 8,
    "event": {
        "specversion": "1.0",
        "id": "hire-4711",
        "source": "/hr/system",
        "type": "employee.hired",
        "data": {"name": "Ada Lovelace"},
    },
}

RouteOutcome = Annotated[
    Literal["composed", "replayed", "dry_run", "refused", "pending"],
    Field(
        description="`refused`: with the code of the refusal; fired again by `POST /events/refire`."
        " `pending`: was cut off before it was decided; fired again likewise."
    ),
]
Why = Annotated[
    Literal["filter", "missing", "suffix", "mapping", "failed"],
    Field(
        description="`filter`: its filter says no. `missing`: an expression asks for what the event"
        " does not have; `detail` names the path. `suffix`, `mapping`: what they give can't be"
        " used. `failed`: an expression can't be worked out."
    ),
]


NoMoreTaken = Annotated[
    Literal["not_taken"],
    Field(
        description="It was refused or pending, and the event does not take it any more: `details`"
        " has `why` (`not_in_force` where it is disabled, removed or for other types) and `detail`."
    ),
]


class RouteResult(WireModel):
    """What came of one route that an event took."""

    model_config = with_example(RESULT_EXAMPLE)

    route_id: UUID
    route: str = Field(description="The route's key.")
    outcome: RouteOutcome
    code: str | None = Field(description="Of the refusal; of a dry run, what a live call gets.")
    instance_collection_id: UUID | None
    rolled_back_at: Timestamp | None = Field(
        description="When it was rolled back; null: it is there, or nothing was composed."
    )
    template: str = Field(
        description="The version that was composed from, else what was asked for."
    )
    suffix: str
    details: dict[str, Any] = Field(description="Members of the refusal, warnings, `would_be`.")
    fired_at: Timestamp
    firings: int = Field(description="How often it was fired.")


class RouteNotTaken(WireModel):
    """Routes of the event's type that it did not take, for one reason."""

    model_config = with_example(
        {"why": "missing", "detail": "data.person.start_date", "routes": ["onboarding"]}
    )

    why: Why
    detail: str | None
    routes: list[str] = Field(description="The keys that they had.")


class TakenEvent(WireModel):
    """An event that is stored, and what has come of it."""

    model_config = with_example(EVENT_EXAMPLE)

    outcome: Literal["accepted", "known"] = Field(
        description="`known`: it came before, and is answered as then, with what came of it since."
    )
    event_id: UUID = Field(description="UUIDv5 of source and id: the event's id in the factory.")
    source: str
    id: str
    type: str
    received_at: Timestamp
    inert: bool = Field(
        description="Its type was unknown when it came: it was stored, and started nothing."
    )
    results: list[RouteResult]
    not_taken: list[RouteNotTaken]


class RefusedEvent(WireModel):
    """An event of a batch that was not taken."""

    model_config = with_example(
        {
            "outcome": "refused",
            "code": "event_conflict",
            "detail": "An event of this source has this id already, and differs in `fields`.",
            "source": "/hr/system",
            "id": "hire-4711",
            "members": {"event_id": _EVENT_ID, "fields": ["data"]},
        }
    )

    outcome: Literal["refused"]
    code: str
    detail: str
    source: str | None
    id: str | None
    members: dict[str, Any] = Field(description="The members that the problem would carry.")


class BatchAnswer(WireModel):
    """What became of a batch: one item for each event, in their order; the counts add up."""

    model_config = with_example(
        {"total": 1, "accepted": 1, "known": 0, "refused": 0, "items": [EVENT_EXAMPLE]}
    )

    total: int
    accepted: int
    known: int
    refused: int
    items: list[TakenEvent | RefusedEvent]


class StoredEvent(WireModel):
    """An event that was taken in, as it came, and what came of it."""

    model_config = with_example(_STORED)

    event_id: UUID
    source: str
    id: str
    type: str
    received_at: Timestamp
    inert: bool
    depth: int = Field(description="How many products of factories led to it.")
    channel: str = Field(description="`http`, `event-source:<name>`, or the broker.")
    actor: str
    principal: str
    request_id: UUID | None = Field(
        description="Of the request that brought it; of an event of a batch, that with the event's"
        " place, from 0, added to its last digits by XOR."
    )
    content_digest: str = Field(
        description="SHA-256 of the RFC 8785 form of what makes it the same event: `event` without"
        " `specversion`, `time`, `datacontenttype`, `factorydepth`, `traceparent`, `tracestate`."
    )
    event: dict[str, Any] = Field(description="The CloudEvent.")
    results: list[RouteResult]
    not_taken: list[RouteNotTaken]


class StoredEventPage(WireModel):
    """One page of events, the newest first."""

    model_config = with_example({"items": [_STORED], "next_page_token": None})

    items: list[StoredEvent]
    next_page_token: str | None


class EventList(Page):
    """What a list of events is narrowed by."""

    source: Annotated[str | None, Field(max_length=1000)] = None
    type: EventType | None = None
    received_from: Timestamp | None = Field(None, description="The first moment.")
    received_to: Timestamp | None = Field(None, description="The first moment that is too late.")
    unfinished: bool = Field(False, description="Only those with a route refused, or pending.")


class Refire(WireModel):
    """Which events are fired again."""

    model_config = with_example(
        {
            "received_from": "2026-03-02T00:00:00Z",
            "received_to": "2026-03-03T00:00:00Z",
            "dry_run": True,
        }
    )

    received_from: Timestamp
    received_to: Timestamp = Field(description="The first moment that is too late.")
    type: EventType | None = None
    routes: Annotated[list[Uuid], Field(min_length=1, max_length=100)] | None = Field(
        None, description="Only these routes; default: all that are enabled."
    )
    not_taken: bool = Field(
        False,
        description="Also routes of which nothing is there now: those that the events did not take"
        " when they came and would take now (new ones, and those that were changed since), those"
        " that were only tried and are `live` now, and those whose instance was rolled back."
        " Default: only what was refused.",
    )
    dry_run: bool = Field(True, description="Say what would come of it, and change nothing.")
    limit: Annotated[int, Field(ge=1, le=MAX_REFIRED)] = Field(
        MAX_REFIRED, description="How many events are looked at."
    )
    page_token: Annotated[str, Field(max_length=1000)] | None = Field(
        None, description="From `next_page_token`: goes on where the last request ended."
    )

    @field_validator("received_to")
    @classmethod
    def _is_later(cls, value: datetime, info: ValidationInfo) -> datetime:
        begin = info.data.get("received_from")
        if begin is not None and value <= begin:
            raise ValueError("should be later than received_from")
        return value


class RefiredRoute(WireModel):
    """What came of one route, or would."""

    event_id: UUID
    route_id: UUID
    route: str
    outcome: RouteOutcome | NoMoreTaken
    code: str | None
    instance_collection_id: UUID | None
    template: str
    suffix: str
    details: dict[str, Any]


class Refired(WireModel):
    """What firing again came to; the counts add up to the number of items."""

    model_config = with_example(
        {
            "dry_run": False,
            "events": 1,
            "composed": 1,
            "replayed": 0,
            "dry_runs": 0,
            "refused": 0,
            "pending": 0,
            "not_taken": 0,
            "items": [
                {
                    "event_id": _EVENT_ID,
                    **{
                        name: value
                        for name, value in RESULT_EXAMPLE.items()
                        if name not in {"fired_at", "firings", "rolled_back_at"}
                    },
                }
            ],
            "next_page_token": None,
        }
    )

    dry_run: bool
    events: int = Field(description="Events that were looked at.")
    composed: int
    replayed: int
    dry_runs: int
    refused: int
    pending: int
    not_taken: int
    items: list[RefiredRoute]
    next_page_token: str | None = Field(
        description="There are more; null: that was all. A page also ends after 8 MiB of events."
    )
