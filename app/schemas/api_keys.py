"""API keys over the wire. The secret goes out once, when a key is made."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    Timestamp,
    WireModel,
    with_example,
)
from app.security import Scope, is_actor_prefix, is_own_actor

_KEY = {
    "key_id": "0a1b2c3d4e5f",
    "principal": "billing service",
    "scope": "producer",
    "actor": "billing",
    "actor_prefixes": ["billing-", "billing:"],
    "state": "in_force",
    "created_by": "anna@example.org",
    "created_at": "2025-06-01T12:00:00Z",
    "expires_at": "2026-06-01T12:00:00Z",
    "revoked_at": None,
    "revoked_by": None,
}


def _own_actor(value: str) -> str:
    if not is_own_actor(value):
        raise ValueError("should not end at - or :, where it would read as a prefix")
    return value


def _actor_prefix(value: str) -> str:
    if not is_actor_prefix(value):
        raise ValueError("should be the start of an actor's tag, and end at - or :")
    return value


def _principal(value: str) -> str:
    if value.startswith("jwt:"):
        raise ValueError("should not begin with jwt:, which is how the owners of tokens are named")
    return value


# The validators say what is wrong in words; the patterns beside them say it to machines.
_Principal = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS),
    AfterValidator(_principal),
    Field(json_schema_extra={"not": {"pattern": "^jwt:"}}),
]
_OwnActor = Annotated[
    Actor,
    AfterValidator(_own_actor),
    Field(json_schema_extra={"pattern": "^[a-z0-9]([a-z0-9._:-]{0,126}[a-z0-9._])?$"}),
]
_ActorPrefix = Annotated[
    Actor,
    AfterValidator(_actor_prefix),
    Field(
        examples=["billing-"],
        json_schema_extra={"pattern": "^[a-z0-9][a-z0-9._:-]{0,126}[:-]$"},
    ),
]


class CreateApiKey(WireModel):
    """Makes a key."""

    model_config = with_example(
        {
            "principal": "billing service",
            "scope": "producer",
            "actor": "billing",
            "actor_prefixes": ["billing-", "billing:"],
        }
    )

    principal: _Principal = Field(description="Who is accountable for what the key does.")
    scope: Scope = Field(description="What the key reaches; each scope contains those before it.")
    actor: _OwnActor = Field(
        description="The tag that the key's work is done under, unless a request narrows it."
    )
    actor_prefixes: list[_ActorPrefix] = Field(
        default_factory=list,
        max_length=64,
        description="Beginnings of the other tags that it may act as; each ends at `-` or `:`.",
    )
    expires_at: Timestamp | None = Field(default=None, description="Left out: never.")


class ApiKey(WireModel):
    """A key, without its secret."""

    model_config = with_example(_KEY)

    key_id: str
    principal: str
    scope: Scope
    actor: str
    actor_prefixes: list[str]
    state: Literal["in_force", "expired", "revoked"]
    created_by: str
    created_at: Timestamp
    expires_at: Timestamp | None
    revoked_at: Timestamp | None
    revoked_by: str | None


class ApiKeyPage(WireModel):
    """API keys, the oldest first."""

    model_config = with_example({"items": [_KEY], "next_page_token": None})

    items: list[ApiKey]
    next_page_token: str | None


class ApiKeyCreated(ApiKey):
    """A key that was just made, with its secret: this answer is the only one that has it."""

    model_config = with_example(
        {**_KEY, "secret": "pf_0a1b2c3d4e5f_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
    )

    secret: str = Field(description="What is sent as `Authorization: Bearer`. Not stored.")
