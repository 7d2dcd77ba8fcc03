"""Operations over the wire: what is under way, how far it is, and what became of each item."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from app.schemas.base import Actor, Page, Reason, Timestamp, WireModel, with_example

OperationKind = Annotated[
    Literal["instantiate", "rollback"],
    Field(description="`instantiate`: a bulk. `rollback`: one of more than one transaction."),
]
OperationState = Annotated[
    Literal["running", "halted", "cancelled", "completed"],
    Field(
        description="`running`: a service works on it, or will. `halted`: a closed gate stopped"
        " it, and it waits to be resumed. `cancelled` and `completed`: it has ended."
    ),
]
ItemOutcome = Annotated[
    Literal[
        "not_attempted",
        "composed",
        "replayed",
        "dry_run",
        "refused",
        "failed",
        "deleted",
        "gone",
        "blocked",
    ],
    Field(
        description="Of a bulk: `composed`, `replayed`, `dry_run`, `refused` with a code, or"
        " `failed`: it met a defect. Of a rollback: `deleted`, `gone` (others removed it first),"
        " `blocked` with the reason, or `failed`."
    ),
]

_ID = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"

OPERATION_EXAMPLE: dict[str, Any] = {
    "operation_id": _ID,
    "kind": "instantiate",
    "state": "halted",
    "principal": "billing service",
    "actor": "billing",
    "reason": "",
    "total": 1000,
    "composed": 395,
    "replayed": 4,
    "dry_runs": 0,
    "refused": 1,
    "failed": 0,
    "deleted": 0,
    "gone": 0,
    "blocked": 0,
    "not_attempted": 600,
    "halted_code": "live_gate_closed",
    "halted_details": {"gate": "iu_core.auto_instantiate_enabled"},
    "changed_by": None,
    "change_reason": None,
    "parameters": {},
    "created_at": "2026-03-02T09:00:00Z",
    "updated_at": "2026-03-02T09:00:02.5Z",
    "finished_at": None,
    "revision": 4,
}


class Operation(WireModel):
    """Many items that are worked on in chunks, one transaction each.

    The counts of the outcomes and `not_attempted` add up to `total`, whenever one looks.
    """

    model_config = with_example(OPERATION_EXAMPLE)

    operation_id: UUID
    kind: OperationKind
    state: OperationState
    principal: str = Field(description="Who asked for it.")
    actor: str = Field(description="As whom they asked; each item has its own.")
    reason: str
    total: int = Field(description="Items; they are frozen.")
    composed: int
    replayed: int
    dry_runs: int
    refused: int
    failed: int = Field(description="Items that met a defect; the log has it.")
    deleted: int
    gone: int
    blocked: int
    not_attempted: int
    halted_code: str | None = Field(description="Of the refusal that halted it.")
    halted_details: dict[str, Any] | None = Field(description="The members of that refusal.")
    changed_by: str | None = Field(description="Who cancelled, resumed or retried it last.")
    change_reason: str | None
    parameters: dict[str, Any] = Field(
        description="Of a rollback: its selectors, its plan and its options. Of a bulk: none."
    )
    created_at: Timestamp
    updated_at: Timestamp
    finished_at: Timestamp | None
    revision: int = Field(description="Grows with every change.")


class OperationPage(WireModel):
    """Operations, newest first."""

    model_config = with_example({"items": [OPERATION_EXAMPLE], "next_page_token": None})

    items: list[Operation]
    next_page_token: str | None


class OperationList(Page):
    """What the list of operations can be narrowed by."""

    kind: OperationKind | None = None
    state: OperationState | None = None
    actor: Actor | None = None


_ITEM_EXAMPLE = {
    "ordinal": 17,
    "outcome": "refused",
    "instance_collection_id": None,
    "code": "template_collection_not_found",
    "details": {"template": "tpl:wf:onboarding/v9"},
    "attempted_at": "2026-03-02T09:00:01Z",
    "event_id": _ID,
    "event_type": "employee.hired",
    "template": "tpl:wf:onboarding/v9",
    "suffix": "ada-lovelace",
    "actor": "billing",
    "emit_mode": "live",
}


class OperationItem(WireModel):
    """One item of an operation, and what became of it."""

    model_config = with_example(_ITEM_EXAMPLE)

    ordinal: int = Field(description="Its place, from 1.")
    outcome: ItemOutcome
    instance_collection_id: UUID | None = Field(description="null: there is no such instance.")
    code: str | None = Field(
        description="The refusal's code, also of a dry run that would be refused; or why a rollback"
        " left it."
    )
    details: dict[str, Any] | None = Field(description="The members that the refusal names.")
    attempted_at: Timestamp | None
    event_id: UUID | None = Field(description="As it was asked for; of a rollback null.")
    event_type: str | None
    template: str | None
    suffix: str | None
    actor: str | None
    emit_mode: str | None


class OperationItemPage(WireModel):
    """Items of an operation, in their order."""

    model_config = with_example({"items": [_ITEM_EXAMPLE], "next_page_token": None})

    items: list[OperationItem]
    next_page_token: str | None


class OperationItemList(Page):
    """What the items of an operation can be narrowed by."""

    outcome: ItemOutcome | None = None


class OperationStep(WireModel):
    """Why an operation is cancelled, resumed, or tries failed items again."""

    model_config = with_example({"reason": "the gate is open again"})

    reason: Reason
