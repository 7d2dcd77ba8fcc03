"""Pieces over the wire: units of content, their life, and where they stand."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.schemas.base import (
    CONTROL_CHARACTERS,
    NO_CONTROL_CHARACTERS,
    Actor,
    Page,
    Reason,
    Sha256,
    Timestamp,
    WireModel,
    with_example,
)

Life = Literal["draft", "active", "superseded", "retired"]
VersionStatus = Literal["current", "superseded", "withdrawn"]

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"

MediaType = Annotated[
    str,
    StringConstraints(
        max_length=500, pattern=rf"^{_NAME}/{_NAME}[ \t]*(;[^{CONTROL_CHARACTERS}]*)?$"
    ),
    Field(
        description="Stored, and digested, in lower case and without parameters.",
        examples=["text/markdown"],
    ),
]
Title = Annotated[
    str,
    StringConstraints(max_length=500, pattern=NO_CONTROL_CHARACTERS),
    Field(description="One line; may be empty.", examples=["Welcome"]),
]
Body = Annotated[str, Field(description="The content, kept byte for byte.")]
AxisName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
AxisValue = Annotated[str, StringConstraints(max_length=200, pattern=NO_CONTROL_CHARACTERS)]
Axes = Annotated[
    dict[AxisName, AxisValue],
    Field(
        max_length=100,
        description="Facets of the envelope: names and values. They are no part of the content.",
        examples=[{"DIEU-28": "handbook"}],
        json_schema_extra={"additionalProperties": False},
    ),
]

SUMMARY_EXAMPLE = {
    "unit_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
    "content_digest": "e840637449d8622e0cc211e8ea86992f17056acfc6b4ae7b0da180b2d9c59c75",
    "media_type": "text/markdown",
    "title": "Welcome",
    "life": "active",
    "supersedes_unit_id": None,
    "superseded_by_unit_id": None,
    "axes": {"DIEU-28": "handbook"},
    "created_by": "author-anna",
    "created_at": "2025-06-01T12:00:00Z",
}
_PIECE = {
    **SUMMARY_EXAMPLE,
    "body": "We are glad that you are here, {{ name }}.",
    "variables": ["name"],
}
_USE = {
    "collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "collection_key": "tpl:wf:onboarding/v2",
    "position": 1,
    "role": "welcome",
    "template_key": "tpl:wf:onboarding/v2",
    "status": "current",
}

_AXES_CHANGE = {
    "axis_log_id": 7,
    "axes_before": {},
    "axes_after": {"DIEU-28": "handbook"},
    "compositions": 2,
    "actor": "author-anna",
    "principal": "anna@example.org",
    "reason": "a better facet",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "occurred_at": "2025-06-01T12:00:00Z",
}


class AxisRollUp(WireModel):
    """An axis of the envelope, rolled up from the pieces."""

    unit_count: int = Field(description="How many different pieces carry it.")
    values: list[str] = Field(description="The different values, sorted.")


class PieceList(Page):
    """Which pieces are listed."""

    life: Life | None = None
    title: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        pattern=NO_CONTROL_CHARACTERS,
        description="What the title contains, in small or capital letters.",
    )
    media_type: MediaType | None = None
    axis: AxisName | None = Field(None, description="An axis that the piece carries.")
    content_digest: Sha256 | None = None


class PieceSummary(WireModel):
    """A piece without its body."""

    model_config = with_example(SUMMARY_EXAMPLE)

    unit_id: UUID
    content_digest: Sha256 = Field(description="docs/digests.md tells how to recompute it.")
    media_type: str
    title: str
    life: Life
    supersedes_unit_id: UUID | None = Field(description="The piece that it is a revision of.")
    superseded_by_unit_id: UUID | None = Field(description="Its revision.")
    axes: dict[str, str]
    created_by: str
    created_at: Timestamp


class PieceSummaryPage(WireModel):
    """One page of pieces, newest first.

    Where filters are used, a page may have fewer items than asked for, even none, and yet a
    `next_page_token`: only so many pieces are examined for one page.
    """

    model_config = with_example({"items": [SUMMARY_EXAMPLE], "next_page_token": None})

    items: list[PieceSummary]
    next_page_token: str | None = Field(description="null: this was the last page.")


class Piece(PieceSummary):
    """A piece with its content."""

    model_config = with_example(_PIECE)

    body: str
    variables: list[str] = Field(description="What it asks for, as paths: `person.name`.")


class NewPiece(WireModel):
    """A piece to be made."""

    model_config = with_example(
        {
            "media_type": "text/markdown",
            "title": "Welcome",
            "body": "We are glad that you are here.",
            "axes": {"DIEU-28": "handbook"},
        }
    )

    media_type: MediaType
    title: Title
    body: Body
    life: Literal["draft", "active"] = Field(
        "active", description="Only active pieces enter templates."
    )
    axes: Axes = Field(default_factory=dict)
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class CreatedPiece(Piece):
    """The piece with the content that was sent."""

    model_config = with_example({**_PIECE, "known": False, "warnings": []})

    known: bool = Field(description="Whether it was there before; then it is as it was made.")
    warnings: list[Literal["life_differs", "axes_differ"]] = Field(
        description="What a known piece has otherwise than it was asked for."
    )


class RevisePiece(WireModel):
    """What is different in the revision; what is left out stays as it was."""

    model_config = with_example(
        {"body": "We are glad that you are here. Come in.", "reason": "warmer"}
    )

    media_type: MediaType | None = None
    title: Title | None = None
    body: Body | None = None
    axes: Axes | None = Field(None, description="All of them, when some are different.")
    reason: Reason | None = None
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class PutAxes(WireModel):
    """The axes that a piece is to have."""

    model_config = with_example({"axes": {"DIEU-28": "handbook"}, "reason": "a better facet"})

    axes: Axes = Field(description="All of them; those that are left out are taken away.")
    reason: Reason | None = None
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class PieceWithAxesPut(Piece):
    """The piece with the axes that were sent."""

    model_config = with_example({**_PIECE, "changed": True, "compositions_refreshed": 2})

    changed: bool = Field(description="Whether it had others.")
    compositions_refreshed: int = Field(
        description="Lists of pieces that it stands in, whose envelopes have the new axes now."
    )


class AxesChange(WireModel):
    """One change of a piece's axes."""

    model_config = with_example(_AXES_CHANGE)

    axis_log_id: int
    axes_before: dict[str, str]
    axes_after: dict[str, str]
    compositions: int = Field(description="Lists of pieces whose envelopes were refreshed.")
    actor: str
    principal: str
    reason: str
    request_id: UUID | None
    occurred_at: Timestamp


