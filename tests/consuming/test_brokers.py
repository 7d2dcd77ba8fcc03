"""What happens to messages: the same with NATS, Kafka and RabbitMQ. FastStream's test brokers."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from app.consuming.taking import Taker
from app.events.reading import event_from_document
from app.metrics import Metrics
from app.services.intake import Intake, Sender
from tests.consuming.benches import BENCHES, Bench, event
from tests.support.templates import close_gates, open_gates


@pytest.fixture(params=BENCHES, ids=lambda bench: bench.name)
async def bench(
    request: pytest.FixtureRequest,
    intake: Intake,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    owner: asyncpg.Connection,
) -> AsyncIterator[Bench]:
    """A broker whose messages are taken in, without delays between tries."""
    name = request.param.name
    sender = Sender("hr-events", None, f"consume:{name}", name)
    bench: Bench = request.param(Taker(intake, sender, metrics, lambda _tries: 0.0), owner)
    async with bench.running(monkeypatch):
        yield bench


async def test_events_of_both_modes_are_acknowledged_when_others_can_see_them(
    bench: Bench, owner: asyncpg.Connection
) -> None:
    await bench.binary(event(1))
    await bench.structured(event(2))
    assert bench.settled == [("acknowledged", 1), ("acknowledged", 2)]
    rows = await owner.fetch(
        "SELECT cloudevent_id, source, event_type, actor, channel, principal, content"
        " FROM iu_core.v_iu_event ORDER BY cloudevent_id"
    )
    assert [tuple(row)[:-1] for row in rows] == [
        (f"hire-{n}", "/hr/eu", "employee.hired", "hr-events", bench.name, f"consume:{bench.name}")
        for n in (1, 2)
    ]
    assert [json.loads(row["content"])["data"] for row in rows] == [{"name": "Ada"}] * 2


async def test_the_same_event_again_is_acknowledged_and_stored_once(bench: Bench) -> None:
    await bench.binary(event())
    await bench.structured(event(datacontenttype="application/json"))
    assert bench.settled == [("acknowledged", 1), ("acknowledged", 1)]


async def test_what_is_refused_for_good_is_rejected_and_told_and_the_next_is_taken(
    bench: Bench, metrics: Metrics
) -> None:
    refused: list[tuple[str, Any]] = [
        ("event_conflict", event(data={"name": "Grace"})),
        ("event_chain_too_deep", event(2, factorydepth=9)),
        ("invalid_input", event(3, specversion="0.3")),
        ("invalid_input", "no event"),
    ]
    await bench.structured(event())
    with capture_logs() as logs:
        for _, document in refused:
            await bench.structured(document)
        await bench.deliver(b"{", {}, "application/cloudevents+json")
        await bench.deliver(b"{}", {}, "text/plain")
        await bench.structured([event(4)], "application/cloudevents-batch+json")
        await bench.structured(event(5, data="x" * 2**20))
    await bench.structured(event(6))
    codes = [
        *(code for code, _ in refused),
        "invalid_input",
        "unsupported_media_type",
        "unsupported_media_type",
        "too_large",
    ]
    assert [what for what, _ in bench.settled] == [
        "acknowledged", *["rejected"] * len(codes), "acknowledged",
    ]  # fmt: skip
    assert await bench.stored() == 2
    told = [(log["code"], log["source"], log["id"]) for log in logs]
    assert [code for code, _, _ in told] == codes
    assert told[:2] == [
        ("event_conflict", "/hr/eu", "hire-1"),
        ("event_chain_too_deep", "/hr/eu", "hire-2"),
    ]
    counted = metrics.registry.get_sample_value("factory_refusals_total", {"code": "invalid_input"})
    assert counted == 3


async def test_an_event_that_came_as_another_actors_before_is_known(
    bench: Bench, intake: Intake
) -> None:
    payroll = Sender("payroll", "payroll", "test", "http")
    await intake.take(payroll, event_from_document(event()), uuid4())
    with capture_logs() as logs:
        await bench.structured(event())
    assert bench.settled == [("acknowledged", 1)]
    assert logs == []


async def test_at_a_closed_gate_it_is_put_off_and_taken_when_it_comes_again(
    bench: Bench, owner: asyncpg.Connection
) -> None:
    await close_gates(owner)
    with capture_logs() as logs:
        await bench.binary(event())
        assert bench.settled == [("again", 0)]
        await open_gates(owner, "event_intake_enabled")
        await bench.binary(event())
    assert bench.settled == [("again", 0), ("acknowledged", 1)]
    assert [(log["event"], log.get("code")) for log in logs] == [
        ("events_wait", "event_intake_gate_closed"),
        ("events_go_on", None),
    ]
