"""The first keys: made with the owner's login, before there is anybody who could ask for them."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from app.authentication import Authenticator, NewApiKey
from app.db import api_keys as db
from app.db.accountable import Accountable
from app.db.embedded_files import write_private
from app.db.engine import Database, Transaction
from app.errors import Refusal, StartupError
from app.refusals.from_database import refusal_from_status
from app.security import Scope

ADMIN_ACTOR = "admin"
ADMIN_PRINCIPAL = "local admin"

_PAUSE_S = 0.02


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
    """The admin key that `path` keeps, made anew where that one is not in force.

    The file is for its owner only (mode 0600). Of programs that start at once one makes the key,
    and the others find it. Raises StartupError where the file can't be read or written.
    """
    try:
        async with _held(path.parent):
            kept = _read(path)
            if kept is not None and await _is_admins(owner_url, kept):
                return kept
            secret = await create_first_key(
                owner_url,
                principal=ADMIN_PRINCIPAL,
                scope=Scope.ADMIN,
                actor=ADMIN_ACTOR,
                actor_prefixes=(f"{ADMIN_ACTOR}-", f"{ADMIN_ACTOR}:"),
            )
            write_private(path, f"{secret}\n")
            return secret
    except OSError as error:
        if error.filename is None:
            raise  # of the database, not of a file
        raise StartupError(
            f"The admin key can't be kept in {path} ({error.strerror}): correct the owner of the"
            " file, or move it away."
        ) from error


async def _is_admins(owner_url: str, secret: str) -> bool:
    database = Database(owner_url, pool_size=1)
    try:
        caller = await Authenticator(database).authenticate([f"Bearer {secret}"], uuid4())
    except Refusal:
        return False
    finally:
        await database.close()
    return caller.scope is Scope.ADMIN


@asynccontextmanager
async def _held(directory: Path) -> AsyncIterator[None]:
    # The directory itself, so that no file is left behind; the kernel releases it in any case.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not _locked(descriptor):  # noqa: ASYNC110 - it is another process that we wait for
            await asyncio.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> str | None:
    try:
        path.chmod(0o600)
        return path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return None
