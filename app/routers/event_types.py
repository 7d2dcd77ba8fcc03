"""`/event-types`: what is known of the events that come in."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import NO_CONTROL_CHARACTERS, Page
from app.schemas.event_rules import PutType, Type, TypePage
from app.security import Caller, Scope, require
from app.services import event_types

router = APIRouter(prefix="/event-types", tags=["events"], route_class=FactoryRoute)

Viewer = Depends(require(Scope.VIEWER))
Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        pattern=NO_CONTROL_CHARACTERS,
        description="The type.",
        examples=["employee.hired"],
    ),
]


@router.get("", summary="List event types", dependencies=[Viewer])
async def list_event_types(page: Annotated[Page, Query()], database: DatabaseDep) -> TypePage:
    """List the event types that are known, sorted by name."""
    return await event_types.list_event_types(database, page)


@router.get(
    "/{event_type:path}",
    summary="Read an event type",
    dependencies=[Viewer],
    responses=refusals("event_type_not_found"),
)
async def get_event_type(event_type: Name, database: DatabaseDep) -> Type:
    """Read one event type."""
    return await event_types.get_event_type(database, event_type)


@router.put(
    "/{event_type:path}",
    responses=refusals("actor_not_allowed"),
)
async def put_event_type(
    event_type: Name,
    order: PutType,
    caller: Annotated[Caller, Depends(RequireCommand("put_event_type"))],
    database: DatabaseDep,
) -> Type:
    """Register an event type, or change it. Its version counts the changes of its schema.

    Events of types that are not registered are stored and start nothing, or are refused, as the
    setting `iu_core.unknown_event_types` says. The lane `live` needs the scope `admin`.
    """
    return await event_types.put_event_type(database, caller, event_type, order)
