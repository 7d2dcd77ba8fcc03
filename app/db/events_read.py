"""Reads over the events that were taken in, and over what came of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    Select,
    Text,
    Uuid,
    cast,
    column,
    exists,
    func,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

from app.db.engine import Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

_TIME = DateTime(timezone=True)
_UNFINISHED = ("refused", "pending")

MOST_BYTES = 8 * 1024 * 1024
"""Of the contents of a page of events. Read from JSON, they take several times as much memory."""

_AT_A_TIME = 32  # events, of up to 1 MiB each

EVENT = table(
    "v_iu_event",
    column("event_id", Uuid),
    column("received_at", _TIME),
    column("source", Text),
    column("cloudevent_id", Text),
    column("event_type", Text),
    column("depth", Integer),
    column("is_inert", Boolean),
    column("channel", Text),
    column("actor", Text),
    column("principal", Text),
    column("request_id", Uuid),
    column("rules_revision", BigInteger),
    column("content_digest", Text),
    column("content", JSON),
    column("travelled", JSON),
    column("not_matched", JSON),
    schema="iu_core",
)
RESULT = table(
    "v_iu_event_result",
    column("event_id", Uuid),
    column("route_id", Uuid),
    column("route_key", Text),
    column("outcome", Text),
    column("code", Text),
    column("instance_collection_id", Uuid),
    column("template", Text),
    column("suffix", Text),
    column("details", JSONB),
    column("fired_at", _TIME),
    column("firings", Integer),
    column("is_removed", Boolean),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class EventFilters:
    """What a list of events is narrowed by; None: by nothing.

    `event_type_prefix` is how their types begin. `unfinished`: only those of which some route that
    is still there was refused, or is pending.
    """

    source: str | None = None
    event_type: str | None = None
    event_type_prefix: str | None = None
    received_from: datetime | None = None
    received_to: datetime | None = None
    unfinished: bool = False


async def events(
    tx: Transaction,
    filters: EventFilters,
    position: Sequence[Any] | None,
    limit: int,
    *,
    newest_first: bool = True,
) -> tuple[list[Row], int]:
    """Events by time, and how many of them make the page; one more where there are more.

    The page ends at `limit` events, or with the one that makes MOST_BYTES of content full.
    """
    found: list[Row] = []
    size = 0
    while len(found) <= limit:
        portion = min(_AT_A_TIME, limit + 1 - len(found))
        query = page_query(
            _filtered(filters),
            [EVENT.c.received_at, EVENT.c.event_id],
            position,
            portion - 1,
            descending=newest_first,
        )
        rows = rows_of(await tx.rows(query))
        for row in rows:
            found.append(row)
            if size >= MOST_BYTES:
                return found, len(found) - 1
            size += row["size"]
        if len(rows) < portion:
            break
        position = (found[-1]["received_at"], found[-1]["event_id"])
    return found, limit


async def event(tx: Transaction, event_id: UUID) -> Row | None:
    """One event, or None."""
    return row_of(await tx.row(select(EVENT).where(EVENT.c.event_id == event_id)))


async def results(tx: Transaction, event_ids: Collection[UUID]) -> list[Row]:
    """What came of the routes of these events, by event and route.

    `rolled_back_at` is when what was composed was rolled back; None: it is there.
    """
    query = (
        select(RESULT)
        .where(RESULT.c.event_id.in_(event_ids))
        .order_by(RESULT.c.event_id, RESULT.c.route_key, RESULT.c.route_id)
    )
    rows = rows_of(await tx.rows(query))
    made = [row["instance_collection_id"] for row in rows if row["instance_collection_id"]]
    gone = await tx.call("fn_iu_rolled_back", made)
    return [{**row, "rolled_back_at": gone.get(str(row["instance_collection_id"]))} for row in rows]


def _filtered(filters: EventFilters) -> Select[Any]:
    query = select(EVENT, func.octet_length(cast(EVENT.c.content, Text)).label("size"))
    if filters.source is not None:
        query = query.where(EVENT.c.source == filters.source)
    if filters.event_type is not None:
        query = query.where(EVENT.c.event_type == filters.event_type)
    if filters.event_type_prefix is not None:
        query = query.where(
            EVENT.c.event_type.startswith(filters.event_type_prefix, autoescape=True)
        )
    if filters.received_from is not None:
        query = query.where(EVENT.c.received_at >= filters.received_from)
    if filters.received_to is not None:
        query = query.where(EVENT.c.received_at < filters.received_to)
    if filters.unfinished:
        query = query.where(
            exists().where(
                RESULT.c.event_id == EVENT.c.event_id,
                RESULT.c.outcome.in_(_UNFINISHED),
                RESULT.c.is_removed.is_(False),
            )
        )
    return query
