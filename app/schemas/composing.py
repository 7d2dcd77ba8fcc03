"""Composing over the wire: what is asked for, and what came out."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    EventType,
    QueryModel,
    Sha256,
    Suffix,
    TemplateReference,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)

ComposeReason = Annotated[
    str,
    StringConstraints(max_length=500, pattern=NO_CONTROL_CHARACTERS),
    Field(description="Why, for the event log.", examples=["new hire"]),
]

MAX_BULK_ITEMS = 10_000
MAX_OPERATION_ITEMS = 100_000

_INSTANCE_EXAMPLE: dict[str, Any] = {
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

_OPERATION = "0d6f4a7e-9a51-4c0c-8f3e-1b2a3c4d5e6f"


class InstantiateFromEvent(WireModel):
    """One instance to compose. Event, template and suffix together are its identity."""

    model_config = with_example(
        {
            "event_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
            "event_type": "employee.hired",
            "template": "tpl:wf:onboarding",
            "suffix": "ada-lovelace",
            "emit_mode": "live",
            "data": {"name": "Ada Lovelace", "starts": "2026-03-02"},
        }
    )

    event_id: Uuid = Field(description="The event's id. Sent again, the original comes back.")
    event_type: EventType
    template: TemplateReference
    suffix: Suffix = ""
    actor: Actor | None = Field(None, description="Default: the key's own actor.")
    # Not an enum: an unknown mode has a refusal of its own.
    emit_mode: Annotated[str, Field(json_schema_extra={"enum": ["dry_run", "live"]})] = "live"
    reason: ComposeReason = ""
    data: dict[str, Any] = Field(
        default_factory=dict, description="The event's payload for the product; stored with it."
    )
    require_current: bool = Field(False, description="Refuse a version that was superseded.")


IdempotencyKey = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[!-~]([ -~]*[!-~])?$"),
    Field(
        description="Brings back the same operation when the request is sent again.",
        examples=["hr-import-2026-03"],
    ),
]

BulkItems = Annotated[
    list[InstantiateFromEvent],
    Field(
        min_length=1,
        max_length=MAX_OPERATION_ITEMS,
        description=f"At most {MAX_BULK_ITEMS} items in one transaction, at most"
        f" {MAX_OPERATION_ITEMS} as an operation.",
    ),
]


class BulkOptions(QueryModel):
    """How a bulk is carried out."""

    atomic: bool = Field(
        False,
        description="All in one transaction, all or none. Otherwise an operation is started, which"
        " is worked on in chunks.",
    )
    gate_window: bool = Field(
        False,
        description="Open the gates of composing for this one transaction and nobody else. Goes"
        " with `atomic`; needs the scope `operator`.",
    )

    @field_validator("gate_window")
    @classmethod
    def _is_of_one_transaction(cls, value: bool, info: ValidationInfo) -> bool:
        if value and not info.data.get("atomic"):
            raise ValueError("goes with atomic=true: an operation passes the gates as they are")
        return value


class Instance(WireModel):
    """The composed instance."""

    instance_collection_id: UUID = Field(description="The identity, as a UUID.")
    instance_key: str = Field(description="`tpl-inst:auto:<suffix>`: a label, not unique.")
    template_collection_id: UUID
    template_key: str
    event_id: UUID
    event_type: str
    idempotency_key: str = Field(description="The same 128 bits: md5(event:reference:suffix).")
    actor: str
    emit_mode: Literal["dry_run", "live"]
    pieces_attached: int
    composition_digest: Sha256
    digest_matches_template: bool
    operation_id: UUID | None = Field(description="Of the bulk that composed it; else null.")
    composed_at: Timestamp
    warnings: list[str] = Field(description="`template_superseded`: an old version was asked for.")


class _HowItCame(WireModel):
    outcome: Literal["composed", "idempotent_replay"]


class Composed(Instance, _HowItCame):
    """How it came (newly composed, or the original of an earlier request), and the instance."""

    model_config = with_example({"outcome": "composed", **_INSTANCE_EXAMPLE})


class WouldBeRefused(WireModel):
    """The refusal that the live call would get."""

    code: str
    detail: str
    members: dict[str, Any] = Field(description="The members that the problem would carry.")


class DryRun(WireModel):
    """What a live call would come to. Nothing was written but the record that it was asked."""

    model_config = with_example(
        {
            "outcome": "dry_run",
            "would_be": "composed",
            "refusal": None,
            **_INSTANCE_EXAMPLE,
            "emit_mode": "dry_run",
            "composed_at": None,
            "warnings": ["live_gate_closed"],
        }
    )

    outcome: Literal["dry_run"]
    would_be: Literal["composed", "replayed", "refused"]
    refusal: WouldBeRefused | None
    instance_collection_id: UUID | None = Field(description="null: the reference means nothing.")
    instance_key: str
    template_collection_id: UUID | None
    template_key: str | None
    event_id: UUID
    event_type: str
    idempotency_key: str | None
    actor: str
    emit_mode: Literal["dry_run", "live"]
    pieces_attached: int | None
    composition_digest: Sha256 | None
    digest_matches_template: bool | None
    operation_id: UUID | None
    composed_at: Timestamp | None = Field(description="Of the original; null: there is none.")
    warnings: list[str] = Field(
        description="`template_superseded`; `live_gate_closed`: a live call is refused just now."
    )


class BulkAnswer(WireModel):
    """What an atomic bulk came to: the counts add up to the number of items."""

    model_config = with_example(
        {
            "operation_id": _OPERATION,
            "total": 1,
            "composed": 1,
            "replayed": 0,
            "dry_runs": 0,
            "items": [{"outcome": "composed", **_INSTANCE_EXAMPLE, "operation_id": _OPERATION}],
        }
    )

    operation_id: UUID = Field(description="Stored with each instance; a rollback can select it.")
    total: int
    composed: int
    replayed: int
    dry_runs: int
    items: list[Composed | DryRun] = Field(description="One answer per item, in their order.")
