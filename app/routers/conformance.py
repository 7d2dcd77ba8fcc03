"""`/observability/conformance`: whether the database is what this release makes of one."""

from fastapi import APIRouter, Depends

from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.schemas.conformance import ConformanceReport
from app.security import Scope, require
from app.services import conformance

router = APIRouter(prefix="/observability", tags=["observability"], route_class=FactoryRoute)


@router.get(
    "/conformance",
    summary="Compare the database with the release",
    dependencies=[Depends(require(Scope.VIEWER))],
)
async def check_conformance(database: DatabaseDep) -> ConformanceReport:
    """Tells what is missing, unexpected or changed, of seven kinds of object.

    What operators made is counted and not compared. A database that another release migrated, or a
    PostgreSQL that this release has no manifest for, is `not_comparable`: `remedy` says what to do.
    """
    return await conformance.check_conformance(database)
