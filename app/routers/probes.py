"""`POST /observability/probes`: whether composing answers as it must, tried and undone."""

from fastapi import APIRouter, Depends

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.schemas.probes import ProbeReport
from app.services import probes

router = APIRouter(prefix="/observability/probes", tags=["observability"], route_class=FactoryRoute)


@router.post("", dependencies=[Depends(RequireCommand("run_probes"))])
async def run_probes(database: DatabaseDep) -> ProbeReport:
    """Composes, is refused and plans a rollback, compares what comes, and undoes all of it.

    It works whatever state the gates are in, and nobody else sees them change.
    """
    return await probes.run_probes(database)
