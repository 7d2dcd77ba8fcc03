"""`/settings`: the two settings that are no gates, and their history."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import PATH_SEGMENT, Page
from app.schemas.settings import SetSetting, SettingHistoryPage, SettingPage, SettingSet
from app.security import Caller, Scope, require
from app.services import settings_store

router = APIRouter(prefix="/settings", tags=["settings"], route_class=FactoryRoute)

SettingKey = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=PATH_SEGMENT,
        description="The setting's key; `iu_core.` may be left out.",
        examples=["iu_core.unknown_event_types"],
    ),
]


@router.get("", summary="List the settings", dependencies=[Depends(require(Scope.VIEWER))])
async def list_settings(page: Annotated[Page, Query()], database: DatabaseDep) -> SettingPage:
    """List the two settings that are no gates, sorted by key."""
    return await settings_store.list_settings(database, page)


@router.get(
    "/{key}/history",
    summary="List what was done to a setting",
    dependencies=[Depends(require(Scope.VIEWER))],
    responses=refusals("setting_not_found"),
)
async def list_setting_history(
    key: SettingKey, page: Annotated[Page, Query()], database: DatabaseDep
) -> SettingHistoryPage:
    """List every change of a setting, the newest first."""
    return await settings_store.list_setting_history(database, key, page)


@router.put(
    "/{key}",
    responses=refusals("actor_not_allowed", "setting_not_found"),
)
async def set_setting(
    key: SettingKey,
    order: SetSetting,
    caller: Annotated[Caller, Depends(RequireCommand("set_setting"))],
    database: DatabaseDep,
) -> SettingSet:
    """Set a setting. Setting what is set already changes nothing."""
    return await settings_store.set_setting(database, caller, key, order)
