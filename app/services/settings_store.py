"""The two settings that are no gates."""

from typing import Any

from app.db import gates as history_db
from app.db import settings_store as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.base import Page
from app.schemas.settings import (
    SetSetting,
    Setting,
    SettingChange,
    SettingHistoryPage,
    SettingPage,
    SettingSet,
)
from app.security import Caller
from app.services.gates import full_key
from app.services.outbound_drain import drain_outbound

LIVE_ROUTES = "iu_core.delivery_live_routes"

_SETTINGS = Keyset("settings", (str,))
_HISTORY = Keyset("setting_history", (int,))


async def list_settings(database: Database, page: Page) -> SettingPage:
    """The settings, sorted by key."""
    position = _SETTINGS.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.settings(tx, position, page.limit)

    found = _SETTINGS.page(await database.run(work), page.limit, lambda row: (row["setting_key"],))
    return SettingPage(
        items=[Setting(**_setting(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def list_setting_history(database: Database, key: str, page: Page) -> SettingHistoryPage:
    """What was done to a setting, the newest first. Refuses with `setting_not_found`."""
    setting_key = full_key(key)
    filters = {"setting": setting_key}
    position = _HISTORY.position(page.page_token, filters)

    async def work(tx: Transaction) -> list[Row]:
        if await db.setting(tx, setting_key) is None:
            raise Refusal("setting_not_found", setting=setting_key)
        return await history_db.history(tx, setting_key, position, page.limit, of_gate=False)

    found = _HISTORY.page(
        await database.run(work), page.limit, lambda row: (row["history_id"],), filters
    )
    return SettingHistoryPage(
        items=[SettingChange(**_change(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def set_setting(
    database: Database, caller: Caller, key: str, order: SetSetting
) -> SettingSet:
    """Set a setting.

    Refuses with `setting_not_found` and, for a value that the setting can't have,
    `invalid_input`.
    """
    setting_key = full_key(key)
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.put_setting(tx, setting_key, order.value, order.reason, by)
        was_set = answer["status"] == "ok"
        return answer, await db.setting(tx, setting_key) if was_set else None

    answer, row = await database.run(work, repeatable=True)
    if row is None:
        raise refusal_from_status(answer)
    draining = setting_key == LIVE_ROUTES and not await drain_outbound(database)
    return SettingSet(**_setting(row), changed=answer["changed"], draining=draining)


def _setting(row: Row) -> dict[str, Any]:
    members = {name: row[name] for name in Setting.model_fields if name in row}
    return {**members, "setting": row["setting_key"]}


def _change(row: Row) -> dict[str, Any]:
    members = {name: row[name] for name in SettingChange.model_fields if name in row}
    return {**members, "setting": row["config_key"]}
