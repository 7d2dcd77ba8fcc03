"""`/event-sources`: signed webhooks of systems that speak no CloudEvents."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, IntakeDep
from app.http.record import record_of
from app.http.route import FactoryRoute
from app.http.webhooks import Webhook, raw_webhook
from app.problems import refusals
from app.routers.events import INTAKE_REFUSALS, TAKEN, say_how_it_came
from app.schemas.base import PATH_SEGMENT, Page
from app.schemas.event_rules import PutSource, Source, SourcePage
from app.schemas.events import TakenEvent
from app.security import Caller, Scope, require
from app.services import event_sources

router = APIRouter(prefix="/event-sources", tags=["events"], route_class=FactoryRoute)

Viewer = Depends(require(Scope.VIEWER))
Name = Annotated[
    str,
    Path(
        min_length=1,
        max_length=63,
        pattern=PATH_SEGMENT,
        description="The source's name.",
        examples=["github"],
    ),
]


@router.get("", summary="List event sources", dependencies=[Viewer])
async def list_event_sources(page: Annotated[Page, Query()], database: DatabaseDep) -> SourcePage:
    """List the sources of webhooks, sorted by name, without their secrets."""
    return await event_sources.list_event_sources(database, page)


@router.get(
    "/{name}",
    summary="Read an event source",
    dependencies=[Viewer],
    responses=refusals("event_source_not_found"),
)
async def get_event_source(name: Name, database: DatabaseDep) -> Source:
    """Read one source of webhooks, without its secrets."""
    return await event_sources.get_event_source(database, name)


@router.put(
    "/{name}",
    responses={
        201: {"model": Source, "description": "It is new."},
        **refusals("actor_not_allowed"),
    },
)
async def put_event_source(
    name: Name,
    order: PutSource,
    caller: Annotated[Caller, Depends(RequireCommand("put_event_source"))],
    database: DatabaseDep,
    response: Response,
) -> Source:
    """Make a source of webhooks, or change it: how it signs, and where its events have their ids.

    Two secrets are good at a time, so that the sender can be given the new one. Without `secrets`
    those that are there stay.
    """
    source, created = await event_sources.put_event_source(database, caller, name, order)
    response.status_code = 201 if created else 200
    return source


@router.post(
    "/{name}",
    status_code=201,
    response_model=TakenEvent,
    responses={
        **TAKEN,
        **refusals(
            "event_source_not_found",
            "signature_invalid",
            "database_unavailable",
            "overloaded",
            *INTAKE_REFUSALS,
        ),
    },
)
@raw_webhook
async def receive_webhook(
    name: Name, webhook: Webhook, request: Request, database: DatabaseDep, intake: IntakeDep
) -> Response:
    """Takes the JSON of a system that speaks no CloudEvents, signed in the way of its source.

    No key is asked for: the signature is. What was sent before is answered as then.
    """
    request_id = UUID(record_of(request.scope).request_id)
    taken = await event_sources.receive_webhook(database, intake, name, webhook, request_id)
    return say_how_it_came(taken)
