"""`GET /instances/{id}/evidence`: an archive that proves an instance without the service."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from app.dependencies import AuditDep, DatabaseDep
from app.evidence.archive import MEDIA_TYPE
from app.http.entity_tags import tags_of
from app.http.hanging_up import unless_hung_up
from app.http.route import FactoryRoute, produces
from app.problems import refusals
from app.schemas.audit import ExpectedHead
from app.schemas.base import Uuid
from app.security import Caller, Scope, require
from app.services import evidence as service

router = APIRouter(tags=["documents"], route_class=FactoryRoute)

_HEADERS: dict[str, Any] = {
    "ETag": {"description": "The archive's SHA-256.", "schema": {"type": "string"}},
    "Content-Disposition": {
        "description": "`evidence-` and the instance's id.",
        "schema": {"type": "string"},
    },
}


@router.get(
    "/instances/{instance_id}/evidence",
    summary="Prove an instance, offline",
    response_class=Response,
    responses={
        200: {
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
            "headers": _HEADERS,
            "description": "The archive (docs/evidence.md).",
        },
        304: {"description": "`If-None-Match` names the archive as it is."},
        **refusals(
            *("instance_not_found", "rolled_back:410", "actor_not_allowed", "evidence_not_sealed"),
            *("head_not_reached", "evidence_inconsistent", "too_large", "audit_key_unavailable"),
        ),
    },
)
@produces(MEDIA_TYPE)
async def get_instance_evidence(
    *,
    request: Request,
    instance_id: Annotated[Uuid, Path(description="The instance's id.")],
    expected: Annotated[ExpectedHead, Query()],
    caller: Annotated[Caller, Depends(require(Scope.PRODUCER))],
    database: DatabaseDep,
    audit: AuditDep,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """Answers with one archive that proves, without the service, what an instance is.

    Pieces, composition, data, the event log's row, the version and its time of validity, the run
    that composed it, the segment and the heads of the audit chain, and an in-toto statement over
    them, signed. `sha256sum -c` checks it, and so does `factory evidence verify`.

    With `head`, the chain in it goes to the head with that digest.
    """
    reading = service.read_evidence(
        *(database, audit, caller, instance_id),
        head=expected.head,
        known=tags_of(if_none_match),
    )
    evidence = await unless_hung_up(request, reading)
    headers = {
        "ETag": evidence.entity_tag,
        "Vary": "Accept, Authorization",
        "Cache-Control": "private, no-cache",
    }
    if evidence.body is None:
        return Response(status_code=304, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="evidence-{instance_id}.zip"'
    headers["X-Content-Type-Options"] = "nosniff"
    return Response(evidence.body, headers=headers, media_type=MEDIA_TYPE)