class AxesHistoryPage(WireModel):
    """One page of changes of a piece's axes, newest first."""

    model_config = with_example({"items": [_AXES_CHANGE], "next_page_token": None})

    items: list[AxesChange]
    next_page_token: str | None = Field(description="null: this was the last page.")


class ChangeLife(WireModel):
    """A step of life: draft → active → retired, superseded → retired, draft → retired."""

    model_config = with_example({"to_life": "retired", "reason": "out of date"})

    to_life: Life = Field(description="`superseded` is what a revision does, not this.")
    reason: Reason | None = None
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class PieceUse(WireModel):
    """One place where a piece stands."""

    model_config = with_example(_USE)

    collection_id: UUID
    collection_key: str
    position: int = Field(description="From 1, without gaps.")
    role: str
    template_key: str | None = Field(description="null: a plain collection.")
    status: VersionStatus | None = Field(
        description="Of the template; null: it has no place in a version chain, or is none."
    )


class PieceUsePage(WireModel):
    """One page of the templates and plain collections that a piece stands in.

    Instances are not listed: `GET /templates/{ref}/instances` has those of a template.
    """

    model_config = with_example({"items": [_USE], "next_page_token": None})

    items: list[PieceUse]
    next_page_token: str | None = Field(description="null: this was the last page.")
