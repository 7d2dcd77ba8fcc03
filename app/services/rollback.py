"""Taking back what was composed (design, §14). No gate is asked: undoing works when all is shut."""

import hashlib
from typing import Any
from uuid import uuid4

from app.commands import elevated_scope
from app.db import rollback as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.db.operations import find_operation
from app.refusals.from_database import refusal_from_status
from app.schemas.operations import Operation
from app.schemas.rollback import (
    ActorRolledBack,
    ApplyRollback,
    PlanRollback,
    ReleaseRollbackKeys,
    RollbackApplied,
    RollbackByActor,
    RollbackKeysReleased,
    RollbackPlan,
    RollbackSelectors,
)
from app.security import Caller
from app.services.operation_runner import OperationRunner


async def plan_rollback(database: Database, caller: Caller, order: PlanRollback) -> RollbackPlan:
    """Count what a rollback would remove; changes nothing.

    Refuses with `actor_not_allowed`, `template_collection_not_found`, `too_large`.
    """
    selection = _selection("plan_rollback", order.selectors, caller)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.plan_rollback(tx, selection, _accountable(caller))

    members = _granted(await database.run(work, limits=BULK, repeatable=True))
    return RollbackPlan.model_validate({**members, "selectors": order.selectors})


async def apply_rollback(
    database: Database, runner: OperationRunner, caller: Caller, order: ApplyRollback
) -> RollbackApplied | Operation:
    """Remove exactly what was planned, or nothing.

    What is more than one transaction takes becomes an operation. Refuses as `plan_rollback`, and
    with `plan_stale`, `rollback_blocked` and `actor_rolling_back`.
    """
    selection = _selection("apply_rollback", order.selectors, caller)
    planned = db.Planned(order.plan_digest, order.planned_at)

    async def work(tx: Transaction) -> dict[str, Any]:
        answer = await db.apply_rollback(
            tx,
            selection,
            planned,
            order.reason,
            _accountable(caller),
            release_keys=order.release_keys,
            acknowledge_delivered=order.acknowledge_delivered,
        )
        if answer["status"] == "too_large" and answer["counted"] == "instances":
            raise _TooManyError  # undoes the record of a refusal that nobody is given
        return answer

    try:
        # The request's id names the rollback: a second run finds its tombstones.
        members = _granted(await database.run(work, limits=BULK, repeatable=True))
    except _TooManyError:
        return await _start_operation(database, runner, caller, order)
    return RollbackApplied.model_validate(members)


class _TooManyError(Exception):
    """More instances than one transaction takes."""


async def _start_operation(
    database: Database, runner: OperationRunner, caller: Caller, order: ApplyRollback
) -> Operation:
    operation_id = uuid4()
    digest = hashlib.sha256(order.model_dump_json().encode()).hexdigest()

    async def work(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any] | None]:
        answer = await db.create_rollback_operation(
            tx,
            _selection("apply_rollback", order.selectors, caller),
            db.Planned(order.plan_digest, order.planned_at),
            order.reason,
            _accountable(caller),
            operation_id=operation_id,
            request_digest=digest,
            release_keys=order.release_keys,
            acknowledge_delivered=order.acknowledge_delivered,
        )
        return answer, await find_operation(tx, operation_id)

    answer, found = await database.run(work, limits=BULK, repeatable=True)
    _granted(answer)
    runner.wake()
    return Operation.model_validate(found)


async def rollback_by_actor(
    database: Database, caller: Caller, order: RollbackByActor
) -> ActorRolledBack:
    """Remove all that one actor composed, or, by default, only say what that would be.

    Refuses with `actor_not_allowed`, `too_large`, `rollback_blocked`.
    """

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.rollback_by_actor(
            tx,
            order.actor,
            order.reason,
            _allowed_actors("rollback_by_actor", caller),
            _accountable(caller),
            dry_run=order.dry_run,
            release_keys=order.release_keys,
        )

    members = _granted(await database.run(work, limits=BULK, repeatable=True))
    return ActorRolledBack.model_validate(members)


async def release_rollback_keys(
    database: Database, caller: Caller, order: ReleaseRollbackKeys
) -> RollbackKeysReleased:
    """Give back the keys of what was rolled back: the same events may compose again.

    Refuses as `plan_rollback`.
    """
    selection = _selection("release_rollback_keys", order.selectors, caller)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.release_rollback_keys(tx, selection, order.reason, _accountable(caller))

    # Not repeatable: a second run would say that there was nothing to give back.
    members = _granted(await database.run(work, limits=BULK))
    return RollbackKeysReleased.model_validate(members)


def _selection(command: str, selectors: RollbackSelectors, caller: Caller) -> db.Selection:
    return db.Selection(
        actor=selectors.actor,
        operation_id=selectors.operation_id,
        event_id=selectors.event_id,
        template=selectors.template,
        composed_from=selectors.composed_from,
        composed_to=selectors.composed_to,
        allowed_actors=_allowed_actors(command, caller),
    )


def _allowed_actors(command: str, caller: Caller) -> str | None:
    """Whose work the caller may roll back; reading others' work is not enough for that."""
    return None if caller.scope.reaches(elevated_scope(command)) else caller.own_actors


def _accountable(caller: Caller) -> Accountable:
    return Accountable(caller.actor, caller.principal, caller.request_id)


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return {name: value for name, value in answer.items() if name != "status"}
