"""Snapshots of every surface, and what became of the surfaces between two of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import snapshots as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset, Position
from app.refusals.from_database import refusal_from_status
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.schemas.base import Page
from app.schemas.snapshots import (
    Comparison,
    Regression,
    Snapshot,
    SnapshotPage,
    SnapshotSummary,
    Surface,
    TakeSnapshot,
)
from app.security import Caller
from app.services.regression import changes_between
from app.vector_index import VectorIndex

_SNAPSHOTS = Keyset("snapshots", (datetime, UUID))
_NOT_BEFORE = InvalidField(
    location="query",
    pointer="/from",
    rule="order",
    detail="names a snapshot that was not taken before that of `to`",
)


async def take_snapshot(
    database: Database, index: VectorIndex | None, caller: Caller, order: TakeSnapshot
) -> Snapshot:
    """Keep what every surface is now. It looks at every row.

    All of the database is of one moment; the vector index, if there is one, is read before.

    Refuses with `actor_not_allowed` and `vector_index_unavailable`.
    """
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)
    outside = [] if index is None else [await index.surface()]

    async def work(tx: Transaction) -> tuple[dict[str, Any], Snapshot | None]:
        answer = await db.take_snapshot(tx, outside, order.reason, by)
        if answer["status"] != "ok":
            return answer, None
        return answer, await _snapshot(tx, UUID(answer["snapshot_id"]))

    answer, taken = await database.run(work, limits=BULK)
    if taken is None:
        raise refusal_from_status(answer)
    return taken


async def list_snapshots(database: Database, page: Page) -> SnapshotPage:
    """The snapshots, newest first."""
    position = _SNAPSHOTS.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.snapshots(tx, position, page.limit)

    found = _SNAPSHOTS.page(await database.run(work), page.limit, _position)
    return SnapshotPage(
        items=[SnapshotSummary(**row) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def get_snapshot(database: Database, snapshot_id: UUID) -> Snapshot:
    """One snapshot with its surfaces. Refuses with `snapshot_not_found`."""
    return await database.run(lambda tx: _snapshot(tx, snapshot_id))


async def compare_snapshots(database: Database, query: Comparison) -> Regression:
    """Every surface in two snapshots, and whether it is as expected.

    Refuses with `snapshot_not_found`, and with `invalid_input` what can't be expected and a `from`
    that is not before `to`.
    """

    async def work(tx: Transaction) -> tuple[Snapshot, Snapshot]:
        after = await _snapshot(tx, query.to or await _newest(tx))
        before = await _snapshot(tx, query.from_ or await _newest(tx, before=after))
        return before, after

    before, after = await database.run(work)
    if _place(before) >= _place(after):
        raise invalid_input([_NOT_BEFORE])
    changes = changes_between(_by_name(before), _by_name(after), query.expect)
    return Regression(
        before=_summary(before),
        after=_summary(after),
        holds=all(change.holds for change in changes),
        surfaces=changes,
    )


async def _snapshot(tx: Transaction, snapshot_id: UUID) -> Snapshot:
    row = await db.snapshot(tx, snapshot_id)
    if row is None:
        raise Refusal("snapshot_not_found", snapshot_id=str(snapshot_id))
    surfaces = [Surface(**surface) for surface in await db.surfaces(tx, snapshot_id)]
    return Snapshot(**row, surfaces=surfaces)


async def _newest(tx: Transaction, before: Snapshot | None = None) -> UUID:
    position = None if before is None else _place(before)
    found = await db.snapshots(tx, position, limit=1)
    if not found:
        raise Refusal("snapshot_not_found")
    snapshot_id: UUID = found[0]["snapshot_id"]
    return snapshot_id


def _place(snapshot: Snapshot) -> tuple[datetime, UUID]:
    return (snapshot.taken_at, snapshot.snapshot_id)


def _by_name(snapshot: Snapshot) -> dict[str, Surface]:
    return {surface.surface: surface for surface in snapshot.surfaces}


def _summary(snapshot: Snapshot) -> SnapshotSummary:
    return SnapshotSummary(**snapshot.model_dump(exclude={"surfaces"}))


def _position(row: Row) -> Position:
    return (row["taken_at"], row["snapshot_id"])
