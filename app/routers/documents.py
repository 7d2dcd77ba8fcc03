"""`…/document` and `…/preview`: what was composed, and what would be, as something to be read."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from app.dependencies import DatabaseDep, RendererDep, SchemasDep
from app.documents.formats import FORMATS, Format
from app.documents.page import CONTENT_SECURITY_POLICY
from app.http.address import preferred
from app.http.entity_tags import tags_of
from app.http.hanging_up import unless_hung_up
from app.http.route import FactoryRoute, produces
from app.problems import refusals
from app.schemas.base import TemplateInPath, Uuid
from app.schemas.documents import DocumentQuery, FormatName, PreviewTemplate
from app.security import Caller, Scope, require
from app.services import documents
from app.services.documents import Rendered

router = APIRouter(tags=["documents"], route_class=FactoryRoute)

_TYPES = tuple(format_.media_type for format_ in FORMATS.values())
_BY_TYPE = {format_.media_type: format_ for format_ in FORMATS.values()}
_CONTENT: dict[str, Any] = {
    media_type: {"schema": {"type": "string"}} for media_type in _TYPES if "json" not in media_type
}
_CONTENT["application/json"] = {
    "schema": {"type": "object"},
    "examples": {
        "a document": {
            "value": {
                "title": "Welcome, Ada Lovelace",
                "sections": [
                    {
                        "position": 1,
                        "role": "welcome",
                        "title": "Welcome",
                        "media_type": "text/markdown",
                        "text": "# Welcome, Ada Lovelace",
                        "html": "",
                    }
                ],
                "provenance": None,
            }
        }
    },
}
_NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "`If-None-Match` names the document as it is."}
}
_ETAG = {
    "ETag": {
        "description": (
            "Of the product's digest (the composition's, where no event composed the instance), of"
            " where the document says that it comes from, the renderer's version and the format."
        ),
        "schema": {"type": "string"},
    }
}
_RENDERING = ("document_not_renderable", "overloaded")


def _format(request: Request, name: FormatName | None) -> Format:
    return FORMATS[name] if name else _BY_TYPE[preferred(request.scope, _TYPES)]


def _response(rendered: Rendered) -> Response:
    headers = {"Vary": "Accept, Authorization", "Cache-Control": "private, no-cache"}
    if rendered.entity_tag is not None:
        headers["ETag"] = rendered.entity_tag
    if rendered.body is None:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'inline; filename="{rendered.file_name}"'
    headers["X-Content-Type-Options"] = "nosniff"
    if rendered.format.name == "html":
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return Response(rendered.body, headers=headers, media_type=rendered.format.media_type)


@router.get(
    "/instances/{instance_id}/document",
    summary="Read an instance as a document",
    response_class=Response,
    responses={
        200: {"content": _CONTENT, "headers": _ETAG, "description": "The document."},
        **_NOT_MODIFIED,
        **refusals("instance_not_found", "rolled_back:410", "actor_not_allowed", *_RENDERING),
    },
)
@produces(*_TYPES, chosen_by="format")
async def get_instance_document(
    *,
    request: Request,
    instance_id: Annotated[Uuid, Path(description="The instance's id.")],
    query: Annotated[DocumentQuery, Query()],
    caller: Annotated[Caller, Depends(require(Scope.PRODUCER))],
    database: DatabaseDep,
    renderer: RendererDep,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Reads an instance as a document: its pieces, filled with its data.

    As Markdown, as a page to be printed, as PDF, as a Word document or as JSON, by `format` or
    `Accept`. The same instance gives the same bytes every time, until the renderer changes. One
    that no event composed has no data, and its document names no event.
    """
    known = tags_of(if_none_match)
    reading = documents.read_instance_document(
        database,
        renderer,
        caller,
        instance_id,
        format_=_format(request, query.format),
        known=known,
    )
    return _response(await unless_hung_up(request, reading))


@router.post(
    "/templates/{ref}/preview",
    summary="Fill a template with data",
    response_class=Response,
    responses={
        200: {"content": _CONTENT, "description": "The document."},
        **refusals(
            "template_collection_not_found", "template_not_marked", "payload_invalid", *_RENDERING
        ),
    },
    dependencies=[Depends(require(Scope.VIEWER))],
)
@produces(*_TYPES, chosen_by="format")
async def preview_template(
    *,
    request: Request,
    ref: Annotated[TemplateInPath, Path()],
    query: Annotated[DocumentQuery, Query()],
    order: PreviewTemplate,
    database: DatabaseDep,
    renderer: RendererDep,
    schemas: SchemasDep,
) -> Response:
    """Fills a template with data, and answers with the document. Nothing is stored."""
    previewing = documents.preview_template(
        database,
        renderer,
        schemas,
        ref,
        data=order.data,
        format_=_format(request, query.format),
    )
    return _response(await unless_hung_up(request, previewing))
