"""`/delivery`: what leaves, where to, and what has become of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, GuardDep
from app.http.entity_tags import ETAG_HEADER, SeenRevisionsIfAny, tell_revision
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import Page, Uuid
from app.schemas.delivery import (
    AttemptList,
    AttemptPage,
    DeadLetterList,
    DeadLetterPage,
    DeadLettersReplayed,
    MessagesReplayed,
    OutboundRoute,
    OutboundRoutePage,
    PutOutboundRoute,
    RemoveOutboundRoute,
    ReplayDeadLetters,
    ReplayMessages,
)
from app.security import Caller, Scope, require
from app.services import delivery, outbound_routes

router = APIRouter(prefix="/delivery", tags=["delivery"], route_class=FactoryRoute)

Viewer = Depends(require(Scope.VIEWER))


def _tagged(response: Response, route: OutboundRoute) -> OutboundRoute:
    tell_revision(response, route.revision)
    return route


@router.get("/routes", summary="List outbound routes", dependencies=[Depends(require(Scope.ADMIN))])
async def list_outbound_routes(
    page: Annotated[Page, Query()], database: DatabaseDep
) -> OutboundRoutePage:
    """List the routes that lead outside, sorted by name."""
    return await outbound_routes.list_outbound_routes(database, page)


@router.post(
    "/routes",
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
async def create_outbound_route(
    *,
    order: PutOutboundRoute,
    caller: Annotated[Caller, Depends(RequireCommand("create_outbound_route"))],
    database: DatabaseDep,
    guard: GuardDep,
    response: Response,
) -> OutboundRoute:
    """Make a route that leads outside. Alone it sends nothing: lane and gate are other layers.

    While it is enabled it gets every message that is committed after the answer, and none from
    before: `POST /delivery/replay` brings those.
    """
    outbound_routes.refuse_inside(order.endpoint, guard)
    route = await outbound_routes.put_outbound_route(database, caller, None, order, None)
    response.headers["Location"] = f"/delivery/routes/{route.route_id}"
    return _tagged(response, route)


@router.get(
    "/routes/{route_id}",
    summary="Read an outbound route",
    dependencies=[Depends(require(Scope.ADMIN))],
    responses={200: {"headers": ETAG_HEADER}, **refusals("outbound_route_not_found")},
)
async def get_outbound_route(
    route_id: Uuid, database: DatabaseDep, response: Response
) -> OutboundRoute:
    """Read one route. Its secrets are never told."""
    return _tagged(response, await outbound_routes.get_outbound_route(database, route_id))


@router.put(
    "/routes/{route_id}",
    responses={
        200: {"headers": ETAG_HEADER},
        **refusals(
            "actor_not_allowed",
            "outbound_route_not_found",
            "already_exists",
            "precondition_failed",
        ),
    },
)
async def put_outbound_route(
    *,
    route_id: Uuid,
    order: PutOutboundRoute,
    caller: Annotated[Caller, Depends(RequireCommand("put_outbound_route"))],
    seen_revisions: SeenRevisionsIfAny,
    database: DatabaseDep,
    guard: GuardDep,
    response: Response,
) -> OutboundRoute:
    """Put another route in the place of one. No attempt begins by the old one after the answer.

    Disabled, it is given nothing, and what waits for it stays inside; enabled again, it gets what
    is committed from then on.
    """
    outbound_routes.refuse_inside(order.endpoint, guard)
    changed = await outbound_routes.put_outbound_route(
        database, caller, route_id, order, seen_revisions
    )
    return _tagged(response, changed)


@router.delete(
    "/routes/{route_id}",
    status_code=204,
    responses={
        202: {
            "description": "It is gone, but waiting for transactions that go by it took too long"
            " and was cut off: some may go on."
        },
        **refusals("actor_not_allowed", "outbound_route_not_found", "precondition_failed"),
    },
)
async def remove_outbound_route(
    *,
    route_id: Uuid,
    order: Annotated[RemoveOutboundRoute, Query()],
    caller: Annotated[Caller, Depends(RequireCommand("remove_outbound_route"))],
    seen_revisions: SeenRevisionsIfAny,
    database: DatabaseDep,
) -> Response:
    """Take a route away: no attempt begins after the answer. Attempts still name it."""
    is_over = await outbound_routes.remove_outbound_route(
        database, caller, route_id, order, seen_revisions
    )
    return Response(status_code=204 if is_over else 202)


@router.get("/attempts", summary="List attempts", dependencies=[Viewer])
async def list_attempts(
    query: Annotated[AttemptList, Query()], database: DatabaseDep
) -> AttemptPage:
    """List every attempt to send a message, the newest first; those on the wire have no outcome."""
    return await delivery.list_attempts(database, query)


@router.get("/dead-letters", summary="List dead letters", dependencies=[Viewer])
async def list_dead_letters(
    query: Annotated[DeadLetterList, Query()], database: DatabaseDep
) -> DeadLetterPage:
    """List messages that could not be delivered, with what the last attempt was answered."""
    return await delivery.list_dead_letters(database, query)


@router.post(
    "/dead-letters/replay",
    responses=refusals("actor_not_allowed", "outbound_route_not_found", "outbound_route_disabled"),
)
async def replay_dead_letters(
    order: ReplayDeadLetters,
    caller: Annotated[Caller, Depends(RequireCommand("replay_dead_letters"))],
    database: DatabaseDep,
) -> DeadLettersReplayed:
    """Send dead letters of one route again, from the first attempt on. A dry run counts them."""
    return await delivery.replay_dead_letters(database, caller, order)


@router.post(
    "/replay",
    responses=refusals("actor_not_allowed", "outbound_route_not_found", "outbound_route_disabled"),
)
async def replay_messages(
    order: ReplayMessages,
    caller: Annotated[Caller, Depends(RequireCommand("replay_messages"))],
    database: DatabaseDep,
) -> MessagesReplayed:
    """Send messages of a time range along one route, again or for the first time.

    Those that were written before the route was enabled, too. What a rollback cancelled never
    leaves. A dry run counts them.
    """
    return await delivery.replay_messages(database, caller, order)
