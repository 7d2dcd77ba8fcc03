"""What is committed of Kafka's partitions: what was settled, never what is to be read again."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from aiokafka import ConsumerRecord, TopicPartition  # type: ignore[import-untyped]
from aiokafka.errors import CommitFailedError  # type: ignore[import-untyped]
from faststream.kafka import TestKafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber

from app.consuming.kafka import kafka_broker
from app.consuming.taking import Taker
from app.metrics import Metrics
from app.services.intake import Intake, Sender
from tests.consuming.benches import ONE, event

FIRST, SECOND = TopicPartition("hr", 0), TopicPartition("hr", 1)


class Consumer:
    """A member of a group: what it was told, in order."""

    def __init__(self, *partitions: TopicPartition, fails: bool = False) -> None:
        self.told: list[tuple[str, Any]] = []
        self._partitions = set(partitions)
        self._fails = fails

    def assignment(self) -> set[TopicPartition]:
        return self._partitions

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.told.append(("seek", (partition, offset)))

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self._fails:
            raise CommitFailedError
        self.told.append(("commit", offsets))


def record(partition: TopicPartition, offset: int, **members: Any) -> ConsumerRecord:
    """An event, as it lies in a partition."""
    value = json.dumps(event(offset, source=f"/{partition.partition}", **members)).encode()
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=len(value),
        headers=[("content-type", ONE.encode()), ("noise", b"\xff")],
    )


class Program:
    """The handler of the program, with a consumer in place of a broker's."""

    def __init__(self, intake: Intake) -> None:
        sender = Sender("hr-events", None, "consume:kafka", "kafka")
        self.tries: list[int] = []
        self.taker = Taker(intake, sender, Metrics(), self._delay)
        self._broker = kafka_broker("nowhere:9092", "hr", "factory", self.taker)

    def _delay(self, tries: int) -> float:
        self.tries.append(tries)
        return 0.0

    async def read(self, consumer: Consumer, *records: ConsumerRecord) -> list[tuple[str, Any]]:
        """What the consumer is told after these records were read."""
        (subscriber,) = self._broker.subscribers
        assert isinstance(subscriber, BatchSubscriber)
        async with TestKafkaBroker(self._broker):
            subscriber.consumer = consumer
            await subscriber.process_message(records)
        return consumer.told


@pytest.fixture
async def program(intake: Intake) -> Program:
    return Program(intake)


@pytest.fixture
async def stuck_type(owner: asyncpg.Connection) -> None:
    """Events of the type `stuck` can't be stored; all others are taken."""
    await owner.execute(
        """ALTER TABLE iu_core.iu_event ADD CONSTRAINT no_stuck CHECK (event_type <> 'stuck')"""
    )


async def test_all_that_was_read_is_committed_by_partition(program: Program) -> None:
    records = [record(FIRST, 7), record(SECOND, 40), record(FIRST, 8, specversion="0.3")]
    assert await program.read(Consumer(FIRST, SECOND), *records) == [
        ("commit", {FIRST: 9, SECOND: 41})
    ]
    assert program.tries == []


async def test_a_partition_is_read_again_from_what_was_not_taken(
    program: Program, stuck_type: None
) -> None:
    records = [
        record(FIRST, 7),
        record(FIRST, 8, type="stuck"),
        record(FIRST, 9),
        record(FIRST, 10, type="stuck"),
        record(SECOND, 40),
    ]
    for _ in range(2):
        assert await program.read(Consumer(FIRST, SECOND), *records) == [
            ("seek", (FIRST, 8)),
            ("commit", {FIRST: 8, SECOND: 41}),
        ]
    assert await program.read(Consumer(FIRST, SECOND), record(SECOND, 41)) == [
        ("commit", {SECOND: 42})
    ]
    assert program.tries == [1, 2], "the pauses grow while it does not get on"


async def test_nothing_settled_is_nothing_committed(program: Program, stuck_type: None) -> None:
    stuck = record(FIRST, 7, type="stuck")
    assert await program.read(Consumer(FIRST), stuck) == [("seek", (FIRST, 7))]


async def test_a_partition_that_was_taken_away_is_left_alone(
    program: Program, stuck_type: None
) -> None:
    records = [record(FIRST, 7, type="stuck"), record(SECOND, 40)]
    assert await program.read(Consumer(), *records) == []


async def test_what_can_not_be_committed_is_no_failure(program: Program) -> None:
    assert await program.read(Consumer(FIRST, fails=True), record(FIRST, 7)) == []
    assert await program.read(Consumer(FIRST), record(FIRST, 7)) == [("commit", {FIRST: 8})]


async def test_the_records_of_a_read_share_a_call(
    program: Program, owner: asyncpg.Connection
) -> None:
    records = [record(FIRST, offset) for offset in range(64)]
    async with asyncio.timeout(30):
        assert await program.read(Consumer(FIRST), *records) == [("commit", {FIRST: 64})]
    assert await owner.fetchval("SELECT count(DISTINCT xmin::text) FROM iu_core.iu_event") < 10
