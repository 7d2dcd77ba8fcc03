"""The first keys: made with the owner's login, before there is anybody who could ask for them."""

import hmac
import os
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from app.authentication import NewApiKey, sha256_of
from app.db import api_keys as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.refusals.from_database import refusal_from_status
from app.security import Scope

ADMIN_ACTOR = "admin"
ADMIN_PRINCIPAL = "local admin"


async def create_first_key(
    owner_url: str,
    *,
    principal: str,
    scope: Scope,
    actor: str,
    actor_prefixes: tuple[str, ...] = (),
    expires_at: datetime | None = None,
) -> str:
    """Make a key without the service; its secret, which is stored nowhere.

    Takes the owner's login. Refuses with `invalid_input` as `POST /api-keys` does.
    """
    new = NewApiKey.make()
    stored = db.NewKey(
        key_id=new.key_id,
        key_sha256=new.sha256,
        principal=principal,
        scope=str(scope),
        actor=actor,
        actor_prefixes=actor_prefixes,
        expires_at=expires_at,
    )
    by = Accountable(ADMIN_ACTOR, "owner's login", uuid4())

    async def work(tx: Transaction) -> dict[str, object]:
        return await db.create_key(tx, stored, by)

    database = Database(owner_url, pool_size=1)
    try:
        answer = await database.run(work)
    finally:
        await database.close()
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return new.secret


async def ensure_admin_key(owner_url: str, path: Path) -> str:
    """The admin key that `path` keeps (mode 0600), made anew where that one is not in force."""
    kept = _read(path)
    if kept is not None and await _in_force(owner_url, kept):
        return kept
    secret = await create_first_key(
        owner_url,
        principal=ADMIN_PRINCIPAL,
        scope=Scope.ADMIN,
        actor=ADMIN_ACTOR,
        actor_prefixes=(f"{ADMIN_ACTOR}-", f"{ADMIN_ACTOR}:"),
    )
    _write(path, secret)
    return secret


async def _in_force(owner_url: str, secret: str) -> bool:
    words = secret.split("_", 2)
    if len(words) != 3 or words[0] != "pf":
        return False
    database = Database(owner_url, pool_size=1)
    try:
        known = await db.look_up(database, words[1])
    finally:
        await database.close()
    return known is not None and hmac.compare_digest(known.key_sha256, sha256_of(secret))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def _write(path: Path, secret: str) -> None:
    # Made with its mode, not changed to it: there is no moment in which others could read it.
    part = path.with_suffix(f".{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secret}\n")
    part.replace(path)
