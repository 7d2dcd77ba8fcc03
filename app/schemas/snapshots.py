"""Snapshots of every surface, and what became of each between two of them, over the wire."""

import re
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from app.schemas.base import (
    Actor,
    QueryModel,
    Reason,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)

INVARIANT = "invariant"
ANY = "any"
EVERY = "*"
"""Stands for each surface that no expectation names."""

_SUMMARY: dict[str, Any] = {
    "snapshot_id": "3b1f8f0e-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "taken_at": "2026-03-06T17:00:00Z",
    "actor": "ops-anna",
    "principal": "anna@example.org",
    "reason": "before the release",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "schema_revision": "0013",
}
_SURFACE = {
    "surface": "iu_piece_collection",
    "row_count": 24,
    "digest": "9f86d081884c7d659a2feaa0c55ad015",
}
_BEFORE = {
    **_SUMMARY,
    "snapshot_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "taken_at": "2026-03-06T16:00:00Z",
}
_CHANGE = {
    "surface": "iu_piece_collection",
    "before": 10,
    "after": 24,
    "delta": 14,
    "digest_before": "5feceb66ffc86f38d952786c6d696c79",
    "digest_after": "9f86d081884c7d659a2feaa0c55ad015",
    "changed": True,
    "expected": "+14",
    "holds": True,
}

# A plus that was not percent-encoded arrives as a blank, which can mean nothing else here.
_EXPECTATION = r"^(\*|[A-Za-z0-9_./-]{1,128})=(invariant|any|[+ -][0-9]{1,15})$"


def _expectation(value: str) -> str:
    if re.fullmatch(_EXPECTATION, value) is None:
        raise ValueError(
            "should be SURFACE=invariant, SURFACE=any, SURFACE=+N or SURFACE=-N, N of 15 digits at"
            " most; or * in place of SURFACE"
        )
    return value


# The validator says what is wrong in words; the pattern beside it says it to machines.
Expectation = Annotated[
    str,
    AfterValidator(_expectation),
    Field(
        description="`SURFACE=invariant` (neither count nor digest changes), `SURFACE=+N` or"
        " `SURFACE=-N` (so many rows more or fewer), `SURFACE=any`. `*` stands for the surfaces"
        " that are not named: `*=invariant` when it is left out. In an address a plus is `%2B`.",
        examples=["iu_piece_collection=+14"],
        json_schema_extra={"pattern": _EXPECTATION},
    ),
]


class TakeSnapshot(WireModel):
    """Why a snapshot is taken."""

    model_config = with_example({"reason": "before the release"})

    reason: Reason
    actor: Actor | None = Field(None, description="Narrows the key's own.")


class SnapshotSummary(WireModel):
    """A snapshot, without its surfaces."""

    model_config = with_example(_SUMMARY)

    snapshot_id: UUID
    taken_at: Timestamp
    actor: str
    principal: str
    reason: str
    request_id: UUID | None
    schema_revision: str = Field(
        description="Of the tables. A column more makes every row another one."
    )


class Surface(WireModel):
    """What one surface was."""

    model_config = with_example(_SURFACE)

    surface: str = Field(description="A table, or a part of one; docs/snapshots.md lists them.")
    row_count: int
    digest: str = Field(description="Another one when any row is another, whatever the count.")


class Snapshot(SnapshotSummary):
    """A snapshot: what every surface was at one moment."""

    model_config = with_example({**_SUMMARY, "surfaces": [_SURFACE]})

    surfaces: list[Surface] = Field(description="By name.")


class SnapshotPage(WireModel):
    """One page of snapshots, newest first."""

    model_config = with_example({"items": [_SUMMARY], "next_page_token": None})

    items: list[SnapshotSummary]
    next_page_token: str | None = Field(description="null: this was the last page.")


class Comparison(QueryModel):
    """Which snapshots are compared, and what is expected of the surfaces."""

    from_: Uuid | None = Field(
        None, alias="from", description="The snapshot before. Left out: the one before `to`."
    )
    to: Uuid | None = Field(None, description="The snapshot after. Left out: the newest.")
    expect: list[Expectation] = Field(default_factory=list, max_length=1000)


class SurfaceChange(WireModel):
    """What became of one surface."""

    model_config = with_example(_CHANGE)

    surface: str
    before: int | None = Field(description="Rows. null: that snapshot did not look at it.")
    after: int | None
    delta: int | None
    digest_before: str | None
    digest_after: str | None
    changed: bool = Field(description="Whether count or digest is another one.")
    expected: str = Field(description="`invariant`, `any`, `+N` or `-N`.")
    holds: bool


class Regression(WireModel):
    """The regression matrix: every surface before and after, against what was expected."""

    model_config = with_example(
        {
            "before": _BEFORE,
            "after": {**_SUMMARY, "reason": "after the release"},
            "holds": True,
            "surfaces": [_CHANGE],
        }
    )

    before: SnapshotSummary
    after: SnapshotSummary
    holds: bool = Field(description="Whether every surface is as expected.")
    surfaces: list[SurfaceChange] = Field(description="By name.")
