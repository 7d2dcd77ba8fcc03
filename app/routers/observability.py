"""`GET /observability/…`: what an operator looks at."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.methods import wants_body
from app.http.route import EVENT_STREAM, FactoryRoute, produces
from app.portions import deflated, plain, takes_deflate
from app.problems import refusals
from app.schemas.observability import (
    EventList,
    EventSummary,
    IntegrityReport,
    LoggedEventPage,
    RecordedRefusalPage,
    RefusalList,
    TemplateList,
    TemplateStatePage,
)
from app.schemas.overview import FactoryOverview
from app.security import Caller, Scope, require
from app.services import observability as service
from app.services.feed import Feed, place_of

router = APIRouter(prefix="/observability", tags=["observability"], route_class=FactoryRoute)

Viewer = Annotated[Caller, Depends(require(Scope.VIEWER))]
VIEWER = Depends(require(Scope.VIEWER))


@router.get(
    "/templates", summary="See how templates and their instances stand", dependencies=[VIEWER]
)
async def observe_templates(
    query: Annotated[TemplateList, Query()], database: DatabaseDep
) -> TemplateStatePage:
    """Tells of each template its version, its instances, and whether they are what it says."""
    return await service.observe_templates(database, query)


@router.get(
    "/events",
    summary="List the event log",
    responses=refusals("template_collection_not_found", "template_not_marked"),
)
async def observe_events(
    query: Annotated[EventList, Query()], caller: Viewer, database: DatabaseDep
) -> LoggedEventPage:
    """Lists which event composed what, newest first, with the digests to compare."""
    return await service.observe_events(database, caller, query)


@router.get("/summary", summary="Sum the event log up", dependencies=[VIEWER])
async def summarise_events(database: DatabaseDep) -> EventSummary:
    """Counts events per template and mode: live ones in the event log, dry runs in the record."""
    return await service.summarise_events(database)


@router.get("/integrity", dependencies=[Depends(RequireCommand("check_integrity"))])
async def check_integrity(database: DatabaseDep) -> IntegrityReport:
    """Computes every digest again from the content, and compares everything with everything.

    It looks at every row. Who asks while a check runs gets its result.
    """
    return await service.check_integrity(database)


@router.get("/refusals", summary="List what was refused", dependencies=[VIEWER])
async def observe_refusals(
    query: Annotated[RefusalList, Query()], database: DatabaseDep
) -> RecordedRefusalPage:
    """Lists what was asked for and refused, the last first."""
    return await service.observe_refusals(database, query)


@router.get("/overview", summary="See everything at a glance", dependencies=[VIEWER])
async def get_overview(database: DatabaseDep) -> FactoryOverview:
    """Health, gates, counts and rates, refusals by code, drift, orphans, unversioned templates.

    Orphans are those of the last integrity check, because finding them costs a look at every
    instance; everything else is of now.
    """
    return await service.get_overview(database)


@router.get(
    "/stream",
    summary="Watch what happens",
    dependencies=[VIEWER],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events, each with the fact as its `data`, its kind as its"
            " `event`, and a place to go on from as its `id`.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        },
        **refusals("overloaded"),
    },
)
@produces(EVENT_STREAM)
async def stream_facts(
    request: Request, last_event_id: Annotated[str | None, Header(max_length=1000)] = None
) -> StreamingResponse:
    """Tells what happens, as it happens.

    Of kind `composed`, `rolled_back`, `refused`, `gate_changed`, `delivered` and `dead_letter`.
    A client that was cut off sends the last `id` as `Last-Event-ID`, as browsers do, and is told
    first what it missed; a place also holds at another process, and after a restore. While nothing
    happens a comment is sent now and then. Where the service stops, or the client is too slow, the
    stream ends: ask again. Whoever takes `deflate` gets a tenth of the bytes.
    """
    feed: Feed = request.app.state.feed
    after = place_of(last_event_id)
    await feed.admit(after)
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no", "vary": "accept-encoding"}
    write = plain
    if takes_deflate(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "deflate"
        write = deflated
    return StreamingResponse(
        write(feed.listen(after)) if wants_body(request.scope) else iter(()),
        media_type=EVENT_STREAM,
        headers=headers,
    )
