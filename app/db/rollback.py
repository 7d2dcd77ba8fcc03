"""Rolling back: one wrapper for each function."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db.accountable import Accountable
from app.db.engine import Transaction


@dataclass(frozen=True, slots=True)
class Selection:
    """Which instances are meant, and by whom: None selects everything, and allows everyone.

    `allowed_actors` are the actors that the caller may roll back, as fn_iu_actor_matches reads
    them. `composed_to` is the first moment that is too late.
    """

    actor: str | None
    operation_id: UUID | None
    event_id: UUID | None
    template: str | None
    composed_from: datetime | None
    composed_to: datetime | None
    allowed_actors: str | None

    @property
    def selectors(self) -> tuple[object, ...]:
        """The six selectors as the functions take them."""
        return (
            self.actor,
            self.operation_id,
            self.event_id,
            self.template,
            self.composed_from,
            self.composed_to,
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """What identifies a plan: its digest, and when it was made."""

    digest: str
    at: datetime


async def plan_rollback(tx: Transaction, selection: Selection, by: Accountable) -> dict[str, Any]:
    """Count what a rollback would remove (fn_iu_rollback_plan)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_rollback_plan", *selection.selectors, selection.allowed_actors, *by.arguments
    )
    return answer


async def apply_rollback(
    tx: Transaction,
    selection: Selection,
    planned: Planned,
    reason: str,
    by: Accountable,
    *,
    release_keys: bool,
    acknowledge_delivered: bool,
) -> dict[str, Any]:
    """Remove exactly what was planned, or nothing (fn_iu_rollback_apply)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_rollback_apply",
        *selection.selectors,
        planned.digest,
        planned.at,
        release_keys,
        acknowledge_delivered,
        reason,
        selection.allowed_actors,
        *by.arguments,
    )
    return answer


async def create_rollback_operation(
    tx: Transaction,
    selection: Selection,
    planned: Planned,
    reason: str,
    by: Accountable,
    *,
    operation_id: UUID,
    request_digest: str,
    release_keys: bool,
    acknowledge_delivered: bool,
) -> dict[str, Any]:
    """Freeze what was planned as an operation, and fence its actors.

    A second call with its id and request finds the first (fn_iu_rollback_operation_create).
    """
    answer: dict[str, Any] = await tx.call(
        "fn_iu_rollback_operation_create",
        *selection.selectors,
        planned.digest,
        planned.at,
        release_keys,
        acknowledge_delivered,
        reason,
        selection.allowed_actors,
        operation_id,
        None,
        request_digest,
        *by.arguments,
    )
    return answer


async def rollback_by_actor(
    tx: Transaction,
    actor: str,
    reason: str,
    allowed_actors: str | None,
    by: Accountable,
    *,
    dry_run: bool,
    release_keys: bool,
) -> dict[str, Any]:
    """Remove all that one actor composed, in one step (fn_iu_rollback_by_actor)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_rollback_by_actor",
        actor,
        dry_run,
        release_keys,
        reason,
        allowed_actors,
        *by.arguments,
    )
    return answer


async def release_rollback_keys(
    tx: Transaction, selection: Selection, reason: str, by: Accountable
) -> dict[str, Any]:
    """Give back the keys of what was rolled back (fn_iu_rollback_release_keys)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_rollback_release_keys",
        *selection.selectors,
        reason,
        selection.allowed_actors,
        *by.arguments,
    )
    return answer
