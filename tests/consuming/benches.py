"""FastStream's in-memory brokers with the program's handlers, and what became of each message.

The three tell the same story, so a test is told once: `deliver` hands one message over, `settled`
holds what the broker was told of it, and whether the event could be seen by others at that moment.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal

import asyncpg
import pytest
from aiokafka import TopicPartition  # type: ignore[import-untyped]
from faststream.kafka import TestKafkaBroker
from faststream.kafka.subscriber.usecase import BatchSubscriber
from faststream.nats import TestNatsBroker
from faststream.nats.testing import PatchedMessage as NatsMessage
from faststream.rabbit import TestRabbitBroker
from faststream.rabbit.testing import PatchedMessage as RabbitMessage

from app.consuming.kafka import kafka_broker
from app.consuming.nats import nats_broker
from app.consuming.rabbitmq import rabbitmq_broker
from app.consuming.taking import Taker, Verdict

ONE = "application/cloudevents+json"
JSON = "application/json"
TYPE = "employee.hired"

Settled = tuple[Literal["acknowledged", "rejected", "again"], int]


def event(number: int = 1, **members: Any) -> dict[str, Any]:
    """A CloudEvent."""
    return {
        "specversion": "1.0",
        "id": f"hire-{number}",
        "source": "/hr/eu",
        "type": TYPE,
        "data": {"name": "Ada"},
        **members,
    }


class Bench(ABC):
    """One in-memory broker."""

    name: str
    prefix: str

    def __init__(self, taker: Taker, witness: asyncpg.Connection) -> None:
        self.taker = taker
        self.settled: list[Settled] = []
        self._witness = witness

    async def structured(self, document: Any, content_type: str = ONE) -> None:
        """Deliver a document."""
        await self.deliver(json.dumps(document).encode(), {}, content_type)

    async def binary(self, document: dict[str, Any]) -> None:
        """Deliver the event of a document in binary mode."""
        headers = {f"{self.prefix}{name}": document[name] for name in document if name != "data"}
        await self.deliver(json.dumps(document["data"]).encode(), headers, JSON)

    async def stored(self) -> int:
        """Events that another connection sees."""
        count: int = await self._witness.fetchval("SELECT count(*) FROM iu_core.iu_event")
        return count

    async def settle(self, what: Literal["acknowledged", "rejected", "again"]) -> None:
        """What the broker is told of a message."""
        self.settled.append((what, await self.stored()))

    @abstractmethod
    async def deliver(self, body: bytes, headers: dict[str, Any], content_type: str) -> None:
        """Hand a message over, and wait until it is settled."""

    @abstractmethod
    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        """The broker, until the block ends."""
        yield


class NatsBench(Bench):
    name = "nats"
    prefix = "ce-"

    async def deliver(self, body: bytes, headers: dict[str, Any], content_type: str) -> None:
        await self._broker.publish(
            body,
            "hr.hired",
            headers={"content-type": content_type, **headers},
            reply_to="$JS.ACK.HR.factory.1.7.7.1700000000000000000.0",
        )

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        async def nak(_message: NatsMessage, delay: float | None = None) -> None:
            assert delay == self.taker.delay(1)
            await self.settle("again")

        patch.setattr(NatsMessage, "ack", lambda _: self.settle("acknowledged"))
        patch.setattr(NatsMessage, "term", lambda _: self.settle("rejected"))
        patch.setattr(NatsMessage, "nak", nak)
        broker = nats_broker("nats://nowhere", "HR", "hr.>", "factory", self.taker)
        async with TestNatsBroker(broker) as self._broker:
            yield


class KafkaBench(Bench):
    """Kafka knows no rejected message: its offset is committed, like that of one that was taken."""

    name = "kafka"
    prefix = "ce_"
    _refused = 0

    async def deliver(self, body: bytes, headers: dict[str, Any], content_type: str) -> None:
        await self._broker.publish(body, "hr", headers={"content-type": content_type, **headers})

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("hr", 0)}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        assert offsets == {TopicPartition("hr", 0): 1}
        refused = self.taker.counts[Verdict.REFUSED]
        await self.settle("rejected" if refused > self._refused else "acknowledged")
        self._refused = refused

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert (partition, offset) == (TopicPartition("hr", 0), 0)
        self.settled.append(("again", 0))

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        broker = kafka_broker("nowhere:9092", "hr", "factory", self.taker)
        (subscriber,) = broker.subscribers
        assert isinstance(subscriber, BatchSubscriber)
        # The in-memory broker has none.
        patch.setattr(subscriber, "consumer", self)
        async with TestKafkaBroker(broker) as self._broker:
            yield


class RabbitBench(Bench):
    name = "rabbitmq"
    prefix = "cloudEvents:"

    async def deliver(self, body: bytes, headers: dict[str, Any], content_type: str) -> None:
        await self._broker.publish(body, "hr", headers=headers, content_type=content_type)

    @asynccontextmanager
    async def running(self, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        async def reject(_message: RabbitMessage, requeue: bool = False) -> None:
            assert not requeue
            await self.settle("rejected")

        async def nack(
            _message: RabbitMessage, multiple: bool = False, requeue: bool = True
        ) -> None:
            assert requeue
            assert not multiple
            await self.settle("again")

        patch.setattr(RabbitMessage, "ack", lambda _: self.settle("acknowledged"))
        patch.setattr(RabbitMessage, "reject", reject)
        patch.setattr(RabbitMessage, "nack", nack)
        async with TestRabbitBroker(rabbitmq_broker("amqp://nowhere", "hr", self.taker)) as broker:
            self._broker = broker
            yield


BENCHES: Iterable[type[Bench]] = (NatsBench, KafkaBench, RabbitBench)
