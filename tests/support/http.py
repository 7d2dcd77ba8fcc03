"""The service over HTTP, in this process, on a test's own database."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from app.authentication import NewApiKey
from app.main import create_app
from app.refusals import CATALOGUE
from app.settings import Settings
from tests.support.databases import Database

SCOPES = ("producer", "viewer", "operator", "admin")


@dataclass(frozen=True, slots=True)
class Service:
    """A running application and one client per scope, each acting as `<scope>-bot`."""

    app: FastAPI
    anonymous: httpx.AsyncClient
    producer: httpx.AsyncClient
    viewer: httpx.AsyncClient
    operator: httpx.AsyncClient
    admin: httpx.AsyncClient

    def client(self, scope: str) -> httpx.AsyncClient:
        """The client of a scope, or `anonymous`."""
        client: httpx.AsyncClient = getattr(self, scope)
        return client


async def make_key(
    owner: asyncpg.Connection,
    scope: str,
    actor: str | None = None,
    prefixes: tuple[str, ...] = (),
    principal: str | None = None,
) -> str:
    """An API key in force, made as the owner."""
    key = NewApiKey.make()
    await owner.execute(
        """INSERT INTO iu_core.iu_api_key
                  (key_id, key_sha256, principal, scope, actor, actor_prefixes, created_by,
                   created_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'fixture', now())""",
        key.key_id,
        key.sha256,
        principal or f"{scope}-{secrets.token_hex(2)}",
        scope,
        actor or f"{scope}-bot",
        list(prefixes or (f"{scope}-",)),
    )
    return key.secret


def client_of(app: FastAPI, key: str | None, **options: Any) -> httpx.AsyncClient:
    """A client of the application, in this process."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # What the application does not catch is its own answer, as behind a real server.
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://factory.test", headers=headers, **options
    )


def problem(
    code: str, request_id: str, path: str, status: int | None = None, **members: Any
) -> Any:
    """The whole problem document of a refusal."""
    spec = CATALOGUE[code]
    return {
        "type": f"/problems/{code}",
        "title": spec.title,
        "status": spec.status,
        "detail": spec.meaning,
        "instance": path,
        "code": code,
        "request_id": request_id,
        **members,
    }


@asynccontextmanager
async def running_service(
    database: Database, owner: asyncpg.Connection, **settings: Any
) -> AsyncIterator[Service]:
    """The application on a database, its lifespan begun, with a key for each scope."""
    app = create_app(
        Settings(
            **{
                "database_url": database.app_url,
                "data_dir": database.data_dir,
                "disposable_data": True,
                "log_level": "warning",
                **settings,
            }
        )
    )
    keys = {scope: await make_key(owner, scope) for scope in SCOPES}
    async with app.router.lifespan_context(app):
        clients = {scope: client_of(app, key) for scope, key in keys.items()}
        service = Service(app=app, anonymous=client_of(app, None), **clients)
        try:
            yield service
        finally:
            for scope in ("anonymous", *SCOPES):
                await service.client(scope).aclose()
