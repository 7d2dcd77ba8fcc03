"""The audit log: the command record as runs, and the wrappers of what seals and verifies it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_

from app.db.accountable import Accountable
from app.db.engine import Transaction
from app.db.examined import examined_page, examined_page_query
from app.db.observability_read import COMMAND_RECORD


@dataclass(frozen=True, slots=True)
class RunFilters:
    """Which runs a list shows; None is no filter. `since` is included, `until` is not."""

    command: str | None = None
    outcome: str | None = None
    code: str | None = None
    actor: str | None = None
    principal: str | None = None
    request_id: UUID | None = None
    subject_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


_EQUAL = ("command", "outcome", "code", "actor", "principal", "request_id", "subject_id")


async def list_runs(
    transaction: Transaction, filters: RunFilters, position: tuple[Any, ...] | None, limit: int
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """One page of runs, newest first, and where the next page begins."""
    c = COMMAND_RECORD.c
    driven_by: list[ColumnElement[bool]] = []
    if filters.since is not None:
        driven_by.append(c.last_at >= filters.since)
    if filters.until is not None:
        driven_by.append(c.last_at < filters.until)
    order = [c.last_at, c.record_id]
    rows = await transaction.rows(
        examined_page_query(
            [every for every in c if every is not c.segment_no],
            order,
            driven_by=driven_by,
            kept_if=[
                c[name] == value for name in _EQUAL if (value := getattr(filters, name)) is not None
            ],
            position=position,
            limit=limit,
        )
    )
    runs, after = examined_page(rows, limit, order)
    # Only of these: finding a run in its segment's list costs more than all the rest.
    places = [(run["last_at"], run["record_id"]) for run in runs]
    sealed = await transaction.rows(
        select(c.record_id, c.segment_no).where(tuple_(c.last_at, c.record_id).in_(places))
    )
    segments = {row["record_id"]: row["segment_no"] for row in sealed}
    # None for one that was counted again since, and is not sealed therefore.
    return [{**run, "segment_no": segments.get(run["record_id"])} for run in runs], after


async def seal(transaction: Transaction, sealed_by: str, segments: int) -> dict[str, Any]:
    """Seal runs into so many segments at most (fn_iu_audit_seal)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_audit_seal", sealed_by, segments)
    return answer


async def verify(
    transaction: Transaction, after: int, segments: int, head: str | None
) -> dict[str, Any]:
    """One portion of the chain, behind a segment (fn_iu_audit_verify)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_audit_verify", after, segments, head)
    return answer


async def export(transaction: Transaction, by: Accountable) -> dict[str, Any]:
    """Give the chain's head away (fn_iu_audit_export)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_audit_export", *by.arguments)
    return answer


async def note_refusal(
    transaction: Transaction, command: str, code: str, actor: str, principal: str
) -> None:
    """Count a refusal of which no record stayed (fn_iu_refusal_note)."""
    await transaction.call("fn_iu_refusal_note", command, code, actor, principal)
