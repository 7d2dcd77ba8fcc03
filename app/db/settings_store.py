"""The two settings that are no gates: the wrapper of their function, and reads of their view."""

from typing import Any

from sqlalchemy import BigInteger, DateTime, Text, column, select, table
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.engine import Transaction, jsonb
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

SETTING = table(
    "v_iu_setting",
    column("setting_key", Text),
    column("value", JSONB),
    column("changed_at", DateTime(timezone=True)),
    column("changed_by", Text),
    column("reason", Text),
    column("revision", BigInteger),
    schema="iu_core",
)


async def put_setting(
    tx: Transaction, key: str, value: object, reason: str, by: Accountable
) -> dict[str, Any]:
    """Set a setting to a JSON value (fn_iu_setting_put)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_setting_put", key, jsonb(value), reason, *by.arguments
    )
    return answer


async def settings(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The settings by key, and one row more than the page when there are more."""
    return rows_of(
        await tx.rows(page_query(select(SETTING), [SETTING.c.setting_key], position, limit))
    )


async def setting(tx: Transaction, key: str) -> Row | None:
    """One setting, or None."""
    return row_of(await tx.row(select(SETTING).where(SETTING.c.setting_key == key)))
