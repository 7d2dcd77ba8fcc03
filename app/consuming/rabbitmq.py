"""Events from RabbitMQ: a queue that is there already, with the arguments that its owner gave it.

RabbitMQ delivers again at once what is handed back, and a quorum queue drops what was delivered
too often. So a message that is not taken now is held and tried again here. It is handed back before
the broker takes the channel away for holding it too long (`consumer_timeout`, half an hour).
"""

import itertools
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue

from app.consuming.client import BROKER_LOG, GRACE_S, Client, decoded, parsed
from app.consuming.reading import Binding, event_of
from app.consuming.taking import AT_ONCE, Taker, Verdict

MOST_TRIES = 45
"""Of one delivery: twenty minutes."""


def rabbitmq_client(url: str, queue: str) -> Client:
    """The client for a queue."""
    return Client(
        "rabbitmq",
        partial(rabbitmq_broker, url, queue),
        absent=(ChannelNotFoundEntity,),
        unreachable=(OSError, AMQPError, ValueError),
    )


def rabbitmq_broker(url: str, queue: str, taker: Taker) -> RabbitBroker:
    """The broker whose messages the taker takes in."""
    broker = RabbitBroker(
        url,
        graceful_timeout=GRACE_S,
        apply_types=False,
        logger=BROKER_LOG,
    )

    @broker.subscriber(
        RabbitQueue(queue, declare=False),
        channel=Channel(prefetch_count=AT_ONCE),
        ack_policy=AckPolicy.MANUAL,
        parser=parsed,
        decoder=decoded,
    )
    async def take(message: AbstractIncomingMessage) -> None:
        headers = [("content-type", message.content_type or ""), *message.headers.items()]
        read = partial(event_of, BINDING, headers, message.body)
        origin = f"{message.routing_key} {message.delivery_tag}"
        for tries in itertools.count(1):
            match await taker.take(read, origin):
                case Verdict.TAKEN:
                    await message.ack()
                    return
                case Verdict.REFUSED:
                    # To the queue's dead-letter exchange, where it has one.
                    await message.reject(requeue=False)
                    return
            if tries == MOST_TRIES or not await taker.pause(tries):
                await message.nack(requeue=True)
                return

    return broker


def _text(value: Any) -> str:
    """An AMQP value as the attribute's canonical string (AMQP binding, 3.1.3.2)."""
    match value:
        case str():
            return value
        case bytes():
            return value.decode()
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise ValueError("no attribute has a value of this type")


BINDING = Binding(("cloudEvents:", "cloudEvents_"), _text)
