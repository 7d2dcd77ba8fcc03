"""Calls that take events in, as the service sends them: of several editions, or sent twice."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.db import engine
from app.db.event_intake import RULES_CHANGED, EventItem, fire_routes, take_events
from app.events.reading import event_from_document
from app.metrics import Metrics
from app.services import intake
from app.services.coalescer import Coalescer
from app.services.event_rules import RuleBook
from app.services.firing import Trigger
from app.services.intake import Intake, Sender
from app.services.judging import Schemas
from tests.support.events import (
    SOURCE,
    TYPE,
    a_firing,
    an_event,
    edition,
    make_route,
    put_route,
    take,
)
from tests.support.proxy import Proxy
from tests.support.templates import Template, close_gates, make_template, open_gates

GATES = ("composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, the intake's among them."""
    await open_gates(owner, *GATES)
    return await make_template(owner)


@pytest.fixture
async def route(app_conn: asyncpg.Connection, template: Template) -> UUID:
    """A route of every event to that template."""
    return await make_route(app_conn, template)


async def counts(owner: asyncpg.Connection) -> tuple[int, ...]:
    """How many events, results and instances there are."""
    return tuple(
        [
            await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}")
            for table in ("iu_event", "iu_event_result", "iu_auto_instantiate_event_log")
        ]
    )


async def test_of_two_editions_in_a_call_only_the_newer_is_taken(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    pool: engine.Database,
    template: Template,
    route: UUID,
) -> None:
    old = await edition(owner)
    await put_route(app_conn, template, route_id=route, description="another")
    new = await edition(owner)
    answers = await take_events(
        pool, [an_event(revision, a_firing(route, template)) for revision in (old, new, old, new)]
    )
    assert [answer["status"] for answer in answers] == [
        RULES_CHANGED,
        "accepted",
        RULES_CHANGED,
        "accepted",
    ]
    assert await counts(owner) == (2, 2, 2)


async def test_events_whose_commit_was_not_answered_are_answered_as_taken(
    owner: asyncpg.Connection,
    far_pool: engine.Database,
    proxy: Proxy,
    template: Template,
    route: UUID,
) -> None:
    revision = await edition(owner)
    proxy.lose_answer_to("fn_iu_event_intake_many")
    answers = await take_events(
        far_pool, [an_event(revision, a_firing(route, template)) for _ in range(3)]
    )
    assert [answer["status"] for answer in answers] == ["accepted"] * 3
    assert [result["outcome"] for answer in answers for result in answer["results"]] == [
        "composed"
    ] * 3
    assert proxy.sent("fn_iu_event_intake_many") == 2
    assert await counts(owner) == (3, 3, 3)


async def test_a_firing_whose_commit_was_not_answered_is_answered_as_done(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    far_pool: engine.Database,
    proxy: Proxy,
    template: Template,
    route: UUID,
) -> None:
    await close_gates(owner)
    await open_gates(owner, "event_intake_enabled")
    revision = await edition(owner)
    firing = a_firing(route, template)
    event = an_event(revision, firing)
    await take(app_conn, event)
    await open_gates(owner)
    proxy.lose_answer_to("fn_iu_event_fire_many")
    (answer,) = await fire_routes(
        far_pool, revision, [(event.event_id, firing)], [uuid4()], dry_run=False
    )
    assert answer["outcome"] == "composed"
    assert proxy.sent("fn_iu_event_fire_many") == 2
    assert await owner.fetchval("SELECT firings FROM iu_core.iu_event_result") == 2
    assert await counts(owner) == (1, 1, 1)


async def test_a_batch_has_no_more_under_way_than_the_next_calls_carry(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    pool: engine.Database,
    template: Template,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would wait for itself until it is told that it has waited too long."""
    await owner.execute(
        "INSERT INTO iu_core.event_type_registry (event_type, delivery_lane, domain)"
        " VALUES ($1, 'delayed', 'iu')",
        TYPE,
    )
    for number in range(9):
        await make_route(app_conn, template, f"r{number}", suffix=f"'{number}'")
    unanswered: list[int] = []

    async def take(database: engine.Database, items: Sequence[EventItem]) -> list[dict[str, Any]]:
        unanswered.append(coalescer.status()["unanswered"])
        return await take_events(database, items)

    monkeypatch.setattr(intake, "MOST_UNDER_WAY", 40)
    metrics = Metrics()
    coalescer = Coalescer(take, pool, pool, metrics)
    taking_in = Intake(coalescer, RuleBook(pool), Trigger(pool, Schemas(pool), metrics))
    batch = [
        event_from_document(
            {"specversion": "1.0", "id": f"hire-{number}", "source": SOURCE, "type": TYPE}
        )
        for number in range(30)
    ]
    answer = await taking_in.take_batch(Sender("hr", None, "test", "http"), batch, uuid4())
    await coalescer.close()
    assert (answer.accepted, max(unanswered)) == (30, 4)
