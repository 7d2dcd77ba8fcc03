"""Event types: what is known of the events that come in, and where messages of each go."""

from typing import Any

from app.canonical_json import canonical_json
from app.commands import elevated_scope
from app.db import event_rules as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.base import Page
from app.schemas.event_rules import PutType, Type, TypePage
from app.security import Caller
from app.services.judging import checked_schema
from app.services.outbound_drain import drain_outbound

_TYPES = Keyset("event types", (str,))


async def list_event_types(database: Database, page: Page) -> TypePage:
    """The event types, sorted by name."""
    position = _TYPES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.types(tx, position, page.limit)

    found = _TYPES.page(await database.run(work), page.limit, lambda row: (row["event_type"],))
    return TypePage(
        items=[Type(**row) for row in found.items], next_page_token=found.next_page_token
    )


async def get_event_type(database: Database, event_type: str) -> Type:
    """One event type. Refuses with `event_type_not_found`."""

    async def work(tx: Transaction) -> Row | None:
        return await db.event_type(tx, event_type)

    row = await database.run(work)
    if row is None:
        raise Refusal("event_type_not_found", event_type=event_type)
    return Type(**row)


async def put_event_type(
    database: Database, caller: Caller, event_type: str, order: PutType
) -> Type:
    """Register an event type, or change it; in force for every event that is taken afterwards.

    Refuses with `invalid_input` for a schema that is none, with `actor_not_allowed`, and with
    `forbidden` where somebody below admin asks for, or touches, the lane that leads outside.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)
    if order.data_schema is not None:
        checked_schema(order.data_schema, "/data_schema")
    new = db.TypeDefinition(
        event_type,
        order.delivery_lane,
        None if order.data_schema is None else canonical_json(order.data_schema),
        order.description,
        order.reason,
    )

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        before = await db.event_type(tx, event_type)
        if "live" in {order.delivery_lane, before and before["delivery_lane"]}:
            caller.need(elevated_scope("put_event_type"))
        return await db.put_type(tx, new, by), await db.event_type(tx, event_type)

    answer, row = await database.run(work, repeatable=True)
    if answer["status"] != "ok" or row is None:
        raise refusal_from_status(answer)
    return Type(**row, draining=not await drain_outbound(database))
