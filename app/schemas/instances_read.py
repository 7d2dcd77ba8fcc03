"""Instances as they are read: lists, one, its pieces, its origin, its verification."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.schemas.base import (
    Actor,
    FamilyKey,
    Page,
    Sha256,
    TemplateReference,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)
from app.schemas.pieces import AxisRollUp

Version = Annotated[
    str,
    StringConstraints(pattern=r"^v[1-9][0-9]{0,8}$"),
    Field(description="A version of a family.", examples=["v2"]),
]

DigestState = Annotated[
    Literal["matches", "diverges"],
    Field(description="Whether the instance's own pieces are its template's."),
]

INSTANCE_EXAMPLE: dict[str, Any] = {
    "instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
    "instance_key": "tpl-inst:auto:ada-lovelace",
    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "template_key": "tpl:wf:onboarding/v2",
    "event_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "event_type": "employee.hired",
    "idempotency_key": "5f3c1a525b8e6f0d9c9a3f6f1f0f7a11",
    "actor": "hr-onboarding",
    "emit_mode": "live",
    "pieces_attached": 5,
    "composition_digest": "9f86d081" * 8,
    "digest_matches_template": True,
    "operation_id": None,
    "composed_at": "2026-03-02T09:00:00Z",
    "warnings": [],
}


class ComposedWithin(Page):
    """What every list of instances can be narrowed by."""

    actor: Actor | None = None
    event_id: Uuid | None = Field(None, description="The event that composed it.")
    operation_id: Uuid | None = Field(None, description="The bulk that composed it.")
    composed_from: Timestamp | None = Field(None, description="Not earlier than this.")
    composed_to: Timestamp | None = Field(None, description="Earlier than this.")
    digest_state: DigestState | None = None


class InstanceList(ComposedWithin):
    """Which instances are listed."""

    template: TemplateReference | None = None
    family: FamilyKey | None = None
    version: Version | None = None


class StoredInstance(WireModel):
    """An instance, with the members that composing it answered.

    Those of the event are null for an instance that no event composed.
    """

    model_config = with_example(INSTANCE_EXAMPLE)

    instance_collection_id: UUID = Field(description="The identity, as a UUID.")
    instance_key: str = Field(description="A label, not unique.")
    template_collection_id: UUID
    template_key: str | None = Field(description="null: there is no such template any more.")
    event_id: UUID | None
    event_type: str | None
    idempotency_key: str | None = Field(description="The identity again, as 32 hex digits.")
    actor: str | None
    emit_mode: Literal["dry_run", "live"] | None
    pieces_attached: int
    composition_digest: Sha256 = Field(description="Of the pieces that it points to now.")
    digest_matches_template: bool
    operation_id: UUID | None = Field(description="Of the bulk that composed it; else null.")
    composed_at: Timestamp
    warnings: list[str]


class InstanceWithData(StoredInstance):
    """One instance, with what its event brought along and what its pieces carry."""

    model_config = with_example(
        {
            **INSTANCE_EXAMPLE,
            "data": {"name": "Ada Lovelace", "starts": "2026-03-02"},
            "data_digest": "44136fa3" * 8,
            "product_digest": "d4735e3a" * 8,
            "axes": {"DIEU-28": {"unit_count": 5, "values": ["handbook"]}},
        }
    )

    data: Any = Field(description="The event's payload; null without an event.")
    data_digest: Sha256 | None = Field(description="Of the data; null without an event.")
    product_digest: Sha256 | None = Field(
        description="Of composition and data; docs/digests.md tells how to recompute it."
    )
    axes: dict[str, AxisRollUp] = Field(description="The envelope, as its pieces' axes are now.")


class InstancePage(WireModel):
    """One page of instances, newest first.

    Where filters are combined, a page may have fewer items than asked for, even none, and yet a
    `next_page_token`: only so many instances are examined for one page.
    """

    model_config = with_example({"items": [INSTANCE_EXAMPLE], "next_page_token": None})

    items: list[StoredInstance]
    next_page_token: str | None = Field(description="null: this was the last page.")


class InstancePiece(WireModel):
    """One piece of an instance, with its content."""

    position: int = Field(description="From 1, without gaps.")
    role: str
    unit_id: UUID
    content_digest: Sha256
    media_type: str
    title: str
    body: str


class InstancePiecePage(WireModel):
    """One page of an instance's pieces, in their order."""

    model_config = with_example(
        {
            "items": [
                {
                    "position": 1,
                    "role": "welcome",
                    "unit_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
                    "content_digest": "2c26b46b" * 8,
                    "media_type": "text/markdown",
                    "title": "Welcome",
                    "body": "We are glad that you are here.",
                }
            ],
            "next_page_token": None,
        }
    )

    items: list[InstancePiece]
    next_page_token: str | None = Field(description="null: this was the last page.")


