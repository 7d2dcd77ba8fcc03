"""What events are judged by: types, routes, sources. One wrapper per function, reads over views."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text, Uuid, column, select, table
from sqlalchemy.dialects.postgresql import JSON

from app.db.accountable import Accountable
from app.db.engine import Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

_TIME = DateTime(timezone=True)

RULES = table(
    "v_iu_event_rules",
    column("revision", BigInteger),
    column("unknown_event_types", Text),
    schema="iu_core",
)
TYPE = table(
    "v_iu_event_type",
    column("event_type", Text),
    column("version", Integer),
    column("delivery_lane", Text),
    column("domain", Text),
    column("description", Text),
    column("data_schema", JSON),
    column("created_at", _TIME),
    column("updated_at", _TIME),
    column("updated_by", Text),
    column("reason", Text),
    schema="iu_core",
)
ROUTE = table(
    "v_iu_event_route",
    column("route_id", Uuid),
    column("route_key", Text),
    column("revision", BigInteger),
    column("enabled", Boolean),
    column("event_type_pattern", Text),
    column("filter", Text),
    column("template", Text),
    column("suffix", Text),
    column("mapping", JSON),
    column("emit_mode", Text),
    column("actor", Text),
    column("allowed_actors", Text),
    column("principal", Text),
    column("description", Text),
    column("created_at", _TIME),
    column("updated_at", _TIME),
    column("updated_by", Text),
    column("reason", Text),
    schema="iu_core",
)
SOURCE = table(
    "v_iu_event_source",
    column("source_name", Text),
    column("enabled", Boolean),
    column("signature", Text),
    column("signature_header", Text),
    column("secret_count", Integer),
    column("source", Text),
    column("id_from", JSON),
    column("type_from", JSON),
    column("actor", Text),
    column("principal", Text),
    column("description", Text),
    column("created_at", _TIME),
    column("updated_at", _TIME),
    column("updated_by", Text),
    column("reason", Text),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class RouteDefinition:
    """A route as it is put, in the order of the function's arguments. `mapping` is JSON text."""

    route_key: str
    enabled: bool
    event_type_pattern: str
    filter: str | None
    template: str
    suffix: str | None
    mapping: str | None
    emit_mode: str
    route_actor: str
    allowed_actors: str | None
    description: str
    reason: str


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """An event type as it is put, in the order of the function's arguments.

    `data_schema` is RFC 8785 text.
    """

    event_type: str
    delivery_lane: str
    data_schema: str | None
    description: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceDefinition:
    """A source of webhooks as it is put, in the order of the function's arguments.

    `secrets` None keeps those that are there; `id_from` and `type_from` are JSON texts.
    """

    source_name: str
    enabled: bool
    signature: str
    signature_header: str | None
    secrets: list[str] | None
    source: str
    id_from: str | None
    type_from: str | None
    source_actor: str
    description: str
    reason: str


async def put_route(
    tx: Transaction,
    route_id: UUID | None,
    seen_revisions: list[int] | None,
    route: RouteDefinition,
    by: Accountable,
) -> dict[str, Any]:
    """Make a route (None), or put another in its place (fn_iu_event_route_put)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_event_route_put", route_id, seen_revisions, *astuple(route), *by.arguments
    )
    return answer


async def remove_route(
    tx: Transaction,
    route_id: UUID,
    seen_revisions: list[int] | None,
    reason: str,
    by: Accountable,
) -> dict[str, Any]:
    """Take a route away (fn_iu_event_route_remove)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_event_route_remove", route_id, seen_revisions, reason, *by.arguments
    )
    return answer


async def put_type(tx: Transaction, new: TypeDefinition, by: Accountable) -> dict[str, Any]:
    """Register an event type, or change it (fn_iu_event_type_put)."""
    answer: dict[str, Any] = await tx.call("fn_iu_event_type_put", *astuple(new), *by.arguments)
    return answer


async def put_source(tx: Transaction, new: SourceDefinition, by: Accountable) -> dict[str, Any]:
    """Make a source of webhooks, or change it (fn_iu_event_source_put)."""
    answer: dict[str, Any] = await tx.call("fn_iu_event_source_put", *astuple(new), *by.arguments)
    return answer


async def source_with_secrets(tx: Transaction, name: str) -> dict[str, Any] | None:
    """A source with what its signatures are made with (fn_iu_event_source_lookup), or None."""
    found: dict[str, Any] | None = await tx.call("fn_iu_event_source_lookup", name)
    return found


async def rules(tx: Transaction) -> tuple[Row, list[Row], list[Row]]:
    """The edition in force, the types, and the routes that are enabled.

    Read in this order: what is newer than the edition that it is taken for is judged again, when
    the edition turns out to be over; what is older would stay.
    """
    edition = row_of(await tx.row(select(RULES)))
    if edition is None:
        raise AssertionError("the edition of the rules is a row that is always there")
    types = rows_of(await tx.rows(select(TYPE)))
    routes = rows_of(
        await tx.rows(select(ROUTE).where(ROUTE.c.enabled).order_by(ROUTE.c.route_key))
    )
    return edition, types, routes


async def types(tx: Transaction, position: Sequence[Any] | None, limit: int) -> list[Row]:
    """The event types by name, and one row more than the page when there are more."""
    return rows_of(await tx.rows(page_query(select(TYPE), [TYPE.c.event_type], position, limit)))


async def event_type(tx: Transaction, name: str) -> Row | None:
    """One event type, or None."""
    return row_of(await tx.row(select(TYPE).where(TYPE.c.event_type == name)))


async def routes(tx: Transaction, position: Sequence[Any] | None, limit: int) -> list[Row]:
    """The routes by key, and one row more than the page when there are more."""
    return rows_of(await tx.rows(page_query(select(ROUTE), [ROUTE.c.route_key], position, limit)))


async def route(tx: Transaction, route_id: UUID) -> Row | None:
    """One route, or None."""
    return row_of(await tx.row(select(ROUTE).where(ROUTE.c.route_id == route_id)))


async def sources(tx: Transaction, position: Sequence[Any] | None, limit: int) -> list[Row]:
    """The sources by name, and one row more than the page when there are more."""
    return rows_of(
        await tx.rows(page_query(select(SOURCE), [SOURCE.c.source_name], position, limit))
    )


async def source(tx: Transaction, name: str) -> Row | None:
    """One source, or None."""
    return row_of(await tx.row(select(SOURCE).where(SOURCE.c.source_name == name)))
