"""Retention over the wire: how long what is kept, and what a cleanup deletes."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from app.schemas.base import (
    NO_CONTROL_CHARACTERS,
    Actor,
    Reason,
    Sha256,
    Timestamp,
    WireModel,
    with_example,
)

MAX_DAYS = 36_500

_Target = Literal["command_record", "delivery_attempts", "ended_leases", "stored_events"]
_Days = Annotated[
    int,
    Field(ge=1, le=MAX_DAYS, description="Days of 24 hours; nothing younger is ever deleted."),
]

_POLICY: dict[str, Any] = {
    "target": "delivery_attempts",
    "keep_days": 90,
    "enabled": True,
    "changed_at": "2026-03-06T17:00:00Z",
    "changed_by": "ops-anna",
    "reason": "a quarter is enough",
}
_PLAN = {"planned_at": "2026-03-06T17:00:00.123456Z", "plan_digest": "9f86d081" * 8}
_TAKEN = {
    "target": "delivery_attempts",
    "enabled": True,
    "keep_days": 90,
    "cutoff": "2025-12-06T17:00:00.123456Z",
    "oldest": "2025-09-01T08:30:00Z",
    "rows_eligible": 120,
    "rows_deleted": 120,
    "rows_gone": 0,
    "rows_left": 0,
    "more": False,
    "held": {},
}


class RetentionPolicy(WireModel):
    """How long one target is kept, and who said so last, when and why."""

    model_config = with_example(_POLICY)

    target: _Target
    keep_days: _Days
    enabled: bool = Field(description="false: nothing of it is deleted.")
    changed_at: Timestamp
    changed_by: str
    reason: str


class RetentionPolicyPage(WireModel):
    """The four policies, by target."""

    model_config = with_example({"items": [_POLICY], "next_page_token": None})

    items: list[RetentionPolicy]
    next_page_token: str | None


class PutRetentionPolicy(WireModel):
    """How long a target is to be kept from now on."""

    model_config = with_example({"keep_days": 90, "enabled": True, "reason": "a quarter is enough"})

    keep_days: _Days
    enabled: bool = Field(True, description="false: delete nothing of it.")
    reason: Reason
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class RetentionPolicyPut(RetentionPolicy):
    """A policy, after it was put."""

    model_config = with_example({**_POLICY, "changed": True})

    changed: bool = Field(description="False when it was so before.")


class CleanupRetention(WireModel):
    """What is to be cleaned up: what an earlier answer named, or what may go now."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"dry_run": False, **_PLAN, "reason": "the yearly cleanup"},
            "anyOf": [
                {"properties": {name: {"type": "null"} for name in _PLAN}},
                {"required": [*_PLAN], "properties": {n: {"type": "string"} for n in _PLAN}},
            ],
        }
    )

    dry_run: bool = Field(True, description="Only say what would be deleted.")
    plan_digest: Sha256 | None = Field(
        None,
        description="Of an earlier answer, with its `planned_at`: exactly what that named is"
        " deleted. Left out: what may go now.",
    )
    planned_at: Timestamp | None = None
    reason: Annotated[
        str,
        StringConstraints(max_length=500, pattern=NO_CONTROL_CHARACTERS),
        Field(description="Why, for the audit log.", examples=["the yearly cleanup"]),
    ] = ""
    actor: Actor | None = Field(None, description="Narrows the key's own.")

    @model_validator(mode="after")
    def _is_a_plan(self) -> Self:
        if (self.plan_digest is None) != (self.planned_at is None):
            raise ValueError("should have plan_digest and planned_at, or neither")
        return self


class RetentionTarget(WireModel):
    """What became of one target. Eligible rows are deleted, gone or left."""

    model_config = with_example(_TAKEN)

    target: _Target
    enabled: bool
    keep_days: int
    cutoff: Timestamp = Field(description="Nothing younger is in the plan.")
    oldest: Timestamp | None = Field(description="Of the plan's rows; null: it names none.")
    rows_eligible: int = Field(description="Rows that the plan names.")
    rows_deleted: int = Field(description="Rows that this call has deleted.")
    rows_gone: int = Field(description="Rows that earlier calls with the same plan have deleted.")
    rows_left: int = Field(
        description="Rows that are there still; when the plan is complete, because they are needed"
        " again, or that another plan has deleted."
    )
    more: bool = Field(description="There may be more than one plan names: ask for another one.")
    held: dict[str, int] = Field(
        description="Of the command record: segments that are old enough and stay, by what stands"
        " against it: `not_exported`, `clock_set_back`, `verify_finds`."
    )


class RetentionCleanup(WireModel):
    """What a cleanup deleted; or would delete, where it is a dry run."""

    model_config = with_example(
        {
            "dry_run": False,
            **_PLAN,
            "complete": True,
            "begun_at": None,
            "begun_by": None,
            "rows_eligible": 120,
            "rows_deleted": 120,
            "segments_retired": [],
            "targets": [_TAKEN],
        }
    )

    dry_run: bool
    planned_at: Timestamp
    plan_digest: Sha256
    complete: bool = Field(
        description="Nothing is left to do of this plan. Otherwise send the same plan again."
    )
    begun_at: Timestamp | None = Field(
        description="When the first call with this plan was; null: it is this one, or none was."
    )
    begun_by: str | None = Field(description="The actor of that call.")
    rows_eligible: int = Field(description="Of all targets together.")
    rows_deleted: int = Field(description="By this call, of all targets together.")
    segments_retired: list[int] = Field(
        description="Segments of the audit log that this call has retired, by their numbers."
    )
    targets: list[RetentionTarget] = Field(description="By name.")
