"""Pieces: the wrappers of their functions, and reads of their views."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Text,
    Uuid,
    column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.engine import Transaction, jsonb
from app.db.examined import examined_page, examined_page_query
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

PIECE = table(
    "v_iu_piece",
    column("unit_id", Uuid),
    column("content_digest", Text),
    column("media_type", Text),
    column("title", Text),
    column("body", Text),
    column("life", Text),
    column("supersedes_unit_id", Uuid),
    column("superseded_by_unit_id", Uuid),
    column("axes", JSONB),
    column("created_by", Text),
    column("created_at", DateTime(timezone=True)),
    schema="iu_core",
)

PIECE_USE = table(
    "v_iu_piece_use",
    column("unit_id", Uuid),
    column("collection_id", Uuid),
    column("collection_key", Text),
    column("position", Integer),
    column("role", Text),
    column("template_key", Text),
    column("status", Text),
    schema="iu_core",
)

AXIS_LOG = table(
    "v_iu_unit_axis_log",
    column("axis_log_id", BigInteger),
    column("unit_id", Uuid),
    column("axes_before", JSONB),
    column("axes_after", JSONB),
    column("compositions", Integer),
    column("actor", Text),
    column("principal", Text),
    column("reason", Text),
    column("request_id", Uuid),
    column("occurred_at", DateTime(timezone=True)),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class PieceFilters:
    """Which pieces a list shows; None is no filter.

    `media_type` is as stored: lower case, without parameters. `title` is contained in the title,
    case does not matter. `axis` is the name of one that the piece carries.
    """

    life: str | None = None
    title: str | None = None
    media_type: str | None = None
    axis: str | None = None
    content_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """A content and its axes; in a revision None is: as it was."""

    media_type: str | None
    title: str | None
    body: str | None
    axes: Mapping[str, str] | None

    @property
    def arguments(self) -> tuple[object, ...]:
        """As the functions take them: p_media_type, p_title, p_body, p_axes."""
        axes = None if self.axes is None else jsonb(self.axes)
        return (self.media_type, self.title, self.body, axes)


async def create_piece(
    tx: Transaction, content: Content, life: str, by: Accountable
) -> dict[str, Any]:
    """Make a unit, or find the one with this content (fn_iu_piece_create)."""
    media_type, title, body, axes = content.arguments
    answer: dict[str, Any] = await tx.call(
        "fn_iu_piece_create", media_type, title, body, life, axes, *by.arguments
    )
    return answer


async def revise_piece(
    tx: Transaction, unit_id: UUID, changes: Content, reason: str | None, by: Accountable
) -> dict[str, Any]:
    """Make a unit that supersedes another (fn_iu_piece_revise)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_piece_revise", unit_id, *changes.arguments, reason, *by.arguments
    )
    return answer


async def change_life(
    tx: Transaction, unit_id: UUID, to_life: str, reason: str | None, by: Accountable
) -> dict[str, Any]:
    """Take a unit one step through its life (fn_iu_unit_lifecycle)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_unit_lifecycle", unit_id, to_life, reason, *by.arguments
    )
    return answer


async def put_axes(
    tx: Transaction, unit_id: UUID, axes: Mapping[str, str], reason: str | None, by: Accountable
) -> dict[str, Any]:
    """Give a unit other axes, and roll them up (fn_iu_unit_axes_put)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_unit_axes_put", unit_id, jsonb(axes), reason, *by.arguments
    )
    return answer


async def piece(tx: Transaction, unit_id: UUID) -> Row | None:
    """One unit with its body."""
    return row_of(await tx.row(select(PIECE).where(PIECE.c.unit_id == unit_id)))


async def pieces(
    tx: Transaction, filters: PieceFilters, position: tuple[Any, ...] | None, limit: int
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """One page of units without their bodies, newest first, and where the next page begins."""
    c = PIECE.c
    driven_by: list[ColumnElement[bool]] = []
    if filters.content_digest is not None:
        driven_by.append(c.content_digest == filters.content_digest)
    kept_if: list[ColumnElement[bool]] = []
    if filters.life is not None:
        kept_if.append(c.life == filters.life)
    if filters.title is not None:
        kept_if.append(c.title.icontains(filters.title, autoescape=True))
    if filters.media_type is not None:
        kept_if.append(c.media_type == filters.media_type)
    if filters.axis is not None:
        kept_if.append(c.axes.has_key(filters.axis))
    order = [c.created_at, c.unit_id]
    rows = await tx.rows(
        examined_page_query(
            [each for each in c if each is not c.body],
            order,
            driven_by=driven_by,
            kept_if=kept_if,
            position=position,
            limit=limit,
        )
    )
    return examined_page(rows, limit, order)


async def uses(
    tx: Transaction, unit_id: UUID, position: tuple[Any, ...] | None, limit: int
) -> list[Row]:
    """Where a unit stands, by collection and position; one row more if there are more."""
    c = PIECE_USE.c
    query = select(*(each for each in c if each is not c.unit_id)).where(c.unit_id == unit_id)
    order = [c.collection_key, c.collection_id, c.position]
    return rows_of(await tx.rows(page_query(query, order, position, limit)))


async def axes_history(
    tx: Transaction, unit_id: UUID, position: tuple[Any, ...] | None, limit: int
) -> list[Row]:
    """The changes of a unit's axes, newest first; one row more if there are more."""
    c = AXIS_LOG.c
    query = select(*(each for each in c if each is not c.unit_id)).where(c.unit_id == unit_id)
    return rows_of(
        await tx.rows(page_query(query, [c.axis_log_id], position, limit, descending=True))
    )
