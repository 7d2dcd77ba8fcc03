"""`/retention`: how long what is kept, and deleting what need not be kept any longer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import PATH_SEGMENT, Page
from app.schemas.retention import (
    CleanupRetention,
    PutRetentionPolicy,
    RetentionCleanup,
    RetentionPolicyPage,
    RetentionPolicyPut,
)
from app.security import Caller, Scope, require
from app.services import retention

router = APIRouter(prefix="/retention", tags=["retention"], route_class=FactoryRoute)

Target = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=PATH_SEGMENT,
        description="What the policy is about.",
        examples=["delivery_attempts"],
    ),
]


@router.get(
    "/policies", summary="List retention policies", dependencies=[Depends(require(Scope.VIEWER))]
)
async def list_retention_policies(
    page: Annotated[Page, Query()], database: DatabaseDep
) -> RetentionPolicyPage:
    """List the policies of the four targets, by target."""
    return await retention.list_policies(database, page)


@router.put(
    "/policies/{target}", responses=refusals("actor_not_allowed", "retention_policy_not_found")
)
async def put_retention_policy(
    target: Target,
    order: PutRetentionPolicy,
    caller: Annotated[Caller, Depends(RequireCommand("put_retention_policy"))],
    database: DatabaseDep,
) -> RetentionPolicyPut:
    """Say how long a target is kept. Deletes nothing.

    A cleanup that is under way by a plan from before is refused from now on (`plan_stale`).
    """
    return await retention.put_policy(database, caller, target, order)


@router.post("/cleanup", responses=refusals("actor_not_allowed", "plan_stale"))
async def cleanup_retention(
    order: CleanupRetention,
    caller: Annotated[Caller, Depends(RequireCommand("cleanup_retention"))],
    database: DatabaseDep,
) -> RetentionCleanup:
    """Delete what the policies let go, some ten thousand rows a call; a dry run by default.

    A dry run needs no gate, and its `plan_digest` and `planned_at` name what it has counted: sent
    with `dry_run` false, exactly that is deleted, in as many calls as it takes to be `complete`.
    Several callers may carry on one plan; each row is deleted once.
    """
    return await retention.cleanup(database, caller, order)
