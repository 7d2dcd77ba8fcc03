"""What an operator looks at, over the wire."""

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
    WireModel,
    with_example,
)
from app.schemas.instances_read import ComposedWithin, Finding

_TEMPLATE: dict[str, Any] = {
    "template_key": "tpl:wf:onboarding/v2",
    "family": "tpl:wf:onboarding",
    "version": "v2",
    "status": "current",
    "instances": 12,
    "matches": 12,
    "diverges": 0,
    "template_without_version": False,
    "family_chain_length": 2,
    "digest_drift_from_previous": True,
    "dry_runs": 3,
    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "composition_digest": "9f86d081" * 8,
    "piece_count": 5,
}

_EVENT: dict[str, Any] = {
    "instance_collection_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
    "instance_key": "tpl-inst:auto:ada-lovelace",
    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "template_key": "tpl:wf:onboarding/v2",
    "event_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "event_type": "employee.hired",
    "reference_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "suffix": "ada-lovelace",
    "idempotency_key": "5f3c1a525b8e6f0d9c9a3f6f1f0f7a11",
    "actor": "hr-onboarding",
    "emit_mode": "live",
    "reason": "new hire",
    "operation_id": None,
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "composed_at": "2026-03-02T09:00:00Z",
    "data_digest": "44136fa3" * 8,
    "warnings": [],
    "pieces_attached": 5,
    "composition_digest": "9f86d081" * 8,
    "template_digest": "9f86d081" * 8,
    "lineage_digest": "9f86d081" * 8,
    "digest_matches_template": True,
}

_REFUSAL: dict[str, Any] = {
    "record_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
    "subject_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
    "command": "instantiate_from_event",
    "code": "composer_gate_closed",
    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "template_key": "tpl:wf:onboarding/v2",
    "actor": "hr-onboarding",
    "principal": "hr-system",
    "request_id": None,
    "first_at": "2026-03-02T09:00:01Z",
    "last_at": "2026-03-02T09:00:42Z",
    "occurrences": 17,
    "details": {},
}


class TemplateList(Page):
    """Which templates are shown."""

    family: FamilyKey | None = None


class TemplateState(WireModel):
    """A template, its place in the chain, and how its instances stand."""

    model_config = with_example(_TEMPLATE)

    template_key: str
    family: str
    version: str
    status: Literal["current", "superseded", "withdrawn"] | None = Field(
        description="null: marked as a template, but without a place in a version chain."
    )
    instances: int = Field(description="Composed from it, by events or otherwise.")
    matches: int = Field(description="Whose own pieces are the template's.")
    diverges: int = Field(description="Whose own pieces are not the template's.")
    template_without_version: bool
    family_chain_length: int = Field(description="Versions of the family that were not withdrawn.")
    digest_drift_from_previous: bool | None = Field(
        description="Whether its pieces differ from its predecessor's; null: it has none."
    )
    dry_runs: int = Field(description="How often composing from it was only tried.")
    template_collection_id: UUID
    composition_digest: Sha256
    piece_count: int


class TemplateStatePage(WireModel):
    """One page of templates, by key. Read from counters, not by counting instances."""

    model_config = with_example({"items": [_TEMPLATE], "next_page_token": None})

    items: list[TemplateState]
    next_page_token: str | None = Field(description="null: this was the last page.")


class EventList(ComposedWithin):
    """Which rows of the event log are listed."""

    template: TemplateReference | None = None


class LoggedEvent(WireModel):
    """One row of the event log: the event, the actor, the instance, and the digests to compare."""

    model_config = with_example(_EVENT)

    instance_collection_id: UUID
    instance_key: str
    template_collection_id: UUID
    template_key: str | None = Field(description="null: there is no such template any more.")
    event_id: UUID
    event_type: str
    reference_id: UUID = Field(description="What was asked for: the template, or its family.")
    suffix: str
    idempotency_key: str
    actor: str
    emit_mode: Literal["dry_run", "live"]
    reason: str
    operation_id: UUID | None = Field(description="Of the bulk that composed it; else null.")
    request_id: UUID | None = Field(description="Of the service's request that composed it.")
    composed_at: Timestamp
    data_digest: str = Field(description="SHA-256 of the event's data in RFC 8785 form.")
    warnings: list[str]
    pieces_attached: int
    composition_digest: Sha256 = Field(description="Of the pieces that the instance points to now.")
    template_digest: Sha256 | None = Field(description="Of the template, from the registry.")
    lineage_digest: Sha256 = Field(description="Written down when it was composed.")
    digest_matches_template: bool


