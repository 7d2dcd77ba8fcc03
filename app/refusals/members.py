"""The structured members that some problems carry."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.refusals.spec import Member

# A body of 1 MiB can hold a hundred thousand mistakes; the answer need not be larger than it.
MOST_ERRORS = 100

Location = Literal["body", "query", "path", "header"]


class InvalidField(BaseModel):
    """One thing in a request that can't be taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    location: Location = Field(description="The part of the request that the pointer points into.")
    pointer: str = Field(
        description="JSON pointer (RFC 6901) into the body, or `/` and the name of the parameter."
    )
    rule: str = Field(description="The rule that is broken, as a stable word.")
    detail: str = Field(description="What would be right, for a human.")
    line: int | None = Field(None, description="Of newline-delimited JSON: the line, from 1.")


class RefusedItem(BaseModel):
    """One item of a bulk that was refused."""

    model_config = ConfigDict(extra="allow", frozen=True)

    ordinal: int = Field(description="The item's place in the request, from 1.")
    code: str = Field(description="The item's refusal code.")


class Blocker(BaseModel):
    """One instance that stands in the way of a rollback."""

    model_config = ConfigDict(extra="allow", frozen=True)

    instance_collection_id: UUID = Field(description="The instance.")
    reason: str = Field(description="What happened to it since it was composed.")


class Disagreement(BaseModel):
    """Something that does not agree with what else is stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = Field(description="A stable word; docs/evidence.md explains each.")
    subject: str = Field(description="What it was found of.")
    expected: str = Field(description="What it is to be.")
    actual: str = Field(description="What it is.")


class ReadinessCheck(BaseModel):
    """One thing that the service needs before it can work."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="What was looked at.")
    ok: bool = Field(description="Whether it is as it should be.")
    detail: str = Field(description="What was found, and what to do about it.")


ERRORS_EXAMPLE: list[dict[str, Any]] = [
    {
        "location": "body",
        "pointer": "/event_id",
        "rule": "missing",
        "detail": "is missing",
    }
]

LINE = Member(
    "line", int, "Of newline-delimited JSON: the line, from 1.", 3, required=False, special=True
)

ITEMS = Member(
    "items",
    list[RefusedItem],
    "Of an atomic bulk: every item that was refused. The problem's own `code` is the first one's."
    " `earlier_ordinal` names an item of the same bulk that it conflicts with.",
    [{"ordinal": 2, "code": "template_not_marked"}],
    required=False,
    special=True,
)
