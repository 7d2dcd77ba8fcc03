"""`/event-routes`: which events compose from which template."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, SchemasDep
from app.http.entity_tags import ETAG_HEADER, SeenRevisionsIfAny, tell_revision
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import Page, Uuid
from app.schemas.event_rules import PutRoute, RemoveRoute, Route, RoutePage, Simulate, Simulation
from app.security import Caller, Scope, require
from app.services import event_routes, simulating

router = APIRouter(prefix="/event-routes", tags=["events"], route_class=FactoryRoute)

Viewer = Depends(require(Scope.VIEWER))


def _tagged(response: Response, route: Route) -> Route:
    tell_revision(response, route.revision)
    return route


@router.get("", summary="List event routes", dependencies=[Viewer])
async def list_event_routes(page: Annotated[Page, Query()], database: DatabaseDep) -> RoutePage:
    """List the routes that events take, drafts among them, sorted by key."""
    return await event_routes.list_event_routes(database, page)


@router.post(
    "",
    status_code=201,
    responses={
        201: {
            "headers": {
                **ETAG_HEADER,
                "Location": {"description": "The route.", "schema": {"type": "string"}},
            }
        },
        **refusals("actor_not_allowed", "already_exists"),
    },
)
async def create_event_route(
    order: PutRoute,
    caller: Annotated[Caller, Depends(RequireCommand("create_event_route"))],
    database: DatabaseDep,
    response: Response,
) -> Route:
    """Make a route. It composes as an actor that its maker may act as.

    It holds for every event that is taken after the answer; a draft (`enabled` false) for none.
    """
    route = await event_routes.create_event_route(database, caller, order)
    response.headers["Location"] = f"/event-routes/{route.route_id}"
    return _tagged(response, route)


@router.get(
    "/{route_id}",
    summary="Read an event route",
    dependencies=[Viewer],
    responses={200: {"headers": ETAG_HEADER}, **refusals("event_route_not_found")},
)
async def get_event_route(route_id: Uuid, database: DatabaseDep, response: Response) -> Route:
    """Read one route."""
    return _tagged(response, await event_routes.get_event_route(database, route_id))


@router.put(
    "/{route_id}",
    responses={
        200: {"headers": ETAG_HEADER},
        **refusals(
            "actor_not_allowed", "event_route_not_found", "already_exists", "precondition_failed"
        ),
    },
)
async def put_event_route(
    *,
    route_id: Uuid,
    order: PutRoute,
    caller: Annotated[Caller, Depends(RequireCommand("put_event_route"))],
    seen_revisions: SeenRevisionsIfAny,
    database: DatabaseDep,
    response: Response,
) -> Route:
    """Put another route in the place of one; it composes as its changer says, from then on.

    When it is answered no event is taken by the old one any more.
    """
    changed = await event_routes.put_event_route(database, caller, route_id, order, seen_revisions)
    return _tagged(response, changed)


@router.delete(
    "/{route_id}",
    status_code=204,
    responses=refusals("actor_not_allowed", "event_route_not_found", "precondition_failed"),
)
async def remove_event_route(
    *,
    route_id: Uuid,
    order: Annotated[RemoveRoute, Query()],
    caller: Annotated[Caller, Depends(RequireCommand("remove_event_route"))],
    seen_revisions: SeenRevisionsIfAny,
    database: DatabaseDep,
) -> None:
    """Take a route away. What came of it still names it."""
    await event_routes.remove_event_route(database, caller, route_id, order, seen_revisions)


@router.post(
    "/{route_id}/simulate",
    summary="Try an event route",
    dependencies=[Depends(require(Scope.OPERATOR))],
    responses=refusals("event_route_not_found"),
)
async def simulate_event_route(
    route_id: Uuid, database: DatabaseDep, schemas: SchemasDep, order: Simulate | None = None
) -> Simulation:
    """Try a route, enabled or not, on the newest stored events of its types.

    Says of each condition of its filter whether it holds, which path is missing where one is, what
    the template would be filled with, and what would be composed. Nothing is written.
    """
    return await simulating.simulate_event_route(database, schemas, route_id, order or Simulate())