class LoggedEventPage(WireModel):
    """One page of the event log, newest first.

    Where filters are combined, a page may have fewer items than asked for, even none, and yet a
    `next_page_token`: only so many rows are examined for one page.
    """

    model_config = with_example({"items": [_EVENT], "next_page_token": None})

    items: list[LoggedEvent]
    next_page_token: str | None = Field(description="null: this was the last page.")


class TemplateModeSummary(WireModel):
    """What came of one template in one mode."""

    template_collection_id: UUID | None = Field(
        description="null: what was tried named no template that there is."
    )
    template_key: str | None
    emit_mode: Literal["dry_run", "live"]
    events: int
    matches: int | None = Field(description="null for dry runs: nothing came out of them.")
    diverges: int | None
    first_at: Timestamp | None
    last_at: Timestamp | None


class ModeTotals(WireModel):
    """All templates together."""

    live: int = Field(description="Event-composed instances, from the counters.")
    dry_run: int = Field(description="Dry runs, counted in the command record.")
    matches: int
    diverges: int


class EventSummary(WireModel):
    """The rollup per template and mode."""

    model_config = with_example(
        {
            "totals": {"live": 12, "dry_run": 3, "matches": 12, "diverges": 0},
            "by_template": [
                {
                    "template_collection_id": "7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
                    "template_key": "tpl:wf:onboarding/v2",
                    "emit_mode": "live",
                    "events": 12,
                    "matches": 12,
                    "diverges": 0,
                    "first_at": "2026-03-02T09:00:00Z",
                    "last_at": "2026-03-06T16:20:00Z",
                }
            ],
        }
    )

    totals: ModeTotals
    by_template: list[TemplateModeSummary]


class IntegrityReport(WireModel):
    """What looking at every row found."""

    model_config = with_example(
        {
            "checked_at": "2026-03-06T17:00:00Z",
            "holds": False,
            "counts": {"instance_diverges": 1, "counter_mismatch": 1},
            "examined": {"pieces": 175, "instances": 17},
            "findings": [
                {
                    "kind": "instance_diverges",
                    "subject": "instance 5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
                    "expected": "9f86d081" * 8,
                    "actual": "2c26b46b" * 8,
                }
            ],
            "truncated": True,
        }
    )

    checked_at: Timestamp
    holds: bool = Field(
        description="Whether no fault was found. `template_without_version` is no fault."
    )
    counts: dict[str, int] = Field(description="Findings by kind, all of them.")
    examined: dict[str, int] = Field(description="How many rows were looked at.")
    findings: list[Finding] = Field(description="At most 100, and of every kind some.")
    truncated: bool = Field(description="Whether there are more findings than are listed.")


class RefusalList(Page):
    """Which refusals are listed."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")] | None = Field(
        None, description="The refusal's code."
    )
    actor: Actor | None = None
    since: Timestamp | None = Field(None, description="Last refused not earlier than this.")


class RecordedRefusal(WireModel):
    """Something that was asked for and refused.

    Refusals at a closed gate are one row per actor, code, template and minute.
    """

    model_config = with_example(_REFUSAL)

    record_id: UUID
    subject_id: UUID = Field(description="The instance that it would have been, or a random id.")
    command: str = Field(description="The operation.")
    code: str
    template_collection_id: UUID | None
    template_key: str | None
    actor: str | None
    principal: str | None
    request_id: UUID | None = Field(description="null where several requests are one row.")
    first_at: Timestamp
    last_at: Timestamp
    occurrences: int
    details: dict[str, Any]


class RecordedRefusalPage(WireModel):
    """One page of refusals, the last refused first.

    A page may have fewer items than asked for, even none, and yet a `next_page_token`: only so
    many records are examined for one page.
    """

    model_config = with_example({"items": [_REFUSAL], "next_page_token": None})

    items: list[RecordedRefusal]
    next_page_token: str | None = Field(description="null: this was the last page.")
