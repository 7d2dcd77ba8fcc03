"""Events from Kafka: a topic, read by a group, committed by hand.

A partition is read in order, so what is not taken now keeps those behind it: the group's offset
stays before it, and it is read again. Of each partition is committed what was settled up to there,
and nothing else: to commit all that was read would lose what was not taken.
"""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from aiokafka import ConsumerRecord, TopicPartition  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, Topic
from faststream.security import BaseSecurity, SASLPlaintext

from app.consuming.client import BROKER_LOG, GRACE_S, Client, decoded, parsed
from app.consuming.reading import Binding, event_of
from app.consuming.taking import AT_ONCE, Taker, Verdict

log = structlog.get_logger(__name__)


def _text(value: bytes | None) -> str:
    if value is None:
        raise ValueError("a header without a value is no text")
    return value.decode()


BINDING = Binding(("ce_",), _text)


def kafka_client(bootstrap: str, topic: str, group: str) -> Client:
    """The client for a topic, as a member of a group.

    `bootstrap` are servers, `host:port` and separated by commas; or, where they ask for credentials
    (SASL PLAIN) or TLS, `kafka://user:password@host:port,…`, `kafka+ssl://…`.
    """
    return Client(
        "kafka",
        partial(kafka_broker, bootstrap, topic, group),
        absent=(),
        unreachable=(OSError, KafkaError, ValueError),
    )


def kafka_broker(bootstrap: str, topic: str, group: str, taker: Taker) -> KafkaBroker:
    """The broker whose messages the taker takes in."""
    servers, security = _servers(bootstrap)
    broker = KafkaBroker(
        servers,
        security=security,
        consumer_only=True,
        graceful_timeout=GRACE_S,
        apply_types=False,
        logger=BROKER_LOG,
    )
    subscriber = broker.subscriber(
        Topic(topic, declare=False),
        group_id=group,
        auto_offset_reset="earliest",  # a new group takes what is there already
        batch=True,
        max_records=AT_ONCE,
        ack_policy=AckPolicy.MANUAL,
        parser=parsed,
        decoder=decoded,
    )
    tries = 0

    @subscriber
    async def take(records: Sequence[ConsumerRecord]) -> None:
        nonlocal tries
        verdicts = await asyncio.gather(*(_take(taker, record) for record in records))
        settled, again = _offsets(zip(records, verdicts, strict=True))
        if subscriber.consumer is not None:  # else it was stopped: all of it is read again
            await _settle(subscriber.consumer, settled, again)
        tries = tries + 1 if again else 0
        if again:
            await taker.pause(tries)

    return broker


async def _take(taker: Taker, record: ConsumerRecord) -> Verdict:
    read = partial(event_of, BINDING, record.headers, record.value or b"")
    return await taker.take(read, f"{record.topic} {record.partition}:{record.offset}")


def _offsets(
    verdicts: Iterable[tuple[ConsumerRecord, Verdict]],
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """For each partition: up to where all is settled, and from where it is to be read again."""
    settled: dict[TopicPartition, int] = {}
    again: dict[TopicPartition, int] = {}
    for record, verdict in verdicts:
        partition = TopicPartition(record.topic, record.partition)
        if verdict is Verdict.NOT_NOW:
            again.setdefault(partition, record.offset)
        if partition not in again:
            settled[partition] = record.offset + 1
    return settled, again


async def _settle(
    consumer: Any, settled: dict[TopicPartition, int], again: dict[TopicPartition, int]
) -> None:
    """Read again what is to be, and commit the rest."""
    # A partition that was given to another member meanwhile is read there, from what is committed.
    ours = consumer.assignment()
    for partition in ours & again.keys():
        consumer.seek(partition, again[partition])
    if offsets := {partition: settled[partition] for partition in ours & settled.keys()}:
        try:
            await consumer.commit(offsets)
        except KafkaError as error:  # a later commit covers it; without one, all is known
            log.warning("offsets_not_committed", error=type(error).__name__)


def _servers(bootstrap: str) -> tuple[list[str], BaseSecurity | None]:
    """The servers, and how to be let in; plain and unknown unless a URL says otherwise."""
    if "://" not in bootstrap:
        return bootstrap.split(","), None
    url = urlsplit(bootstrap)
    if url.scheme not in {"kafka", "kafka+ssl"}:
        raise ValueError("should be a URL like kafka://user:password@host:9092")
    known, _, servers = url.netloc.rpartition("@")
    user, _, password = map(unquote, known.partition(":"))
    context = ssl.create_default_context() if url.scheme == "kafka+ssl" else None
    security = (
        SASLPlaintext(user, password, ssl_context=context, use_ssl=context is not None)
        if known
        else BaseSecurity(ssl_context=context, use_ssl=context is not None)
    )
    return servers.split(","), security
