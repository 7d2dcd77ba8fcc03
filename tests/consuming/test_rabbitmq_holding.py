"""RabbitMQ delivers again at once, so what is not taken now is held, and tried again here."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from app.consuming.rabbitmq import MOST_TRIES
from app.consuming.taking import LONGEST_DELAY_S, Taker, Verdict, delay_s
from app.metrics import Metrics
from app.services.intake import Intake, Sender
from tests.consuming.benches import RabbitBench, event
from tests.support.templates import close_gates, open_gates


def bench_of(
    intake: Intake, owner: asyncpg.Connection, delay: Callable[[int], float]
) -> RabbitBench:
    sender = Sender("hr-events", None, "consume:rabbitmq", "rabbitmq")
    return RabbitBench(Taker(intake, sender, Metrics(), delay), owner)


async def test_a_held_message_is_taken_when_the_gate_opens(
    intake: Intake, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await close_gates(owner)
    opening: list[asyncio.Task[None]] = []

    def delay(tries: int) -> float:
        if tries == 1:
            opening.append(asyncio.create_task(open_gates(owner, "event_intake_enabled")))
        return 0.0

    bench = bench_of(intake, owner, delay)
    async with bench.running(monkeypatch):
        await bench.binary(event())
    await opening[0]
    assert bench.settled == [("acknowledged", 1)]
    assert bench.taker.counts[Verdict.NOT_NOW] >= 1


async def test_it_is_handed_back_when_the_program_ends(
    intake: Intake, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await close_gates(owner)
    held = asyncio.Event()

    def delay(_tries: int) -> float:
        held.set()
        return 3600.0

    bench = bench_of(intake, owner, delay)
    async with bench.running(monkeypatch):
        delivery = asyncio.create_task(bench.binary(event()))
        await held.wait()
        bench.taker.end()
        await delivery
    assert bench.settled == [("again", 0)]
    assert bench.taker.counts == {Verdict.NOT_NOW: 1}


def test_it_is_handed_back_before_the_broker_takes_it_away() -> None:
    """RabbitMQ's `consumer_timeout` is half an hour."""
    pauses = sum(delay_s(tries) for tries in range(1, MOST_TRIES))
    assert 600 < pauses < 1500
    assert delay_s(MOST_TRIES) == LONGEST_DELAY_S
