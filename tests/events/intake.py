"""A small application that takes events and webhooks, and answers with what it read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, Header

from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.http.cloudevents import EVENT_BODIES, Events, cloud_events
from app.http.route import FactoryRoute
from app.http.webhooks import Webhook, raw_webhook
from tests.api.throwaway import Echo, client_of, throwaway_app

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}
BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/hr", "ce-type": "employee.hired"}

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/hr",
    "type": "employee.hired",
}


def read(**members: Any) -> dict[str, Any]:
    """What is read of an event: `EVENT`, with these members."""
    unset = dict.fromkeys(("subject", "time", "datacontenttype", "dataschema", "data"))
    return {**EVENT, **unset, "factorydepth": 0, **members}


def wide_scope(x_narrow: Annotated[str, Header()] = "") -> None:
    """Stands for the check of the scope."""
    if x_narrow:
        raise Refusal("forbidden", required_scope="producer")


def intake_router() -> APIRouter:
    router = APIRouter(route_class=FactoryRoute)

    @router.post("/events", openapi_extra=EVENT_BODIES, dependencies=[Depends(wide_scope)])
    @cloud_events
    async def post_events(events: Events) -> Echo:
        if isinstance(events, CloudEvent):
            return Echo(received=dict(events))
        return Echo(received=[_told(item) for item in events])

    @router.post("/event-sources/{name}")
    @raw_webhook
    async def post_webhook(name: str, webhook: Webhook) -> Echo:
        return Echo(received=[name, webhook.headers, webhook.body.decode("latin-1")])

    return router


def _told(item: CloudEvent | Refusal) -> dict[str, Any]:
    if isinstance(item, CloudEvent):
        return dict(item)
    return {"code": item.code, "status": item.status, **item.members}


@asynccontextmanager
async def intake() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(throwaway_app(intake_router())) as client:
        yield client
