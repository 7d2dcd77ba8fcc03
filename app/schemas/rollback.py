"""Rolling back over the wire: what is selected, what is planned, what was removed."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from app.refusals.members import Blocker
from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    Reason,
    Sha256,
    TemplateReference,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)

_OPERATION = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"
_DIGEST = "9f86d081" * 8
_PLANNED_AT = "2025-06-01T12:00:00.123456Z"
_ROLLED_BACK_AT = "2025-06-01T12:01:00.654321Z"

_SELECTORS: dict[str, Any] = {
    "actor": "iu-core-25000x-bulk",
    "operation_id": None,
    "event_id": None,
    "template": "tpl:wf:onboarding",
    "composed_from": "2025-06-01T00:00:00Z",
    "composed_to": None,
}

_REMOVED = {
    "lineage_rows": 8,
    "log_rows": 8,
    "keys_released": 0,
    "messages_cancelled": 8,
    "rollback_operation_id": _OPERATION,
    "rolled_back_at": _ROLLED_BACK_AT,
}

_Blockers = Annotated[
    list[Blocker],
    Field(
        description="What stands against it, the first hundred: instances that were `edited`, or"
        " whose message was `delivered`."
    ),
]
_BlockersOmitted = Annotated[int, Field(description="How many more blockers there are.")]
_LineageRows = Annotated[int, Field(description="Rows of lineage.")]
_LogRows = Annotated[int, Field(description="Rows of the event log.")]
_Gone = Annotated[int, Field(description="Instances that others rolled back first.")]
_Freed = Annotated[int, Field(description="Keys that were given back: their events may compose.")]
_Cancelled = Annotated[int, Field(description="Unsent messages that will never be sent.")]
_Rollback = Annotated[
    Uuid | None,
    Field(description="Names the rollback in its tombstones; null: it removed nothing."),
]
_ReleaseKeys = Annotated[
    bool, Field(description="Let the same events compose again, instead of keeping their keys.")
]


class RollbackSelectors(WireModel):
    """Which instances are meant: those that every selector names. One is needed.

    Only what an event composed can be rolled back.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": _SELECTORS,
            "anyOf": [
                {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
                for name in _SELECTORS
            ],
        }
    )

    actor: Actor | None = Field(None, description="Whose.")
    operation_id: Uuid | None = Field(None, description="Of which bulk.")
    event_id: Uuid | None = Field(None, description="Of which event.")
    template: TemplateReference | None = Field(
        None, description="Of which template; a family stands for all its versions here."
    )
    composed_from: Timestamp | None = Field(None, description="Composed then or later.")
    composed_to: Timestamp | None = Field(None, description="Composed before then.")

    @field_validator("composed_to")
    @classmethod
    def _is_later(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        since = info.data.get("composed_from")
        if value is not None and since is not None and value <= since:
            raise ValueError("should be later than composed_from")
        return value

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if all(value is None for value in dict(self).values()):
            raise ValueError("should name at least one selector")
        return self


class PlanRollback(WireModel):
    """What a rollback is planned for."""

    model_config = with_example({"selectors": {"actor": "iu-core-25000x-bulk"}})

    selectors: RollbackSelectors


class RollbackPlan(WireModel):
    """What a rollback would remove. Nothing is reserved: applying looks again."""

    model_config = with_example(
        {
            "selectors": _SELECTORS,
            "instances": 8,
            "lineage_rows": 8,
            "log_rows": 8,
            "actors": ["iu-core-25000x-bulk"],
            "blockers": [],
            "blockers_omitted": 0,
            "plan_digest": _DIGEST,
            "planned_at": _PLANNED_AT,
        }
    )

    selectors: RollbackSelectors = Field(description="As they were asked for; apply takes them.")
    instances: int
    lineage_rows: _LineageRows
    log_rows: _LogRows
    actors: list[str] = Field(description="Whose instances they are.")
    blockers: _Blockers
    blockers_omitted: _BlockersOmitted = 0
    plan_digest: Sha256 = Field(
        description="SHA-256 over the instances' ids, sorted, one per line."
    )
    planned_at: Timestamp


class ApplyRollback(WireModel):
    """A plan to be applied: its selectors, digest and time as the plan answered them."""

    model_config = with_example(
        {
            "selectors": {"actor": "iu-core-25000x-bulk"},
            "plan_digest": _DIGEST,
            "planned_at": _PLANNED_AT,
            "reason": "composed from the wrong list",
        }
    )

    selectors: RollbackSelectors
    plan_digest: Sha256
    planned_at: Timestamp
    reason: Reason
    release_keys: _ReleaseKeys = False
    acknowledge_delivered: bool = Field(
        False, description="Roll back also what a message has already told the outside of."
    )


class RollbackApplied(WireModel):
    """What a rollback removed. `deleted` and `gone` together are `planned`."""

    model_config = with_example({"planned": 8, "deleted": 8, "gone": 0, **_REMOVED})

    planned: int = Field(description="Instances of the plan.")
    deleted: int = Field(description="Instances that this rollback removed.")
    gone: _Gone
    lineage_rows: _LineageRows
    log_rows: _LogRows
    keys_released: _Freed
    messages_cancelled: _Cancelled
    rollback_operation_id: _Rollback = None
    rolled_back_at: Timestamp | None = None


class RollbackByActor(WireModel):
    """All that one actor composed, in one step."""

    model_config = with_example({"actor": "iu-core-25000x-bulk", "dry_run": True})

    actor: Actor = Field(description="Whose instances.")
    dry_run: bool = Field(True, description="Only say what would be removed.")
    release_keys: _ReleaseKeys = False
    reason: Annotated[
        str,
        StringConstraints(max_length=500, pattern=NO_CONTROL_CHARACTERS),
        Field(description="Why, for the tombstones.", examples=["composed from the wrong list"]),
    ] = ""


class ActorRolledBack(WireModel):
    """What was removed of an actor's work, or, of a dry run, what would be."""

    model_config = with_example(
        {
            "dry_run": False,
            "actor": "iu-core-25000x-bulk",
            "instances": 8,
            "gone": 0,
            "blockers": [],
            "blockers_omitted": 0,
            **_REMOVED,
        }
    )

    dry_run: bool
    actor: str
    instances: int = Field(description="Instances that were removed, or would be.")
    lineage_rows: _LineageRows
    log_rows: _LogRows
    gone: _Gone
    blockers: _Blockers
    blockers_omitted: _BlockersOmitted = 0
    keys_released: _Freed
    messages_cancelled: _Cancelled
    rollback_operation_id: _Rollback = None
    rolled_back_at: Timestamp | None = None


class ReleaseRollbackKeys(WireModel):
    """Rolled-back instances, as they were, whose keys are to be given back."""

    model_config = with_example(
        {
            "selectors": {"event_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"},
            "reason": "the list is right now",
        }
    )

    selectors: RollbackSelectors
    reason: Reason


class RollbackKeysReleased(WireModel):
    """How many keys were given back."""

    model_config = with_example({"released": 8, "released_at": "2025-06-02T08:00:00Z"})

    released: int = Field(description="Keys that were kept until now.")
    released_at: Timestamp
