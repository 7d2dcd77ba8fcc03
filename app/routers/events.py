"""`/events`: what comes in, what came of it, and firing it again."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, IntakeDep, RuleBookDep
from app.http.cloudevents import EVENT_BODIES, Events, cloud_events
from app.http.document import document
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import Uuid
from app.schemas.events import (
    BatchAnswer,
    EventList,
    Refire,
    Refired,
    StoredEvent,
    StoredEventPage,
    TakenEvent,
)
from app.security import Caller, Scope, require
from app.services import events
from app.services.intake import Sender

router = APIRouter(prefix="/events", tags=["events"], route_class=FactoryRoute)

VIEWER = Depends(require(Scope.VIEWER))
INTAKE_REFUSALS = (
    "event_conflict",
    "event_type_not_found",
    "event_chain_too_deep",
    "payload_invalid",
    "actor_not_allowed",
)
TAKEN: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {"Location": {"description": "The event.", "schema": {"type": "string"}}},
    },
    200: {
        "model": TakenEvent | BatchAnswer,
        "description": "An event that came before, as it was answered then, or a batch.",
    },
}


def say_how_it_came(taken: TakenEvent) -> Response:
    """The response to one event."""
    if taken.outcome == "accepted":
        return document(taken, 201, {"Location": f"/events/{taken.event_id}"})
    return document(taken, 200)


@router.post(
    "",
    status_code=201,
    response_model=TakenEvent,
    responses={**TAKEN, **refusals(*INTAKE_REFUSALS)},
    openapi_extra=EVENT_BODIES,
)
@cloud_events
async def post_events(
    sent: Events,
    caller: Annotated[Caller, Depends(RequireCommand("post_events"))],
    intake: IntakeDep,
) -> Response:
    """Takes a CloudEvent, binary, structured or batched, and fires the routes that it takes.

    Each event is stored once by its source and id: sent again, it is answered as before. What
    composing refuses stands among its results, and is fired again by `POST /events/refire`. In a
    batch each event stands for itself: one that is refused leaves the others alone.
    """
    sender = Sender(caller.actor, caller.allowed_actors, caller.principal, "http")
    if isinstance(sent, list):
        return document(await intake.take_batch(sender, sent, caller.request_id), 200)
    return say_how_it_came(await intake.take(sender, sent, caller.request_id))


@router.get("", summary="List events", dependencies=[VIEWER])
async def list_events(
    query: Annotated[EventList, Query()], database: DatabaseDep
) -> StoredEventPage:
    """List the events that were taken in, the newest first, with what came of each."""
    return await events.list_events(database, query)


@router.post("/refire")
async def refire_events(
    order: Refire,
    caller: Annotated[Caller, Depends(RequireCommand("refire_events"))],
    database: DatabaseDep,
    book: RuleBookDep,
    intake: IntakeDep,
) -> Refired:
    """Fires routes of the events of a time again: those that were refused, or also new ones.

    By the rules that are in force now. A dry run, which is the default, says what would come of it.
    What was composed is never composed again.
    """
    return await events.refire_events(database, book, intake.trigger, caller, order)


@router.get(
    "/{event_id}",
    summary="Read an event",
    dependencies=[VIEWER],
    responses=refusals("event_not_found"),
)
async def get_event(event_id: Uuid, database: DatabaseDep) -> StoredEvent:
    """Read an event as it came, and what came of each route."""
    return await events.get_event(database, event_id)
