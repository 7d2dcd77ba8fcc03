"""The audit log, over the wire."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    Page,
    QueryModel,
    Sha256,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)
from app.schemas.instances_read import Finding

_RUN: dict[str, Any] = {
    "record_id": "c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
    "subject_id": "5f3c1a52-5b8e-6f0d-9c9a-3f6f1f0f7a11",
    "command": "instantiate_from_event",
    "outcome": "done",
    "code": "ok",
    "actor": "hr-onboarding",
    "principal": "hr-system",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "template_collection_id": None,
    "template_key": None,
    "first_at": "2026-03-02T09:00:00.250000Z",
    "last_at": "2026-03-02T09:00:00.250000Z",
    "occurrences": 1,
    "took_us": 2410,
    "counts": {"composed": 12, "replayed": 0},
    "lease_ids": ["0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"],
    "instances_digest": "9f86d081" * 8,
    "segment_no": 7,
    "details": {},
}
_DIGEST = "9f86d081" * 8
_END: dict[str, Any] = {"segment_no": 7, "segment_digest": _DIGEST}

Word = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=NO_CONTROL_CHARACTERS)
]


class RunList(Page):
    """Which runs to list; what is left out is no filter."""

    command: Word | None = Field(default=None, description="A code of `GET /commands`.")
    outcome: Literal["done", "refused", "dry_run"] | None = None
    code: Word | None = Field(
        default=None, description="`ok`, `idempotent_replay`, or a refusal's code."
    )
    actor: Actor | None = None
    principal: Word | None = None
    request_id: Uuid | None = None
    subject_id: Uuid | None = None
    since: Timestamp | None = Field(default=None, description="From this time on.")
    until: Timestamp | None = Field(default=None, description="Before this time.")


class Run(WireModel):
    """One run of a command: done, refused, or only tried."""

    model_config = with_example(_RUN)

    record_id: UUID
    subject_id: UUID = Field(
        description="What it was about. Of a run that composed, the call: the event log has it as"
        " `batch_id`. A random id where there is nothing to name."
    )
    command: str = Field(description="A code of `GET /commands`.")
    outcome: Literal["done", "refused", "dry_run"]
    code: str = Field(
        description="`ok`, `idempotent_replay`, a refusal's code; of a dry run what it would be."
    )
    actor: str | None
    principal: str | None
    request_id: UUID | None = Field(
        description="Of several requests that were carried out together the first; null where they"
        " are only counted."
    )
    template_collection_id: UUID | None
    template_key: str | None
    first_at: Timestamp
    last_at: Timestamp
    occurrences: int = Field(description="More than one where refusals are only counted.")
    took_us: int | None = Field(
        description="Microseconds from the beginning of its transaction. Null: only counted."
    )
    counts: dict[str, int] | None = Field(
        description="Of a batch, how many items came to what. Null: it was none."
    )
    lease_ids: list[UUID] | None = Field(
        description="The leases by which closed gates admitted it. Null: it needed none."
    )
    instances_digest: str | None = Field(
        description="SHA-256 over the instances that it composed. Null: none."
    )
    segment_no: int | None = Field(
        description="The segment of the audit chain that has sealed it. Null: not sealed yet."
    )
    details: dict[str, Any]


class RunPage(WireModel):
    """One page of runs, the last first.

    A page may have fewer items than asked for, even none, and yet a `next_page_token`: only so
    many records are examined for one page.
    """

    model_config = with_example({"items": [_RUN], "next_page_token": None})

    items: list[Run]
    next_page_token: str | None = Field(description="null: this was the last page.")


class ExpectedHead(QueryModel):
    """What must still be in the chain."""

    head: Sha256 | None = Field(
        default=None, description="The `segment_digest` of a head that was exported."
    )


class Unsealed(WireModel):
    """What lies behind the end of the chain."""

    runs: int = Field(description="At most 10,000: see `more`.")
    since: Timestamp | None = Field(
        description="The time of the oldest. Where that is long ago, no sealer runs, or a"
        " transaction keeps it from going on."
    )
    more: bool = Field(description="There are more, which were not looked at.")


class AuditReport(WireModel):
    """Whether the audit log is what was sealed, and the instances what it says."""

    model_config = with_example(
        {
            "holds": False,
            "segments": 7,
            "retired": 2,
            "runs": 4211,
            "findings": [
                {
                    "kind": "run_edited",
                    "subject": "run c2b6bb7e-0b0e-4f0b-8a2f-5f1c0d6a7b11",
                    "expected": _DIGEST,
                    "actual": "44136fa3" * 8,
                }
            ],
            "truncated": False,
            "unsealed": {"runs": 3, "since": "2026-03-02T09:00:00Z", "more": False},
            **_END,
            "sealed_until": "2026-03-02T08:59:58Z",
        }
    )

    holds: bool
    segments: int = Field(description="How many there are.")
    retired: int = Field(
        description="Of how many the runs may be gone, after an export: their heads were looked at."
    )
    runs: int = Field(description="Sealed runs that were looked at.")
    findings: list[Finding] = Field(
        description="At most 100: about the chain itself first, then about runs and instances."
    )
    truncated: bool = Field(description="There are more findings.")
    unsealed: Unsealed
    segment_no: int | None = Field(description="The chain's last segment. Null: there is none.")
    segment_digest: str | None
    sealed_until: Timestamp | None = Field(description="The time of the last run that is sealed.")


class Sealed(WireModel):
    """What was sealed, and where the chain ends now."""

    model_config = with_example({"segments": 1, "runs": 3, "complete": True, **_END})

    segments: int
    runs: int
    complete: bool = Field(
        description="Whether all is sealed that is old enough: from before the last whole minute."
        " False: somebody is writing still; ask again."
    )
    segment_no: int | None = Field(description="The chain's last segment. Null: there is none.")
    segment_digest: str | None


class SignedHead(WireModel):
    """The head of the audit chain, to be kept where nobody can change it."""

    model_config = with_example(
        {
            **_END,
            "exported_at": "2026-03-02T09:01:00Z",
            "head": "segment 7\nruns 1000\n…",
            "algorithm": "Ed25519",
            "signature": "MEUCIQ…",
            "public_key": "-----BEGIN PUBLIC KEY-----\n…",
        }
    )

    segment_no: int
    segment_digest: str = Field(description="The SHA-256 of `head`.")
    exported_at: Timestamp
    head: str = Field(description="What the segment says of itself and of the one before it.")
    algorithm: Literal["Ed25519"]
    signature: str = Field(description="Of `head` in UTF-8, in Base64.")
    public_key: str = Field(description="PEM. Compare it with the one that you have.")
