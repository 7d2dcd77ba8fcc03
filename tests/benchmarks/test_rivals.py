"""What the factory is compared with does what it says, behind the factory's own route."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from app.services import composing
from benchmarks.rivals import TEMPLATE_ID, answer_with, no_database, orm
from benchmarks.templates import FIVE
from tests.support.databases import Database
from tests.support.http import Service, running_service


@pytest.fixture
async def service(
    database: Database, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """The application; its service function is put back afterwards."""
    monkeypatch.setattr(composing, "compose_from_event", composing.compose_from_event)
    async with running_service(database, owner) as running:
        yield running


def order(**members: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "event_type": "employee.hired",
        "template": FIVE,
        "suffix": "ada",
        **members,
    }


async def test_no_database_answers_what_the_route_answers(service: Service) -> None:
    sent = order()

    async with no_database.opened("") as compose:
        answer_with(compose)
        answer = await service.producer.post("/instances/from-event", json=sent)
        stranger = await service.anonymous.post("/instances/from-event", json=sent)

    assert answer.status_code == 201
    document = answer.json()
    assert answer.headers["location"] == f"/instances/{document['instance_collection_id']}"
    assert (document["outcome"], document["event_id"]) == ("composed", sent["event_id"])
    assert stranger.status_code == 401


async def test_the_orm_copies_the_template_once_per_event(
    service: Service, database: Database
) -> None:
    sent = order(data={"name": "Ada"})
    tables = await asyncpg.connect(database.superuser_url)

    async with orm.opened(database.superuser_url) as compose:
        answer_with(compose)
        first = await service.producer.post("/instances/from-event", json=sent)
        again = await service.producer.post("/instances/from-event", json=sent)

    counts = {
        table: await tables.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("collection", "membership", "lineage", "event_log", "outbox")
    }
    copied = await tables.fetch(
        "SELECT i.position, i.role, i.piece_id FROM membership AS i JOIN membership AS t"
        " USING (position, role, piece_id) WHERE i.collection_id = $1 AND t.collection_id = $2",
        first.json()["instance_collection_id"],
        TEMPLATE_ID,
    )
    await tables.close()
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"outcome": "idempotent_replay"}
    assert counts == {
        "collection": 2,  # the template and the instance
        "membership": 10,
        "lineage": 1,
        "event_log": 1,
        "outbox": 1,
    }
    assert len(copied) == 5
