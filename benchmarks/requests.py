"""The requests that are sent, as bytes that were built before."""

import json
from typing import Any

from benchmarks.load import EVENT, post
from benchmarks.templates import FIVE

DATA = {"name": "Ada Lovelace", "starts": "2026-03-02"}


def order(template: str = FIVE) -> dict[str, Any]:
    """One instance to compose, as a client orders it."""
    return {
        "event_id": EVENT,
        "event_type": "employee.hired",
        "template": template,
        "suffix": "ada-lovelace",
        "data": DATA,
    }


def compose_one(key: str, template: str = FIVE) -> str:
    """`POST /instances/from-event`, with a new event each time it is sent."""
    return post("/instances/from-event", key, json.dumps(order(template)))


def compose_bulk(key: str, items: int) -> str:
    """`POST /instances/bulk`, atomic, with new events each time it is sent."""
    return post("/instances/bulk?atomic=true", key, json.dumps([order()] * items))


def event(type_: str) -> dict[str, Any]:
    """A CloudEvent of a type, with a new id each time it is sent."""
    return {"specversion": "1.0", "id": EVENT, "source": "/hr", "type": type_, "data": DATA}


def send_event(key: str, type_: str) -> str:
    """`POST /events`, structured."""
    return post("/events", key, json.dumps(event(type_)), "application/cloudevents+json")


def send_batch(key: str, type_: str, events: int) -> str:
    """`POST /events`, batched."""
    body = json.dumps([event(type_)] * events)
    return post("/events", key, body, "application/cloudevents-batch+json")
