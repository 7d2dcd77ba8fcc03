"""Delivery: routes that lead outside, and what was sent along them. One wrapper per function."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text, Uuid, column, select, table
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

CLAIM = "SELECT * FROM iu_core.fn_iu_delivery_claim($1, $2, $3, $4, $5, $6)"
FINISH = "SELECT * FROM iu_core.fn_iu_delivery_finish($1, $2, $3, $4, $5, $6, $7, $8, $9)"

_TIME = DateTime(timezone=True)

ROUTE = table(
    "v_iu_outbound_route",
    column("route_id", Uuid),
    column("route_name", Text),
    column("revision", BigInteger),
    column("enabled", Boolean),
    column("enabled_at", _TIME),
    column("event_type_pattern", Text),
    column("endpoint", Text),
    column("secret_count", Integer),
    column("description", Text),
    column("disabled_by_answer", _TIME),
    column("is_live", Boolean),
    column("created_at", _TIME),
    column("updated_at", _TIME),
    column("updated_by", Text),
    column("reason", Text),
    schema="iu_core",
)
ATTEMPT = table(
    "v_iu_route_attempt",
    column("attempt_id", Uuid),
    column("message_id", Uuid),
    column("subject_id", Uuid),
    column("route_id", Uuid),
    column("route_name", Text),
    column("event_type", Text),
    column("sequence", Integer),
    column("attempt", Integer),
    column("started_at", _TIME),
    column("ended_at", _TIME),
    column("took_ms", Integer),
    column("outcome", Text),
    column("http_status", Integer),
    column("error", Text),
    column("detail", Text),
    column("answer", Text),
    column("worker", Text),
    schema="iu_core",
)
DEAD_LETTER = table(
    "v_iu_route_dead_letter",
    column("message_id", Uuid),
    column("subject_id", Uuid),
    column("route_id", Uuid),
    column("route_name", Text),
    column("event_type", Text),
    column("dead_at", _TIME),
    column("attempts", Integer),
    column("replayed_at", _TIME),
    column("replayed_by", Text),
    column("attempt_id", Uuid),
    column("http_status", Integer),
    column("error", Text),
    column("detail", Text),
    column("answer", Text),
    column("payload", JSONB),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class RouteDefinition:
    """An outbound route as it is put, in the order of the function's arguments.

    `secrets` None keeps those that are there.
    """

    route_name: str
    enabled: bool
    event_type_pattern: str
    endpoint: str
    secrets: list[str] | None
    description: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended, in the order of fn_iu_delivery_finish's arguments."""

    subject_id: UUID
    attempt_id: UUID
    outcome: str
    http_status: int | None
    error: str | None
    detail: str
    answer: str
    took_ms: int
    retry_after_s: int | None


@dataclass(frozen=True, slots=True)
class DeadLetterReplay:
    """Which dead letters are due again, in the order of the function's arguments.

    `message_ids`, `died_from` and `died_to` None narrow nothing.
    """

    route_id: UUID
    message_ids: list[UUID] | None
    died_from: datetime | None
    died_to: datetime | None
    limit: int
    dry_run: bool
    reason: str


@dataclass(frozen=True, slots=True)
class MessageReplay:
    """Which messages are due along a route, in the order of the function's arguments.

    `event_type` None: all that the route is for. `after_…` is where the last call ended.
    """

    route_id: UUID
    written_from: datetime
    written_to: datetime
    event_type: str | None
    delivered: bool
    after_at: datetime | None
    after_id: UUID | None
    limit: int
    dry_run: bool
    reason: str


async def put_route(
    tx: Transaction,
    route_id: UUID | None,
    seen_revisions: list[int] | None,
    route: RouteDefinition,
    by: Accountable,
) -> dict[str, Any]:
    """Make a route (None), or put another in its place (fn_iu_outbound_route_put)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_outbound_route_put", route_id, seen_revisions, *astuple(route), *by.arguments
    )
    return answer


async def remove_route(
    tx: Transaction,
    route_id: UUID,
    seen_revisions: list[int] | None,
    reason: str,
    by: Accountable,
) -> dict[str, Any]:
    """Take a route away (fn_iu_outbound_route_remove)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_outbound_route_remove", route_id, seen_revisions, reason, *by.arguments
    )
    return answer


