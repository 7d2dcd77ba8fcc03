"""Pieces: making them, revising them, taking them through their life (design, §2 and §15)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import pieces as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.pieces import Content, PieceFilters
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.base import Page
from app.schemas.pieces import (
    AxesChange,
    AxesHistoryPage,
    ChangeLife,
    CreatedPiece,
    NewPiece,
    Piece,
    PieceList,
    PieceSummary,
    PieceSummaryPage,
    PieceUse,
    PieceUsePage,
    PieceWithAxesPut,
    PutAxes,
    RevisePiece,
)
from app.security import Caller
from app.services.placeholders import refuse_flaws, variables_of

_PIECES = Keyset("pieces", (datetime, UUID))
_USES = Keyset("piece uses", (str, UUID, int))
_AXES_HISTORY = Keyset("piece axes history", (int,))


async def list_pieces(database: Database, query: PieceList) -> PieceSummaryPage:
    """Pieces, newest first."""
    filters = PieceFilters(
        life=query.life,
        title=query.title,
        media_type=None if query.media_type is None else _bare(query.media_type),
        axis=query.axis,
        content_digest=query.content_digest,
    )
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _PIECES.position(query.page_token, within)

    async def work(tx: Transaction) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
        return await db.pieces(tx, filters, position, query.limit)

    rows, after = await database.run(work)
    return PieceSummaryPage(
        items=[PieceSummary(**row) for row in rows],
        next_page_token=None if after is None else _PIECES.token(after, within),
    )


async def get_piece(database: Database, unit_id: UUID) -> Piece:
    """One piece. Refuses with `unit_not_found`."""

    async def work(tx: Transaction) -> Piece:
        return _piece(await _existing(tx, unit_id))

    return await database.run(work)


async def list_piece_uses(database: Database, unit_id: UUID, page: Page) -> PieceUsePage:
    """Where a piece stands, by collection. Refuses with `unit_not_found`."""
    within = {"unit": unit_id}
    position = _USES.position(page.page_token, within)

    async def work(tx: Transaction) -> list[Row]:
        await _existing(tx, unit_id)
        return await db.uses(tx, unit_id, position, page.limit)

    found = _USES.page(await database.run(work), page.limit, _place, within)
    return PieceUsePage(
        items=[PieceUse(**row) for row in found.items], next_page_token=found.next_page_token
    )


async def create_piece(database: Database, caller: Caller, order: NewPiece) -> CreatedPiece:
    """Make a piece, or find the one that has this content already.

    Refuses with `piece_write_gate_closed` for content that is not known, with `invalid_input` for
    placeholders that can't be filled whatever the data, and with `actor_not_allowed`.
    """
    by = _accountable(caller, order.actor)
    refuse_flaws(_bare(order.media_type), order.body)
    content = Content(order.media_type, order.title, order.body, order.axes)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        return await _with_piece(tx, await db.create_piece(tx, content, order.life, by))

    # Whose COMMIT was lost finds the content known.
    answer, row = await database.run(work, repeatable=True)
    if row is None:
        raise refusal_from_status(answer)
    return CreatedPiece(
        **row,
        variables=variables_of(row["media_type"], row["body"]),
        known=answer["known"],
        warnings=answer["warnings"],
    )


async def revise_piece(
    database: Database, caller: Caller, unit_id: UUID, order: RevisePiece
) -> Piece:
    """Make a piece that supersedes this one; templates keep the old one.

    Refuses with `piece_write_gate_closed`, `unit_not_found`, `operation_state`, `no_change`,
    `already_exists`, `invalid_input` for placeholders that can't be filled whatever the data, and
    `actor_not_allowed`.
    """
    by = _accountable(caller, order.actor)
    changes = Content(order.media_type, order.title, order.body, order.axes)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.revise_piece(tx, unit_id, changes, order.reason, by)
        answer, row = await _with_piece(tx, answer)
        if row is not None:
            refuse_flaws(row["media_type"], row["body"])
        return answer, row

    return _granted(*await database.run(work))


async def change_piece_life(
    database: Database, caller: Caller, unit_id: UUID, order: ChangeLife
) -> Piece:
    """Take a piece one step through its life.

    Refuses with `lifecycle_gate_closed`, `unit_not_found`, `operation_state`, `unit_in_use` and
    `actor_not_allowed`.
    """
    by = _accountable(caller, order.actor)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.change_life(tx, unit_id, order.to_life, order.reason, by)
        return await _with_piece(tx, answer)

    return _granted(*await database.run(work))


async def put_piece_axes(
    database: Database, caller: Caller, unit_id: UUID, order: PutAxes
) -> PieceWithAxesPut:
    """Give a piece other axes, and roll up every composition that it stands in.

    Refuses with `piece_write_gate_closed`, `envelope_refresh_gate_closed`, `unit_not_found` and
    `actor_not_allowed`.
    """
    by = _accountable(caller, order.actor)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        return await _with_piece(tx, await db.put_axes(tx, unit_id, order.axes, order.reason, by))

    # Whose COMMIT was lost finds the axes put.
    answer, row = await database.run(work, repeatable=True)
    if row is None:
        raise refusal_from_status(answer)
    return PieceWithAxesPut(
        **row,
        variables=variables_of(row["media_type"], row["body"]),
        changed=answer["changed"],
        compositions_refreshed=answer["compositions"],
    )


async def list_piece_axes_history(database: Database, unit_id: UUID, page: Page) -> AxesHistoryPage:
    """The changes of a piece's axes, newest first. Refuses with `unit_not_found`."""
    within = {"unit": unit_id}
    position = _AXES_HISTORY.position(page.page_token, within)

    async def work(tx: Transaction) -> list[Row]:
        await _existing(tx, unit_id)
        return await db.axes_history(tx, unit_id, position, page.limit)

    found = _AXES_HISTORY.page(
        await database.run(work), page.limit, lambda row: (row["axis_log_id"],), within
    )
    return AxesHistoryPage(
        items=[AxesChange(**row) for row in found.items], next_page_token=found.next_page_token
    )


async def _with_piece(tx: Transaction, answer: dict[str, Any]) -> tuple[dict[str, Any], Row | None]:
    if answer["status"] != "ok":
        return answer, None
    return answer, await db.piece(tx, UUID(answer["unit_id"]))


def _granted(answer: Mapping[str, Any], row: Row | None) -> Piece:
    if row is None:
        raise refusal_from_status(answer)
    return _piece(row)


def _piece(row: Row) -> Piece:
    return Piece(**row, variables=variables_of(row["media_type"], row["body"]))


async def _existing(tx: Transaction, unit_id: UUID) -> Row:
    row = await db.piece(tx, unit_id)
    if row is None:
        raise Refusal("unit_not_found", units=[str(unit_id)])
    return row


def _accountable(caller: Caller, actor: str | None) -> Accountable:
    return Accountable(caller.act_as(actor), caller.principal, caller.request_id)


def _bare(media_type: str) -> str:
    """As it is stored (fn_iu_media_type); the wire's grammar leaves nothing else to normalise."""
    return media_type.partition(";")[0].strip(" \t").lower()


def _place(row: Row) -> tuple[Any, ...]:
    return (row["collection_key"], row["collection_id"], row["position"])