class InstanceLineage(WireModel):
    """Where an instance comes from, and the digests of all three sides."""

    model_config = with_example(
        {
            "instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
            "instance_key": "tpl-inst:auto:ada-lovelace",
            "composed_at": "2026-03-02T09:00:00Z",
            "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
            "template_key": "tpl:wf:onboarding/v1",
            "family": "tpl:wf:onboarding",
            "version": "v1",
            "status": "superseded",
            "supersedes": None,
            "current_template_key": "tpl:wf:onboarding/v2",
            "composition_digest": "9f86d081" * 8,
            "lineage_digest": "9f86d081" * 8,
            "template_digest": "9f86d081" * 8,
            "digest_matches_template": True,
            "event_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
            "event_type": "employee.hired",
            "suffix": "ada-lovelace",
            "idempotency_key": "5f3c1a525b8e6f0d9c9a3f6f1f0f7a11",
            "actor": "hr-onboarding",
            "emit_mode": "live",
            "reason": "new hire",
            "operation_id": None,
        }
    )

    instance_collection_id: UUID
    instance_key: str
    composed_at: Timestamp
    template_collection_id: UUID
    template_key: str
    family: str
    version: str
    status: Literal["current", "superseded", "withdrawn"] | None = Field(
        description="Of the template, now; null: it has no place in a version chain."
    )
    supersedes: str | None = Field(description="The template's predecessor.")
    current_template_key: str | None = Field(description="What is current in the family now.")
    composition_digest: Sha256 = Field(description="Of the pieces that the instance points to now.")
    lineage_digest: Sha256 = Field(description="Written down when it was composed.")
    template_digest: Sha256 = Field(description="Of the template, from the registry.")
    digest_matches_template: bool
    event_id: UUID | None
    event_type: str | None
    suffix: str | None
    idempotency_key: str | None
    actor: str | None
    emit_mode: Literal["dry_run", "live"] | None
    reason: str | None
    operation_id: UUID | None


class Finding(WireModel):
    """Something that is not as it should be."""

    model_config = with_example(
        {
            "kind": "instance_diverges",
            "subject": "instance 5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
            "expected": "9f86d081" * 8,
            "actual": "2c26b46b" * 8,
        }
    )

    kind: str = Field(
        description="A stable word; docs/observability.md and docs/audit.md explain each."
    )
    subject: str = Field(description="What it was found of.")
    expected: str
    actual: str


class InstanceVerification(WireModel):
    """An instance, computed again from its content down."""

    model_config = with_example(
        {
            "instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
            "holds": True,
            "pieces": 5,
            "composition_digest": "9f86d081" * 8,
            "recomputed_digest": "9f86d081" * 8,
            "template_digest": "9f86d081" * 8,
            "lineage_digest": "9f86d081" * 8,
            "data_digest": "44136fa3" * 8,
            "recomputed_data_digest": "44136fa3" * 8,
            "findings": [],
        }
    )

    instance_collection_id: UUID
    holds: bool = Field(description="Whether nothing was found.")
    pieces: int
    composition_digest: Sha256 = Field(description="Of the composition that it points to.")
    recomputed_digest: Sha256 | None = Field(
        description="From the stored content of its pieces alone; null: it has none."
    )
    template_digest: Sha256 | None = Field(description="null: its lineage is gone.")
    lineage_digest: Sha256 | None = Field(description="null: its lineage is gone.")
    data_digest: Sha256 | None = Field(description="null: no event composed it.")
    recomputed_data_digest: Sha256 | None = Field(description="From the stored data.")
    findings: list[Finding]
