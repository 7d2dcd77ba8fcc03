"""`/commands`: every operation that may change state."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.schemas.base import Page
from app.schemas.commands import CommandPage
from app.security import Scope, require
from app.services import commands

router = APIRouter(prefix="/commands", tags=["commands"], route_class=FactoryRoute)


@router.get("", summary="List the commands", dependencies=[Depends(require(Scope.VIEWER))])
async def list_commands(page: Annotated[Page, Query()], database: DatabaseDep) -> CommandPage:
    """List every operation that may change state: who may, at which gates, and what undoes it.

    Sorted by code. It comes from the database's own catalogue.
    """
    return await commands.list_commands(database, page)
