"""API keys: the wrappers of their functions, and reads of their view."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Text, column, select, table
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

_TIME = DateTime(timezone=True)

API_KEY = table(
    "v_iu_api_key",
    column("key_id", Text),
    column("principal", Text),
    column("scope", Text),
    column("actor", Text),
    column("actor_prefixes", ARRAY(Text)),
    column("state", Text),
    column("created_by", Text),
    column("created_at", _TIME),
    column("expires_at", _TIME),
    column("revoked_at", _TIME),
    column("revoked_by", Text),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class KeyInForce:
    """A key that is neither revoked nor expired. `seconds_left` is None when it never expires."""

    key_sha256: bytes
    principal: str
    scope: str
    actor: str
    actor_prefixes: tuple[str, ...]
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store. `expires_at` is None when it never expires."""

    key_id: str
    key_sha256: bytes
    principal: str
    scope: str
    actor: str
    actor_prefixes: Sequence[str]
    expires_at: datetime | None


async def look_up(database: Database, key_id: str) -> KeyInForce | None:
    """The key with this id, or None when there is none in force (fn_iu_api_key_lookup)."""
    rows = await database.fetch("SELECT * FROM iu_core.fn_iu_api_key_lookup($1)", key_id)
    if not rows:
        return None
    row = rows[0]
    return KeyInForce(
        key_sha256=row["key_sha256"],
        principal=row["principal"],
        scope=row["scope"],
        actor=row["actor"],
        actor_prefixes=tuple(row["actor_prefixes"]),
        seconds_left=row["seconds_left"],
    )


async def create_key(tx: Transaction, new: NewKey, by: Accountable) -> dict[str, Any]:
    """Store a new key (fn_iu_api_key_create)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_api_key_create",
        new.key_id,
        new.key_sha256,
        new.principal,
        new.scope,
        new.actor,
        list(new.actor_prefixes),
        new.expires_at,
        *by.arguments,
    )
    return answer


async def revoke_key(tx: Transaction, key_id: str, by: Accountable) -> dict[str, Any]:
    """Revoke a key (fn_iu_api_key_revoke)."""
    answer: dict[str, Any] = await tx.call("fn_iu_api_key_revoke", key_id, *by.arguments)
    return answer


async def keys(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The keys, the oldest first, and one row more than the page when there are more."""
    columns = [API_KEY.c.created_at, API_KEY.c.key_id]
    return rows_of(await tx.rows(page_query(select(API_KEY), columns, position, limit)))


async def key(tx: Transaction, key_id: str) -> Row | None:
    """One key, or None."""
    return row_of(await tx.row(select(API_KEY).where(API_KEY.c.key_id == key_id)))
