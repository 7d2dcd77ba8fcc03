"""Making, listing and revoking API keys (design, §11)."""

from datetime import datetime
from typing import Any

from app.authentication import Authenticator, NewApiKey
from app.db import api_keys as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.api_keys import ApiKey, ApiKeyCreated, ApiKeyPage, CreateApiKey
from app.schemas.base import Page
from app.security import Caller

_KEYS = Keyset("api_keys", (datetime, str))


async def list_api_keys(database: Database, page: Page) -> ApiKeyPage:
    """The keys without their secrets, the oldest first."""
    position = _KEYS.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.keys(tx, position, page.limit)

    found = _KEYS.page(
        await database.run(work), page.limit, lambda row: (row["created_at"], row["key_id"])
    )
    return ApiKeyPage(
        items=[ApiKey(**row) for row in found.items], next_page_token=found.next_page_token
    )


async def create_api_key(database: Database, caller: Caller, order: CreateApiKey) -> ApiKeyCreated:
    """Make a key; its secret is in this answer and nowhere else.

    Refuses with `invalid_input` an expiry that does not lie in the future.
    """
    new = NewApiKey.make()
    stored = db.NewKey(
        key_id=new.key_id,
        key_sha256=new.sha256,
        principal=order.principal,
        scope=str(order.scope),
        actor=order.actor,
        actor_prefixes=order.actor_prefixes,
        expires_at=order.expires_at,
    )
    by = Accountable(caller.actor, caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.create_key(tx, stored, by)
        made = answer["status"] == "ok"
        return answer, await db.key(tx, new.key_id) if made else None

    answer, row = await database.run(work)
    if row is None:
        raise refusal_from_status(answer)
    return ApiKeyCreated(**row, secret=new.secret)


async def revoke_api_key(
    database: Database, authenticator: Authenticator, caller: Caller, key_id: str
) -> ApiKey:
    """Revoke a key: at once in this process, within two seconds in others.

    Refuses with `api_key_not_found`.
    """
    by = Accountable(caller.actor, caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.revoke_key(tx, key_id, by)
        revoked = answer["status"] == "ok"
        return answer, await db.key(tx, key_id) if revoked else None

    answer, row = await database.run(work, repeatable=True)
    authenticator.forget(key_id)
    if row is None:
        raise refusal_from_status(answer)
    return ApiKey(**row)