async def routes(tx: Transaction, position: Sequence[Any] | None, limit: int) -> list[Row]:
    """The routes by name, and one row more than the page when there are more."""
    return rows_of(await tx.rows(page_query(select(ROUTE), [ROUTE.c.route_name], position, limit)))


async def route(tx: Transaction, route_id: UUID) -> Row | None:
    """One route, or None."""
    return row_of(await tx.row(select(ROUTE).where(ROUTE.c.route_id == route_id)))


async def attempts(
    tx: Transaction, filters: Mapping[str, Any], position: Sequence[Any] | None, limit: int
) -> list[Row]:
    """Attempts, the newest first, and one row more than the page when there are more.

    `filters` are values of columns; those that are None narrow nothing.
    """
    query = select(ATTEMPT)
    for name, value in filters.items():
        if value is not None:
            query = query.where(ATTEMPT.c[name] == value)
    order = [ATTEMPT.c.started_at, ATTEMPT.c.attempt_id]
    return rows_of(await tx.rows(page_query(query, order, position, limit, descending=True)))


async def dead_letters(
    tx: Transaction,
    route_id: UUID | None,
    position: Sequence[Any] | None,
    limit: int,
    *,
    replayed: bool,
) -> list[Row]:
    """Dead letters, the newest first, and one row more than the page when there are more."""
    query = select(DEAD_LETTER)
    if route_id is not None:
        query = query.where(DEAD_LETTER.c.route_id == route_id)
    if not replayed:
        query = query.where(DEAD_LETTER.c.replayed_at.is_(None))
    order = [DEAD_LETTER.c.dead_at, DEAD_LETTER.c.message_id, DEAD_LETTER.c.route_id]
    return rows_of(await tx.rows(page_query(query, order, position, limit, descending=True)))


async def replay_dead_letters(
    tx: Transaction, replay: DeadLetterReplay, by: Accountable
) -> dict[str, Any]:
    """Make dead letters due again (fn_iu_dead_letters_replay)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_dead_letters_replay", *astuple(replay), *by.arguments
    )
    return answer


async def replay_messages(
    tx: Transaction, replay: MessageReplay, by: Accountable
) -> dict[str, Any]:
    """Make messages of a time range due along a route (fn_iu_delivery_replay)."""
    answer: dict[str, Any] = await tx.call("fn_iu_delivery_replay", *astuple(replay), *by.arguments)
    return answer


async def boundary(tx: Transaction) -> dict[str, Any]:
    """What keeps messages inside (fn_iu_boundary)."""
    told: dict[str, Any] = await tx.call("fn_iu_boundary")
    return told


async def drain_routes(tx: Transaction) -> None:
    """Wait for those who go by the routes as they were (fn_iu_outbound_routes_drain)."""
    await tx.call("fn_iu_outbound_routes_drain")


async def on_the_wire(tx: Transaction) -> int:
    """How many attempts have begun and not ended (fn_iu_delivery_on_the_wire)."""
    count: int = await tx.call("fn_iu_delivery_on_the_wire")
    return count


async def probe_boundary(tx: Transaction) -> dict[str, Any]:
    """What a message would cause, tried and undone (fn_iu_boundary_probe)."""
    told: dict[str, Any] = await tx.call("fn_iu_boundary_probe")
    return told


async def claim(
    database: Database,
    worker: str,
    busy: Mapping[UUID, int],
    *,
    per_route: int,
    most: int,
    lease_s: int,
) -> list[dict[str, Any]]:
    """Claim messages that are to be sent now (fn_iu_delivery_claim), committed."""
    rows = await database.fetch(
        CLAIM, worker, list(busy), list(busy.values()), per_route, most, lease_s
    )
    return [dict(row) for row in rows]


async def finish(database: Database, ended: Sequence[Ended]) -> list[str | None]:
    """Write down how attempts ended (fn_iu_delivery_finish), committed.

    For each, what has become of its message by it; None: nothing. Safe to send again.
    """
    columns = zip(*(astuple(one) for one in ended), strict=True)
    rows = await database.fetch(FINISH, *map(list, columns))
    return [row["state"] for row in rows]
