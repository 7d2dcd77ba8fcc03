"""`/rollback`: taking back what events composed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, RunnerDep
from app.http.accepted import ACCEPTED, accepted
from app.http.route import FactoryRoute
from app.problems import refusals
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
)
from app.security import Caller
from app.services import rollback

router = APIRouter(prefix="/rollback", tags=["rollback"], route_class=FactoryRoute)


_SELECTION = ("actor_not_allowed", "template_collection_not_found", "too_large")


@router.post("/plan", responses=refusals(*_SELECTION))
async def plan_rollback(
    order: PlanRollback,
    caller: Annotated[Caller, Depends(RequireCommand("plan_rollback"))],
    database: DatabaseDep,
) -> RollbackPlan:
    """Count what a rollback would remove, and what stands against it. Changes nothing.

    Another's work needs the scope `operator`. At most 2,000,000 instances of 64 actors.
    """
    return await rollback.plan_rollback(database, caller, order)


@router.post(
    "/apply",
    response_model=RollbackApplied,
    responses={
        **ACCEPTED,
        **refusals(*_SELECTION, "plan_stale", "rollback_blocked", "actor_rolling_back"),
    },
)
async def apply_rollback(
    order: ApplyRollback,
    caller: Annotated[Caller, Depends(RequireCommand("apply_rollback"))],
    database: DatabaseDep,
    runner: RunnerDep,
) -> RollbackApplied | Response:
    """Remove exactly what was planned, in one transaction, or nothing.

    What others rolled back since is `gone`; anything else that has changed makes the plan stale. A
    tombstone of each instance stays, and keeps its key unless it is released. Needs no gate.
    Another's work needs the scope `operator`.

    A plan of more than 10,000 instances becomes an operation, which removes them in chunks. Until
    it has ended, nothing is composed as their actors.
    """
    done = await rollback.apply_rollback(database, runner, caller, order)
    return accepted(done) if isinstance(done, Operation) else done


@router.post(
    "/by-actor",
    responses=refusals("actor_not_allowed", "too_large", "rollback_blocked"),
)
async def rollback_by_actor(
    order: RollbackByActor,
    caller: Annotated[Caller, Depends(RequireCommand("rollback_by_actor"))],
    database: DatabaseDep,
) -> ActorRolledBack:
    """Remove all that one actor composed, in one step; a dry run unless told otherwise.

    Needs no gate. Another's work needs the scope `operator`.
    """
    return await rollback.rollback_by_actor(database, caller, order)


@router.post("/release-keys", responses=refusals(*_SELECTION))
async def release_rollback_keys(
    order: ReleaseRollbackKeys,
    caller: Annotated[Caller, Depends(RequireCommand("release_rollback_keys"))],
    database: DatabaseDep,
) -> RollbackKeysReleased:
    """Give back the keys of what was rolled back, so that the same events may compose again.

    The tombstones stay. Another's work needs the scope `operator`.
    """
    return await rollback.release_rollback_keys(database, caller, order)
