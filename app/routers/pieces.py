"""`/pieces`: units of content, their life, and where they stand."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import Page, Uuid
from app.schemas.pieces import (
    AxesHistoryPage,
    ChangeLife,
    CreatedPiece,
    NewPiece,
    Piece,
    PieceList,
    PieceSummaryPage,
    PieceUsePage,
    PieceWithAxesPut,
    PutAxes,
    RevisePiece,
)
from app.security import Caller, Scope, require
from app.services import pieces

router = APIRouter(prefix="/pieces", tags=["pieces"], route_class=FactoryRoute)

VIEWER = Depends(require(Scope.VIEWER))
_MADE: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "The piece.", "schema": {"type": "string"}}}}
}
UnitId = Annotated[Uuid, Path(description="The piece's id.")]


def _created(response: Response, piece: CreatedPiece) -> CreatedPiece:
    if piece.known:
        response.status_code = 200
    else:
        response.headers["Location"] = f"/pieces/{piece.unit_id}"
    return piece


def _revised(response: Response, piece: Piece) -> Piece:
    response.headers["Location"] = f"/pieces/{piece.unit_id}"
    return piece


@router.get("", summary="List pieces", dependencies=[VIEWER])
async def list_pieces(
    query: Annotated[PieceList, Query()], database: DatabaseDep
) -> PieceSummaryPage:
    """List pieces without their bodies, newest first."""
    return await pieces.list_pieces(database, query)


@router.post(
    "",
    status_code=201,
    responses={
        **_MADE,
        200: {"model": CreatedPiece, "description": "The piece that has this content already."},
        **refusals("actor_not_allowed"),
    },
)
async def create_piece(
    order: NewPiece,
    caller: Annotated[Caller, Depends(RequireCommand("create_piece"))],
    database: DatabaseDep,
    response: Response,
) -> CreatedPiece:
    """Make a piece of content. Content that is known brings back the piece that is there.

    Known content is answered also at a closed gate, with the life and the axes that the piece has.
    """
    return _created(response, await pieces.create_piece(database, caller, order))


@router.get(
    "/{unit_id}",
    summary="Read a piece",
    dependencies=[VIEWER],
    responses=refusals("unit_not_found"),
)
async def get_piece(unit_id: UnitId, database: DatabaseDep) -> Piece:
    """Read one piece with its content."""
    return await pieces.get_piece(database, unit_id)


@router.get(
    "/{unit_id}/where-used",
    summary="List where a piece stands",
    dependencies=[VIEWER],
    responses=refusals("unit_not_found"),
)
async def list_piece_uses(
    unit_id: UnitId, page: Annotated[Page, Query()], database: DatabaseDep
) -> PieceUsePage:
    """List the templates and plain collections that a piece stands in, with the positions."""
    return await pieces.list_piece_uses(database, unit_id, page)


@router.post(
    "/{unit_id}/revise",
    status_code=201,
    responses={
        **_MADE,
        **refusals(
            "actor_not_allowed",
            "unit_not_found",
            "operation_state",
            "no_change",
            "already_exists",
        ),
    },
)
async def revise_piece(
    unit_id: UnitId,
    order: RevisePiece,
    caller: Annotated[Caller, Depends(RequireCommand("revise_piece"))],
    database: DatabaseDep,
    response: Response,
) -> Piece:
    """Make a new piece that supersedes this one, and has the life that it had.

    Templates keep the old piece until a next version takes the new one in. `already_exists` says
    that another piece has this content; its `key` is the content's digest.
    """
    return _revised(response, await pieces.revise_piece(database, caller, unit_id, order))


@router.post(
    "/{unit_id}/lifecycle",
    responses=refusals(
        "actor_not_allowed",
        "unit_not_found",
        "operation_state",
        "unit_in_use",
    ),
)
async def change_piece_life(
    unit_id: UnitId,
    order: ChangeLife,
    caller: Annotated[Caller, Depends(RequireCommand("change_piece_life"))],
    database: DatabaseDep,
) -> Piece:
    """Take a piece one step through its life: draft to active, and any but retired to retired.

    A piece that a current template uses is not retired. What has no version chain yet counts as
    current.
    """
    return await pieces.change_piece_life(database, caller, unit_id, order)


@router.put("/{unit_id}/axes", responses=refusals("actor_not_allowed", "unit_not_found"))
async def put_piece_axes(
    unit_id: UnitId,
    order: PutAxes,
    caller: Annotated[Caller, Depends(RequireCommand("put_piece_axes"))],
    database: DatabaseDep,
) -> PieceWithAxesPut:
    """Give a piece other axes, all of them at once. The same ones change nothing.

    Whatever the piece stands in, templates and instances, has them in its envelope when this is
    answered. Its content, and every digest, stays what it is.
    """
    return await pieces.put_piece_axes(database, caller, unit_id, order)


@router.get(
    "/{unit_id}/axes/history",
    summary="List what was done to a piece's axes",
    dependencies=[VIEWER],
    responses=refusals("unit_not_found"),
)
async def list_piece_axes_history(
    unit_id: UnitId, page: Annotated[Page, Query()], database: DatabaseDep
) -> AxesHistoryPage:
    """List every change of a piece's axes since it was made, the newest first."""
    return await pieces.list_piece_axes_history(database, unit_id, page)
