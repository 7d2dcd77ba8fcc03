"""A small application with the factory's layers and routes of its own, for tests of the layers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID

import httpx
from fastapi import APIRouter, FastAPI, Header, Query
from pydantic import Field

from app.errors import CATALOGUE, Refusal
from app.http.route import FactoryRoute, bulk
from app.http.stack import add_innermost_layers, add_outer_layers
from app.metrics import Metrics
from app.schemas.base import Actor, Page, Suffix, Timestamp, Uuid, WireModel
from app.security import Caller

EVENT = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"
JSON = {"content-type": "application/json"}
UNPARSEABLE = "The body can't be parsed as JSON."
TOO_LARGE_NUMBER = "the number is too large for a double (RFC 8785)"
TWICE = "the name occurs more than once"


class Address(WireModel):
    city: str
    floor: int | None = None


class Thing(WireModel):
    event_id: Uuid
    suffix: Suffix = ""
    actor: Actor | None = None
    dry_run: bool = True
    at: Timestamp | None = None
    address: Address | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Echo(WireModel):
    received: Any


def throwaway_router() -> APIRouter:
    router = APIRouter(route_class=FactoryRoute)

    @router.post("/things", status_code=201)
    async def make_thing(body: Thing) -> Echo:
        return Echo(received=body.model_dump(mode="json", exclude_unset=True))

    @router.post("/bulk")
    @bulk(most_items=lambda _query: 1000)
    async def make_things(body: list[Any]) -> Echo:
        return Echo(received=len(body))

    @router.post("/many")
    @bulk(most_items=lambda _query: 100_000)
    async def make_many(body: list[Any]) -> Echo:
        return Echo(received=len(body))

    @router.post("/things/bulk")
    @bulk(most_items=lambda _query: 1000)
    async def make_many_things(body: list[Thing]) -> Echo:
        return Echo(received=len(body))

    @router.get("/things/{name}")
    async def read_thing(name: str) -> Echo:
        return Echo(received=name)

    @router.put("/things/{name}")
    async def change_thing(name: str, if_match: Annotated[str | None, Header()] = None) -> Echo:
        return Echo(received=[name, if_match])

    @router.get("/things")
    async def list_things(page: Annotated[Page, Query()]) -> Echo:
        return Echo(received=page.model_dump(mode="json"))

    @router.get("/tagged")
    async def list_tagged(tag: Annotated[list[str], Query()], limit: int = 5) -> Echo:
        return Echo(received=[tag, limit])

    return router


async def _unrecorded(command: str, refusal: Refusal, caller: Caller | None) -> None:
    """There is no database here that a refusal could be recorded in."""


def throwaway_app(*routers: APIRouter, cors_origins: tuple[str, ...] = ()) -> FastAPI:
    """The layers of the real application, but for authentication."""
    app = FastAPI(redirect_slashes=False)
    app.state.metrics = Metrics()
    app.state.record_refusal = _unrecorded
    for router in routers or (throwaway_router(),):
        app.router.routes.extend(router.routes)
    add_innermost_layers(app)
    add_outer_layers(app, metrics=app.state.metrics, cors_origins=cors_origins)
    return app


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client that speaks to the application directly; what it raises is raised in the test."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://factory") as client:
        yield client


def assert_problem(
    response: httpx.Response,
    code: str,
    *,
    instance: str,
    status: int | None = None,
    detail: str | None = None,
    **members: Any,
) -> None:
    """The whole response: status, media type, and every member of the document."""
    spec = CATALOGUE[code]
    assert response.headers["content-type"] == "application/problem+json"
    request_id = response.headers["x-request-id"]
    assert UUID(request_id).version == 4
    expected = {
        "type": f"/problems/{code}",
        "title": spec.title,
        "status": status or spec.status,
        "detail": detail or spec.meaning,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        **members,
    }
    answered = response.json()
    assert answered == expected, f"{answered}\nis not\n{expected}"
    assert response.status_code == expected["status"]


def wrong(location: str, pointer: str, rule: str, detail: str) -> dict[str, str]:
    """One entry of `errors`."""
    return {"location": location, "pointer": pointer, "rule": rule, "detail": detail}
