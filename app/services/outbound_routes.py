"""Outbound routes: where messages go, and with which keys they are signed."""

from typing import Any
from uuid import UUID

from app.db import delivery as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.delivery.addresses import Guard
from app.delivery.endpoint import endpoint_refusal, read_endpoint
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.schemas.base import Page
from app.schemas.delivery import (
    OutboundRoute,
    OutboundRoutePage,
    PutOutboundRoute,
    RemoveOutboundRoute,
)
from app.security import Caller
from app.services.outbound_drain import drain_outbound

_ROUTES = Keyset("outbound routes", (str,))


async def list_outbound_routes(database: Database, page: Page) -> OutboundRoutePage:
    """The routes, sorted by name."""
    position = _ROUTES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.routes(tx, position, page.limit)

    found = _ROUTES.page(await database.run(work), page.limit, lambda row: (row["route_name"],))
    return OutboundRoutePage(
        items=[_route(row) for row in found.items], next_page_token=found.next_page_token
    )


async def get_outbound_route(database: Database, route_id: UUID) -> OutboundRoute:
    """One route. Refuses with `outbound_route_not_found`."""

    async def work(tx: Transaction) -> Row | None:
        return await db.route(tx, route_id)

    row = await database.run(work)
    if row is None:
        raise Refusal("outbound_route_not_found", route=str(route_id))
    return _route(row)


def refuse_inside(endpoint: str, guard: Guard) -> None:
    """Refuse with `invalid_input` an endpoint that may not be sent to, as far as its URL tells."""
    refusal = endpoint_refusal(read_endpoint(endpoint), guard, allow_http=False)
    if refusal is not None:
        detail = f"{refusal}; FACTORY_DELIVERY_ALLOW allows networks"
        wrong = InvalidField(location="body", pointer="/endpoint", rule="endpoint", detail=detail)
        raise invalid_input([wrong])


async def put_outbound_route(
    database: Database,
    caller: Caller,
    route_id: UUID | None,
    order: PutOutboundRoute,
    seen_revisions: list[int] | None,
) -> OutboundRoute:
    """Make a route (None), or put another in its place; in force for all that is committed after.

    Refuses with `invalid_input`, `already_exists`, `actor_not_allowed`, `outbound_route_not_found`
    and `precondition_failed`.
    """
    new = db.RouteDefinition(
        route_name=order.name,
        enabled=order.enabled,
        event_type_pattern=order.event_type,
        endpoint=order.endpoint,
        secrets=order.secrets,
        description=order.description,
        reason=order.reason,
    )
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.put_route(tx, route_id, seen_revisions, new, by)
        made = answer.get("route_id")
        return answer, None if made is None else await db.route(tx, UUID(made))

    answer, row = await database.run(work)
    if row is None:
        raise refusal_from_status(answer)
    return _route(row, draining=not await drain_outbound(database))


async def remove_outbound_route(
    database: Database,
    caller: Caller,
    route_id: UUID,
    order: RemoveOutboundRoute,
    seen_revisions: list[int] | None,
) -> bool:
    """Take a route away; whether it is certain that no attempt begins afterwards.

    Refuses with `outbound_route_not_found`, `precondition_failed` and `actor_not_allowed`.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.remove_route(tx, route_id, seen_revisions, order.reason, by)

    answer = await database.run(work)
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return await drain_outbound(database)


def _route(row: Row, *, draining: bool = False) -> OutboundRoute:
    members = {name: row[name] for name in OutboundRoute.model_fields if name in row}
    return OutboundRoute(
        **members,
        name=row["route_name"],
        event_type=row["event_type_pattern"],
        live=row["is_live"],
        draining=draining,
    )
