"""Event routes: which events compose from which template, and what a draft would do."""

from typing import Any
from uuid import UUID

from app.canonical_json import canonical_json
from app.db import event_rules as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.errors import Refusal
from app.json_pointer import pointer
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.schemas.base import Page
from app.schemas.event_rules import PutRoute, RemoveRoute, Route, RoutePage
from app.security import Caller
from app.services.event_rules import flaws_of

_ROUTES = Keyset("event routes", (str,))


async def list_event_routes(database: Database, page: Page) -> RoutePage:
    """The routes, sorted by key."""
    position = _ROUTES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.routes(tx, position, page.limit)

    found = _ROUTES.page(await database.run(work), page.limit, lambda row: (row["route_key"],))
    return RoutePage(
        items=[_route(row) for row in found.items], next_page_token=found.next_page_token
    )


async def get_event_route(database: Database, route_id: UUID) -> Route:
    """One route. Refuses with `event_route_not_found`."""
    return _route(await find_route(database, route_id))


async def create_event_route(database: Database, caller: Caller, order: PutRoute) -> Route:
    """Make a route; in force for every event that is taken afterwards.

    Refuses with `invalid_input` for expressions that are none, `actor_not_allowed` for an actor
    that its maker may not act as, and `already_exists`.
    """
    return await _put(database, caller, None, None, order)


async def put_event_route(
    database: Database,
    caller: Caller,
    route_id: UUID,
    order: PutRoute,
    seen_revisions: list[int] | None,
) -> Route:
    """Put another route in the place of one.

    Refuses as making one does, and with `event_route_not_found` and `precondition_failed`.
    """
    return await _put(database, caller, route_id, seen_revisions, order)


async def remove_event_route(
    database: Database,
    caller: Caller,
    route_id: UUID,
    order: RemoveRoute,
    seen_revisions: list[int] | None,
) -> None:
    """Take a route away.

    Refuses with `event_route_not_found`, `precondition_failed` and `actor_not_allowed`.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.remove_route(tx, route_id, seen_revisions, order.reason, by)

    answer = await database.run(work)
    if answer["status"] != "ok":
        raise refusal_from_status(answer)


async def find_route(database: Database, route_id: UUID) -> Row:
    """The row of a route. Refuses with `event_route_not_found`."""

    async def work(tx: Transaction) -> Row | None:
        return await db.route(tx, route_id)

    row = await database.run(work)
    if row is None:
        raise Refusal("event_route_not_found", route=str(route_id))
    return row


async def _put(
    database: Database,
    caller: Caller,
    route_id: UUID | None,
    seen_revisions: list[int] | None,
    order: PutRoute,
) -> Route:
    actor = caller.act_as(order.actor)
    _check(order)
    new = db.RouteDefinition(
        route_key=order.key,
        enabled=order.enabled,
        event_type_pattern=order.event_type,
        filter=order.filter,
        template=order.template,
        suffix=order.suffix,
        mapping=None if order.mapping is None else canonical_json(order.mapping),
        emit_mode=order.emit_mode,
        route_actor=actor,
        allowed_actors=caller.allowed_actors,
        description=order.description,
        reason=order.reason,
    )
    by = Accountable(actor, caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.put_route(tx, route_id, seen_revisions, new, by)
        made = answer.get("route_id")
        return answer, None if made is None else await db.route(tx, UUID(made))

    answer, row = await database.run(work)
    if row is None:
        raise refusal_from_status(answer)
    return _route(row)


def _check(order: PutRoute) -> None:
    errors = [
        InvalidField(location="body", pointer=pointer(place), rule="expression", detail=detail)
        for place, detail in flaws_of(order.filter, order.suffix, order.mapping)
    ]
    if errors:
        raise invalid_input(errors)


def _route(row: Row) -> Route:
    members = {name: row[name] for name in Route.model_fields if name in row}
    return Route(**members, key=row["route_key"], event_type=row["event_type_pattern"])
