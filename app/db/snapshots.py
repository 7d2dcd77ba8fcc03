"""Snapshots of every surface: the wrapper of their function, and reads of their views."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Text, Uuid, column, select, table

from app.db.accountable import Accountable
from app.db.engine import Transaction, jsonb
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

SNAPSHOT = table(
    "v_iu_snapshot",
    column("snapshot_id", Uuid),
    column("taken_at", DateTime(timezone=True)),
    column("actor", Text),
    column("principal", Text),
    column("reason", Text),
    column("request_id", Uuid),
    column("schema_revision", Text),
    schema="iu_core",
)

SURFACE = table(
    "v_iu_snapshot_surface",
    column("snapshot_id", Uuid),
    column("surface", Text),
    column("row_count", BigInteger),
    column("digest", Text),
    schema="iu_core",
)

_ORDER = [SNAPSHOT.c.taken_at, SNAPSHOT.c.snapshot_id]


async def take_snapshot(
    tx: Transaction, outside: Sequence[Row], reason: str, by: Accountable
) -> dict[str, Any]:
    """Keep what every surface is now (fn_iu_snapshot_take).

    `outside` are those that are not in the database, with `surface`, `row_count` and `digest`.
    """
    answer: dict[str, Any] = await tx.call(
        "fn_iu_snapshot_take", jsonb(outside), reason, *by.arguments
    )
    return answer


async def snapshots(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The snapshots, newest first, and one more than the page when there are more."""
    query = page_query(select(SNAPSHOT), _ORDER, position, limit, descending=True)
    return rows_of(await tx.rows(query))


async def snapshot(tx: Transaction, snapshot_id: UUID) -> Row | None:
    """One snapshot, or None."""
    return row_of(await tx.row(select(SNAPSHOT).where(SNAPSHOT.c.snapshot_id == snapshot_id)))


async def surfaces(tx: Transaction, snapshot_id: UUID) -> list[Row]:
    """What every surface was then, by name."""
    query = select(SURFACE.c.surface, SURFACE.c.row_count, SURFACE.c.digest)
    return rows_of(
        await tx.rows(query.where(SURFACE.c.snapshot_id == snapshot_id).order_by(SURFACE.c.surface))
    )
