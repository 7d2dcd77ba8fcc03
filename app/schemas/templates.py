"""Templates over the wire: as they are read."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import (
    FamilyKey,
    Page,
    QueryModel,
    Sha256,
    TemplateReference,
    Timestamp,
    WireModel,
    with_example,
)
from app.schemas.pieces import AxisRollUp, Life, VersionStatus

TEMPLATE_EXAMPLE = {
    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "template_key": "tpl:wf:onboarding/v2",
    "family": "tpl:wf:onboarding",
    "version": "v2",
    "status": "current",
    "template_without_version": False,
    "title": "Onboarding",
    "description": "The first weeks of a new colleague.",
    "composition_digest": "9f86d081" * 8,
    "piece_count": 5,
    "schema_digest": "6b86b273" * 8,
    "axes": {"DIEU-28": {"unit_count": 5, "values": ["handbook"]}},
    "supersedes": "tpl:wf:onboarding/v1",
    "family_chain_length": 2,
    "digest_drift_from_previous": True,
    "marked_by": "author-anna",
    "marked_at": "2025-06-01T12:00:00Z",
    "versioned_by": "author-anna",
    "versioned_at": "2025-06-01T12:00:00Z",
    "reason": "a change of the first week",
    "withdrawn_by": None,
    "withdrawn_at": None,
    "withdrawn_reason": None,
}
PARAMETERS_EXAMPLE = {
    "type": "object",
    "required": ["name", "starts"],
    "properties": {"name": {"type": "string"}, "starts": {"type": "string", "format": "date"}},
}
_CONTENT = {
    "unit_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
    "content_digest": "2c26b46b" * 8,
    "media_type": "text/markdown",
    "title": "Welcome",
    "life": "active",
}
_PIECE = {"position": 1, "role": "welcome", **_CONTENT, "body": "We are glad that you are here."}
CHANGES_EXAMPLE = [
    {
        "change": "added",
        "role": "executive_summary",
        "before": None,
        "after": {"position": 1, **_CONTENT, "title": "Executive summary"},
    }
]


class TemplateList(Page):
    """Which templates are listed."""

    family: FamilyKey | None = None
    status: VersionStatus | Literal["unversioned"] | None = Field(
        None, description="`unversioned`: marked, but without a place in a version chain."
    )


class TemplateAt(QueryModel):
    """As of when a family is read."""

    at: Timestamp | None = Field(
        None, description="Of a family: the version that was current at this time. Default: now."
    )


class Against(QueryModel):
    """What a template is compared with."""

    against: TemplateReference


class Template(WireModel):
    """A template, and its place in its family's version chain."""

    model_config = with_example(TEMPLATE_EXAMPLE)

    template_collection_id: UUID
    template_key: str
    family: str
    version: str
    status: VersionStatus | None = Field(description="null: it has no place in a version chain.")
    template_without_version: bool
    title: str = Field(description="The family's; empty as long as it has no version chain.")
    description: str = Field(description="The family's.")
    composition_digest: Sha256 = Field(description="docs/digests.md tells how to recompute it.")
    piece_count: int
    schema_digest: Sha256 | None = Field(
        description="Of the schema by which data is judged; null: it takes any data."
    )
    axes: dict[str, AxisRollUp]
    supersedes: str | None = Field(description="The key of its predecessor in the chain.")
    family_chain_length: int = Field(description="Versions of the family that were not withdrawn.")
    digest_drift_from_previous: bool | None = Field(
        description="Whether its pieces differ from its predecessor's; null: it has none."
    )
    marked_by: str = Field(description="Who made it a template.")
    marked_at: Timestamp
    versioned_by: str | None = Field(description="Who gave it its place in the chain.")
    versioned_at: Timestamp | None
    reason: str
    withdrawn_by: str | None
    withdrawn_at: Timestamp | None
    withdrawn_reason: str | None


class TemplateWithParameters(Template):
    """A template, and what data it asks for."""

    model_config = with_example({**TEMPLATE_EXAMPLE, "parameters": PARAMETERS_EXAMPLE})

    parameters: dict[str, Any] | None = Field(
        description="A JSON Schema for `data`; null: it takes any data."
    )


class TemplatePage(WireModel):
    """One page of templates, by family and version."""

    model_config = with_example({"items": [TEMPLATE_EXAMPLE], "next_page_token": None})

    items: list[Template]
    next_page_token: str | None = Field(description="null: this was the last page.")


class TemplatePiece(WireModel):
    """One piece of a template, with its content."""

    model_config = with_example(_PIECE)

    position: int = Field(description="From 1, without gaps.")
    role: str
    unit_id: UUID
    content_digest: Sha256
    media_type: str
    title: str
    life: Life
    body: str


class TemplatePiecePage(WireModel):
    """One page of a template's pieces, in their order."""

    model_config = with_example({"items": [_PIECE], "next_page_token": None})

    items: list[TemplatePiece]
    next_page_token: str | None = Field(description="null: this was the last page.")


class PlacedPiece(WireModel):
    """A piece at a position of one of the two lists."""

    position: int
    unit_id: UUID | None = Field(description="null: the piece is still to be made.")
    content_digest: Sha256
    media_type: str
    title: str
    life: Life


class PieceChange(WireModel):
    """One difference between two lists of pieces."""

    model_config = with_example(CHANGES_EXAMPLE[0])

    change: Literal["added", "removed", "replaced", "moved"] = Field(
        description="`replaced`: the role has another content. `moved`: it stands elsewhere among"
        " those that stay; who is only pushed along by others is not named."
    )
    role: str
    before: PlacedPiece | None = Field(description="null: added.")
    after: PlacedPiece | None = Field(description="null: removed.")


class ComparedTemplate(WireModel):
    """One side of a comparison."""

    template_collection_id: UUID
    template_key: str
    composition_digest: Sha256
    piece_count: int
    schema_digest: Sha256 | None


_SIDE = {name: TEMPLATE_EXAMPLE[name] for name in ComparedTemplate.model_fields}


class TemplateDiff(WireModel):
    """What is different in a template, compared with another."""

    model_config = with_example(
        {
            "template": _SIDE,
            "against": {**_SIDE, "template_key": "tpl:wf:onboarding/v1"},
            "same": False,
            "parameters_changed": False,
            "changes": CHANGES_EXAMPLE,
        }
    )

    template: ComparedTemplate
    against: ComparedTemplate
    same: bool = Field(description="Whether both have the same pieces in the same order and roles.")
    parameters_changed: bool = Field(description="Whether they judge data by different schemas.")
    changes: Annotated[list[PieceChange], Field(description="From `against` to `template`.")]
