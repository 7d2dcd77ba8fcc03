"""`/observability/boundary`: what keeps messages inside, told and proven."""

from fastapi import APIRouter, Depends

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.schemas.delivery import Boundary, BoundaryProbe
from app.security import Scope, require
from app.services import delivery

router = APIRouter(
    prefix="/observability/boundary", tags=["observability"], route_class=FactoryRoute
)


@router.get(
    "",
    summary="See what keeps messages inside",
    dependencies=[Depends(require(Scope.VIEWER))],
)
async def get_boundary(database: DatabaseDep) -> Boundary:
    """Tells of each of the three layers whether it is closed, and whether anything may leave."""
    return await delivery.get_boundary(database)


@router.post(
    "/probe",
    dependencies=[Depends(RequireCommand("probe_boundary"))],
)
async def probe_boundary(database: DatabaseDep) -> BoundaryProbe:
    """Writes messages, tells how many attempts would begin with them, and undoes all of it."""
    return await delivery.probe_boundary(database)
