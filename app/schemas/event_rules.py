"""What events are judged by, over the wire: their types, the routes that they take, and sources."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from app.events.cloudevent import IsUriReference
from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    OutboundDraining,
    QueryModel,
    Reason,
    TemplateReference,
    Timestamp,
    WireModel,
    with_example,
)
from app.schemas.events import Why

MOST_SIMULATED = 200
"""Stored events that one simulation runs over."""

Key = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$"),
    Field(description="Lower-case letters, digits, `.`, `_`, `-`.", examples=["onboarding"]),
]
TypePattern = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS),
    StringConstraints(pattern=r"^[^*]*\*?$"),
    Field(
        description="A type, or the beginning of types and an asterisk.", examples=["employee.*"]
    ),
]
Expression = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000),
    Field(description="CEL over `event` and `data`.", examples=['data.country == "DE"']),
]
Description = Annotated[str, StringConstraints(max_length=2000), Field(description="For people.")]
ActingAs = Annotated[Actor | None, Field(description="Narrows the key's own.")]

_ROUTE_ID = "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11"
_TIMES = {
    "created_at": "2026-03-01T09:00:00Z",
    "updated_at": "2026-03-01T09:00:00Z",
    "updated_by": "ops-anna",
    "reason": "new hires come from the HR system",
}
_DEFINITION: dict[str, Any] = {
    "key": "onboarding",
    "enabled": True,
    "event_type": "employee.hired",
    "filter": 'data.country == "DE"',
    "template": "tpl:wf:onboarding",
    "suffix": "data.id",
    "mapping": {"name": "data.name", "starts": "data.start_date"},
    "emit_mode": "live",
    "actor": "hr-onboarding",
    "description": "Everybody who is hired in Germany.",
}
ROUTE_EXAMPLE: dict[str, Any] = {
    "route_id": _ROUTE_ID,
    "revision": 1,
    **_DEFINITION,
    "principal": "anna@example.org",
    **_TIMES,
}


_TYPE: dict[str, Any] = {
    "event_type": "employee.hired",
    "version": 1,
    "delivery_lane": "delayed",
    "domain": "system",
    "data_schema": {"type": "object", "required": ["name"]},
    "description": "Somebody was hired.",
    **_TIMES,
    "draining": False,
}


_SOURCE: dict[str, Any] = {
    "name": "github",
    "enabled": True,
    "signature": "github",
    "header": None,
    "secret_count": 1,
    "source": "https://github.com/acme",
    "id": None,
    "type": None,
    "actor": "github",
    "principal": "anna@example.org",
    "description": "",
    **_TIMES,
}


class _RouteDefinition(WireModel):
    key: Key
    enabled: bool = Field(False, description="A draft is not: it is only simulated.")
    event_type: TypePattern
    filter: Expression | None = Field(None, description="null: every event of these types.")
    template: TemplateReference
    suffix: Expression | None = Field(None, description="Gives a text; null: the empty one.")
    mapping: Annotated[dict[str, Expression], Field(max_length=200)] | None = Field(
        None,
        description="Parameter to the expression that gives it; null: the event's data are the"
        " parameters.",
    )
    emit_mode: Literal["dry_run", "live"] = "live"
    description: Description = ""


class PutRoute(_RouteDefinition):
    """A route, as it shall be."""

    model_config = with_example(
        {
            **{name: value for name, value in _DEFINITION.items() if name != "actor"},
            "reason": _TIMES["reason"],
        }
    )

    actor: Actor | None = Field(None, description="As whom it composes; default: the key's own.")
    reason: Reason


class Route(_RouteDefinition):
    """A route that events take."""

    model_config = with_example(ROUTE_EXAMPLE)

    route_id: UUID
    revision: int = Field(description="Its ETag, for `If-Match`.")
    actor: str
    principal: str = Field(description="Who is accountable for what it composes.")
    created_at: Timestamp
    updated_at: Timestamp
    updated_by: str
    reason: str


class RoutePage(WireModel):
    """One page of routes."""

    model_config = with_example({"items": [ROUTE_EXAMPLE], "next_page_token": None})

    items: list[Route]
    next_page_token: str | None


class RemoveRoute(QueryModel):
    """Why a route is taken away."""

    reason: Reason
    actor: ActingAs = None


class Simulate(WireModel):
    """Over which stored events a route is tried."""

    model_config = with_example({"last": 50})

    last: Annotated[int, Field(ge=1, le=MOST_SIMULATED)] = Field(
        50, description="The newest events of the route's types, so many."
    )


class ConditionVerdict(WireModel):
    """One condition of a filter, and what it says of an event."""

    condition: str
    verdict: Literal["true", "false", "missing", "failed"]
    detail: str | None = Field(description="The path that is missing, or why it failed.")


class SimulatedEvent(WireModel):
    """What the route would do with one event."""

    event_id: UUID
    source: str
    id: str
    received_at: Timestamp
    conditions: list[ConditionVerdict]
    taken: bool
    why: Why | None = Field(description="Why it is not taken.")
    detail: str | None
    suffix: str | None
    parameters: dict[str, Any] | None = Field(description="What the template would be filled with.")
    outcome: Literal["composed", "replayed", "refused"] | None = Field(
        description="What a live call would come to."
    )
    code: str | None
    instance_collection_id: UUID | None = Field(
        description="Which it would be, or is where it is a replay."
    )
    template: str | None
    details: dict[str, Any]


class Simulation(WireModel):
    """What a route would do with events that came in. Nothing is written, not even a record."""

    model_config = with_example(
        {
            "events": 1,
            "taken": 0,
            "items": [
                {
                    "event_id": "4a2c9f0e-8f6b-5e9d-8c55-3e6a1d2b7f10",
                    "source": "/hr/system",
                    "id": "hire-4711",
                    "received_at": "2026-03-02T09:00:00Z",
                    "conditions": [
                        {
                            "condition": 'data.country == "DE"',
                            "verdict": "missing",
                            "detail": "data.country",
                        }
                    ],
                    "taken": False,
                    "why": "missing",
                    "detail": "data.country",
                    "suffix": None,
                    "parameters": None,
                    "outcome": None,
                    "code": None,
                    "instance_collection_id": None,
                    "template": None,
                    "details": {},
                }
            ],
        }
    )

    events: int
    taken: int
    items: list[SimulatedEvent]


class PutType(WireModel):
    """An event type, as it shall be."""

    model_config = with_example(
        {
            "delivery_lane": "delayed",
            "data_schema": {"type": "object", "required": ["name"]},
            "description": "Somebody was hired.",
            "reason": "the HR system sends it",
        }
    )

    delivery_lane: Literal["delayed", "live"] = Field(
        "delayed", description="`delayed`: never sent out. `live` needs the scope `admin`."
    )
    data_schema: dict[str, Any] | None = Field(
        None, description="JSON Schema (2020-12) of the data; null: anything."
    )
    description: Description = ""
    reason: Reason
    actor: ActingAs = None


class Type(WireModel):
    """An event type."""

    model_config = with_example(_TYPE)

    event_type: str
    version: int = Field(description="Counts the changes of its schema, from 1.")
    delivery_lane: Literal["delayed", "live"]
    domain: Literal["iu", "system"]
    data_schema: dict[str, Any] | None
    description: str
    created_at: Timestamp
    updated_at: Timestamp
    updated_by: str
    reason: str
    draining: OutboundDraining = False


class TypePage(WireModel):
    """One page of event types."""

    model_config = with_example({"items": [_TYPE], "next_page_token": None})

    items: list[Type]
    next_page_token: str | None


class From(WireModel):
    """Where a webhook says something: in a header, or by CEL over `headers` and `body`."""

    model_config = with_example({"header": "x-github-delivery"})

    header: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,100}$")] | None = None
    expression: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=2000),
            Field(description="CEL over `headers` and `body`.", examples=["string(body.id)"]),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if (self.header is None) == (self.expression is None):
            raise ValueError("should have either header or expression")
        return self


class _SourceDefinition(WireModel):
    enabled: bool = True
    signature: Literal["github", "standard_webhooks", "header"] = Field(
        description="`github`: `X-Hub-Signature-256`. `standard_webhooks`: `webhook-id`,"
        " `webhook-timestamp` and `webhook-signature`. `header`: the secret itself in a header."
    )
    header: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,100}$")] | None = Field(
        None, description="Of the signature `header`: its name, in lower case."
    )
    source: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        *IsUriReference,
        Field(description="What its events have as their source: a URI, or a path."),
    ]
    id: From | None = Field(
        None,
        description="Where the event's id is. null: `webhook-id` of Standard Webhooks; else the"
        " SHA-256 of the body, which is what the signature covers.",
    )
    type: From | None = Field(
        None,
        description="Where the event's type is. null: of GitHub `github.<event>.<action>`; else"
        " `webhook.<name>`, or the body's own `type`.",
    )
    description: Description = ""


class PutSource(_SourceDefinition):
    """A source of webhooks, as it shall be."""

    model_config = with_example(
        {
            "signature": "github",
            "secrets": ["It's a Secret to Everybody"],
            "source": "https://github.com/acme",
            "reason": "releases start a status report",
        }
    )

    secrets: (
        Annotated[
            list[Annotated[str, StringConstraints(max_length=500)]],
            Field(min_length=1, max_length=2),
        ]
        | None
    ) = Field(None, description="One, or two while it is changed; null: those that are there.")
    actor: Actor | None = Field(
        None, description="As whom its events come in; default: the key's own."
    )
    reason: Reason


class Source(_SourceDefinition):
    """A source of webhooks. Its secrets are never told."""

    model_config = with_example(_SOURCE)

    name: str
    secret_count: int
    actor: str
    principal: str
    created_at: Timestamp
    updated_at: Timestamp
    updated_by: str
    reason: str


class SourcePage(WireModel):
    """One page of sources."""

    model_config = with_example({"items": [_SOURCE], "next_page_token": None})

    items: list[Source]
    next_page_token: str | None
