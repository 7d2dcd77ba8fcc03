"""`/api-keys`: who may call."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from app.commands import RequireCommand
from app.dependencies import AuthenticatorDep, DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.api_keys import ApiKey, ApiKeyCreated, ApiKeyPage, CreateApiKey
from app.schemas.base import PATH_SEGMENT, Page
from app.security import Caller, Scope, require
from app.services import api_keys

router = APIRouter(prefix="/api-keys", tags=["api-keys"], route_class=FactoryRoute)

KeyId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=32,
        pattern=PATH_SEGMENT,
        description="The key's id: what stands between `pf_` and the second `_`.",
        examples=["0a1b2c3d4e5f"],
    ),
]


@router.get("", summary="List the API keys", dependencies=[Depends(require(Scope.ADMIN))])
async def list_api_keys(page: Annotated[Page, Query()], database: DatabaseDep) -> ApiKeyPage:
    """List the keys, revoked and expired ones too, the oldest first. Secrets are not kept."""
    return await api_keys.list_api_keys(database, page)


@router.post("", status_code=201)
async def create_api_key(
    order: CreateApiKey,
    caller: Annotated[Caller, Depends(RequireCommand("create_api_key"))],
    database: DatabaseDep,
    response: Response,
) -> ApiKeyCreated:
    """Make a key. Its secret is in this answer and nowhere else: it is not stored."""
    response.headers["Cache-Control"] = "no-store"
    return await api_keys.create_api_key(database, caller, order)


@router.delete("/{key_id}", responses=refusals("api_key_not_found"))
async def revoke_api_key(
    key_id: KeyId,
    caller: Annotated[Caller, Depends(RequireCommand("revoke_api_key"))],
    database: DatabaseDep,
    authenticator: AuthenticatorDep,
) -> ApiKey:
    """Revoke a key: at once in this process, within two seconds in the others."""
    return await api_keys.revoke_api_key(database, authenticator, caller, key_id)
