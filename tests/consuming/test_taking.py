"""Verdicts: what is nobody's fault is put off, and comes again later and later."""

import asyncio

import pytest
from structlog.testing import capture_logs

from app.consuming.taking import LONGEST_DELAY_S, Taker, Verdict, delay_s
from app.db.engine import Database
from app.events.cloudevent import CloudEvent
from app.events.reading import event_from_document
from app.metrics import Metrics
from app.services.event_rules import RuleBook
from app.services.intake import Intake, Sender
from app.services.judging import Schemas
from app.services.taking_in import running_intake
from tests.consuming.benches import event

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SENDER = Sender("hr-events", None, "consume:nats", "nats")


async def test_without_a_database_it_is_put_off() -> None:
    metrics, database = Metrics(), Database(NOWHERE)
    async with running_intake(
        NOWHERE, database, RuleBook(database), Schemas(database), metrics
    ) as intake:
        with capture_logs() as logs:
            taker = Taker(intake, SENDER, metrics)
            for _ in range(2):
                verdict = await taker.take(lambda: event_from_document(event()), "hr 7")
                assert verdict is Verdict.NOT_NOW
    assert [(log["event"], log["code"]) for log in logs] == [
        ("events_wait", "database_unavailable")
    ]


async def test_a_defect_of_ours_is_told_and_loses_nothing(intake: Intake, metrics: Metrics) -> None:
    def fails() -> CloudEvent:
        raise RuntimeError("the reason")

    with capture_logs() as logs:
        assert await Taker(intake, SENDER, metrics).take(fails, "hr 7") is Verdict.NOT_NOW
    assert [(log["event"], log.get("origin"), log.get("code")) for log in logs] == [
        ("event_failed", "hr 7", None),
        ("events_wait", None, "internal"),
    ]


def test_delays_grow_and_are_bounded() -> None:
    delays = [delay_s(tries) for tries in range(1, 2000)]
    assert delays[:6] == [1, 2, 4, 8, 16, LONGEST_DELAY_S]
    assert set(delays[6:]) == {LONGEST_DELAY_S}


async def test_the_end_of_the_program_ends_a_pause(intake: Intake, metrics: Metrics) -> None:
    taker = Taker(intake, SENDER, metrics, lambda _tries: 3600.0)
    pause = asyncio.create_task(taker.pause(1))
    taker.end()
    assert not await pause


@pytest.mark.parametrize("tries", [1, 2])
async def test_a_pause_goes_by(intake: Intake, metrics: Metrics, tries: int) -> None:
    assert await Taker(intake, SENDER, metrics, lambda _tries: 0.0).pause(tries)
