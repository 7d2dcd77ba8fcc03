"""`/templates`: families and their version chains, read and authored."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query, Response

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.entity_tags import ETAG_HEADER, SeenRevisions, SeenRevisionsIfAny, tell_revision
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.authoring import (
    AuthoredTemplate,
    MarkTemplate,
    NewTemplate,
    NewVersion,
    PublishedVersion,
    RegisterVersion,
    VersionDryRun,
    WithdrawnTemplate,
    WithdrawTemplate,
)
from app.schemas.base import FamilyKey, Page, TemplateInPath
from app.schemas.templates import (
    Against,
    Template,
    TemplateAt,
    TemplateDiff,
    TemplateList,
    TemplatePage,
    TemplatePiecePage,
    TemplateWithParameters,
)
from app.security import Caller, Scope, require
from app.services import authoring, templates

router = APIRouter(prefix="/templates", tags=["templates"], route_class=FactoryRoute)

Document = TypeVar("Document")

VIEWER = Depends(require(Scope.VIEWER))
Reference = Annotated[TemplateInPath, Path()]

_MISSING = ("template_collection_not_found", "template_not_marked")
_WITH_PIECES = ("actor_not_allowed", "unit_not_found", "unit_not_active")
_TAGGED: dict[int | str, dict[str, Any]] = {200: {"headers": ETAG_HEADER}}
_MADE: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            **ETAG_HEADER,
            "Location": {"description": "The template.", "schema": {"type": "string"}},
        }
    }
}


def _tagged(response: Response, found: tuple[Document, int | None]) -> Document:
    document, revision = found
    tell_revision(response, revision)
    return document


def _made(response: Response, found: tuple[AuthoredTemplate, int | None]) -> AuthoredTemplate:
    template = _tagged(response, found)
    response.headers["Location"] = _path(template)
    return template


def _published(
    response: Response, found: tuple[PublishedVersion | VersionDryRun, int | None]
) -> PublishedVersion | VersionDryRun:
    result = _tagged(response, found)
    if result.outcome == "published":
        response.headers["Location"] = _path(result)
    else:
        response.status_code = 200
    return result


def _path(template: Template) -> str:
    return "/templates/" + template.template_key.replace("/", "@")


@router.get("", summary="List templates", dependencies=[VIEWER])
async def list_templates(
    query: Annotated[TemplateList, Query()], database: DatabaseDep
) -> TemplatePage:
    """List every template, by family and version."""
    return await templates.list_templates(database, query)


@router.post(
    "",
    status_code=201,
    responses={**_MADE, **refusals(*_WITH_PIECES, "already_exists")},
)
async def create_template(
    order: NewTemplate,
    caller: Annotated[Caller, Depends(RequireCommand("create_template"))],
    database: DatabaseDep,
    response: Response,
) -> AuthoredTemplate:
    """Make a family with its first version, which is current at once.

    Contents that are not known yet become active pieces; that needs the gate of pieces too. When
    something is refused nothing is made.
    """
    return _made(response, await authoring.create_template(database, caller, order))


@router.post(
    "/mark",
    status_code=201,
    responses={
        **_MADE,
        **refusals(
            "actor_not_allowed",
            "template_collection_not_found",
            "already_exists",
            "unit_not_active",
        ),
    },
)
async def mark_template(
    order: MarkTemplate,
    caller: Annotated[Caller, Depends(RequireCommand("mark_template"))],
    database: DatabaseDep,
    response: Response,
) -> AuthoredTemplate:
    """Mark a plain collection as a template. It can be composed from, and its pieces are in use.

    It has no place in a version chain until it is registered.
    """
    return _made(response, await authoring.mark_template(database, caller, order))


@router.post(
    "/families/{family}/versions",
    status_code=201,
    responses={
        **_MADE,
        200: {"model": VersionDryRun, "description": "What a dry run says."},
        **refusals(
            *_WITH_PIECES,
            "template_family_not_found",
            "operation_state",
            "no_change",
            "precondition_failed",
            "precondition_required",
        ),
    },
)
async def create_template_version(
    *,
    family: Annotated[FamilyKey, Path()],
    order: NewVersion,
    caller: Annotated[Caller, Depends(RequireCommand("create_template_version"))],
    seen_revisions: SeenRevisions,
    database: DatabaseDep,
    response: Response,
) -> PublishedVersion | VersionDryRun:
    """Make a family's next version by edits to the current one, which it supersedes by itself.

    `If-Match` takes the `ETag` that came with the family. New pieces must be active; one that the
    current version uses may have been revised since, which is a warning. A dry run shows what
    would be different, and writes nothing.
    """
    return _published(
        response,
        await authoring.create_template_version(database, caller, family, order, seen_revisions),
    )


@router.get(
    "/{ref}",
    summary="Read a template",
    dependencies=[VIEWER],
    responses={**_TAGGED, **refusals(*_MISSING)},
)
async def get_template(
    ref: Reference, query: Annotated[TemplateAt, Query()], database: DatabaseDep, response: Response
) -> TemplateWithParameters:
    """Read a template. A family means its current version, or the one that was current `at` a time.

    The `ETag` is that of the family's version chain.
    """
    return _tagged(response, await templates.get_template(database, ref, query.at))


@router.get(
    "/{ref}/pieces",
    summary="List a template's pieces",
    dependencies=[VIEWER],
    responses=refusals(*_MISSING),
)
async def list_template_pieces(
    ref: Reference, page: Annotated[Page, Query()], database: DatabaseDep
) -> TemplatePiecePage:
    """List the pieces of a template with their content, in their order."""
    return await templates.list_template_pieces(database, ref, page)


@router.get(
    "/{ref}/diff",
    summary="Compare two templates",
    dependencies=[VIEWER],
    responses=refusals(*_MISSING),
)
async def diff_templates(
    ref: Reference, query: Annotated[Against, Query()], database: DatabaseDep
) -> TemplateDiff:
    """Tell what is different in a template, compared with another."""
    return await templates.diff_templates(database, ref, query.against)


@router.post(
    "/{ref}/register-version",
    responses={
        **_TAGGED,
        **refusals("actor_not_allowed", *_MISSING, "already_exists", "precondition_failed"),
    },
)
async def register_template_version(
    *,
    ref: Reference,
    order: RegisterVersion,
    caller: Annotated[Caller, Depends(RequireCommand("register_template_version"))],
    seen_revisions: SeenRevisionsIfAny,
    database: DatabaseDep,
    response: Response,
) -> AuthoredTemplate:
    """Give a marked template its place in the chain of its family, as the number of its key says.

    Above every other number it becomes current; otherwise the next higher one supersedes it.
    `If-Match` is taken, but not asked for: the family may have no chain yet.
    """
    return _tagged(
        response,
        await authoring.register_template_version(database, caller, ref, order, seen_revisions),
    )


@router.post(
    "/{ref}/withdraw",
    responses={
        **_TAGGED,
        **refusals(
            "actor_not_allowed",
            *_MISSING,
            "operation_state",
            "template_in_use",
            "precondition_failed",
            "precondition_required",
        ),
    },
)
async def withdraw_template(
    *,
    ref: Reference,
    order: WithdrawTemplate,
    caller: Annotated[Caller, Depends(RequireCommand("withdraw_template"))],
    seen_revisions: SeenRevisions,
    database: DatabaseDep,
    response: Response,
) -> WithdrawnTemplate:
    """Withdraw a wrong version, for good, while it has no instances.

    If it was current its predecessor is current again. `If-Match` takes the `ETag` that came with
    the template.
    """
    return _tagged(
        response,
        await authoring.withdraw_template(database, caller, ref, order, seen_revisions),
    )
