"""`/commands`: every operation that may change state, and every run of one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from app.commands import RequireCommand
from app.dependencies import AuditDep, DatabaseDep
from app.http.hanging_up import unless_hung_up
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.audit import AuditReport, ExpectedHead, RunList, RunPage, Sealed, SignedHead
from app.schemas.base import Page
from app.schemas.commands import CommandPage
from app.security import Caller, Scope, require
from app.services import audit as service
from app.services import commands

router = APIRouter(prefix="/commands", tags=["commands"], route_class=FactoryRoute)

VIEWER = Depends(require(Scope.VIEWER))


@router.get("", summary="List the commands", dependencies=[VIEWER])
async def list_commands(page: Annotated[Page, Query()], database: DatabaseDep) -> CommandPage:
    """List every operation that may change state: who may, at which gates, and what undoes it.

    Sorted by code. It comes from the database's own catalogue.
    """
    return await commands.list_commands(database, page)


@router.get("/runs", summary="List what commands did", dependencies=[VIEWER])
async def list_runs(query: Annotated[RunList, Query()], database: DatabaseDep) -> RunPage:
    """List runs of commands, the last first: what was done, refused, or only tried, and by whom.

    What composes many instances at once is one run for each actor.
    """
    return await service.list_runs(database, query)


@router.get("/runs/verify", summary="Verify the audit log", dependencies=[VIEWER])
async def verify_runs(
    request: Request, expected: Annotated[ExpectedHead, Query()], audit: AuditDep
) -> AuditReport:
    """Look whether the runs are what was sealed, and the instances what they say.

    Names each run that was edited, removed, inserted or reordered, and whatever was done to the
    chain itself, which comes first. It looks at every run and every instance, so it takes its
    time; others are refused (`overloaded`) meanwhile.
    """
    return await unless_hung_up(request, audit.verify(expected.head))


@router.post("/runs/seal", responses=refusals("audit_chain_broken"))
async def seal_runs(
    caller: Annotated[Caller, Depends(RequireCommand("seal_runs"))], audit: AuditDep
) -> Sealed:
    """Seal what is old enough, now: all from before the last whole minute.

    The service does so by itself, several times a minute.
    """
    return await audit.seal(caller.actor, patience_s=service.PATIENCE_S)


@router.post(
    "/runs/export",
    responses=refusals("nothing_sealed", "audit_chain_broken", "audit_key_unavailable"),
)
async def export_audit_head(
    caller: Annotated[Caller, Depends(RequireCommand("export_audit_head"))], audit: AuditDep
) -> SignedHead:
    """Give the chain's head away, signed, to be kept where nobody can change it.

    Who has it can tell later whether anything that was sealed before has been changed since.
    """
    return await audit.export(caller)
