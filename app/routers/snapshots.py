"""`/observability/snapshots` and `/observability/regression`: what was, and what became of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, VectorIndexDep
from app.http.address import preferred
from app.http.document import document
from app.http.pages import HTML, VARY, page_response
from app.http.regression import MARKDOWN, as_markdown, as_page
from app.http.route import FactoryRoute, produces
from app.problems import refusals
from app.schemas.base import Page, Uuid
from app.schemas.snapshots import Comparison, Regression, Snapshot, SnapshotPage, TakeSnapshot
from app.security import Caller, Scope, require
from app.services import snapshots
from app.strict_json import JSON

router = APIRouter(prefix="/observability", tags=["observability"], route_class=FactoryRoute)

VIEWER = Depends(require(Scope.VIEWER))
_TEXT = {"schema": {"type": "string"}}
_ALSO_TEXTS: dict[int | str, dict[str, Any]] = {200: {"content": {MARKDOWN: _TEXT, HTML: _TEXT}}}
_MADE: dict[int | str, dict[str, Any]] = {
    201: {"headers": {"Location": {"description": "The snapshot.", "schema": {"type": "string"}}}}
}


def _taken(response: Response, snapshot: Snapshot) -> Snapshot:
    response.headers["Location"] = f"/observability/snapshots/{snapshot.snapshot_id}"
    return snapshot


@router.get("/snapshots", summary="List snapshots", dependencies=[VIEWER])
async def list_snapshots(page: Annotated[Page, Query()], database: DatabaseDep) -> SnapshotPage:
    """List the snapshots without their surfaces, newest first."""
    return await snapshots.list_snapshots(database, page)


@router.post(
    "/snapshots",
    status_code=201,
    responses={**_MADE, **refusals("actor_not_allowed", "vector_index_unavailable")},
)
async def take_snapshot(
    order: TakeSnapshot,
    caller: Annotated[Caller, Depends(RequireCommand("take_snapshot"))],
    database: DatabaseDep,
    index: VectorIndexDep,
    response: Response,
) -> Snapshot:
    """Counts the rows of every surface, with a digest that tells a changed row at the same count.

    All of the database is of one moment, whatever is composed meanwhile, and nobody waits for it.
    It looks at every row. The vector index, if one is configured, is a surface too.
    """
    return _taken(response, await snapshots.take_snapshot(database, index, caller, order))


@router.get(
    "/snapshots/{snapshot_id}",
    summary="Read a snapshot",
    dependencies=[VIEWER],
    responses=refusals("snapshot_not_found"),
)
async def get_snapshot(
    snapshot_id: Annotated[Uuid, Path(description="The snapshot's id.")], database: DatabaseDep
) -> Snapshot:
    """Read one snapshot: what every surface was."""
    return await snapshots.get_snapshot(database, snapshot_id)


@router.get(
    "/regression",
    summary="Compare two snapshots",
    dependencies=[VIEWER],
    response_model=Regression,
    responses={**_ALSO_TEXTS, **refusals("snapshot_not_found")},
)
@produces(JSON, MARKDOWN, HTML)
async def compare_snapshots(
    request: Request, query: Annotated[Comparison, Query()], database: DatabaseDep
) -> Response:
    """Tells of every surface what it was before and after, and whether that is as expected.

    What is not expected to change must not. As JSON, as a table in Markdown, or as a page.
    """
    regression = await snapshots.compare_snapshots(database, query)
    match preferred(request.scope, (JSON, MARKDOWN, HTML)):
        case "text/html":
            return page_response(as_page(regression))
        case "text/markdown":
            return Response(as_markdown(regression), media_type=MARKDOWN, headers=VARY)
        case _:
            return document(regression, 200, VARY)
