"""Events from NATS JetStream: a durable pull consumer of a stream that is there already.

What is not taken now is delivered again by the server, which also counts how often it was.
"""

from functools import partial

import nats
from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy as Acknowledging
from nats.js.api import ConsumerConfig
from nats.js.errors import NotFoundError

from app.consuming.client import BROKER_LOG, GRACE_S, Client, decoded, parsed
from app.consuming.reading import Binding, event_of
from app.consuming.taking import AT_ONCE, Taker, Verdict
from app.events.reading import unescaped

MOST_HELD = 4 * AT_ONCE
"""Messages that the server waits for at most, those that are put off among them."""

BINDING = Binding(("ce-",), lambda value: unescaped(value.encode()).decode())


def nats_client(url: str, stream: str, subject: str, durable: str) -> Client:
    """The client for a subject of a stream, with the name of the consumer that it keeps there."""
    return Client(
        "nats",
        partial(nats_broker, url, stream, subject, durable),
        absent=(NotFoundError,),
        unreachable=(OSError, NatsError, ValueError),
        reach=partial(_reach, url),
    )


def nats_broker(url: str, stream: str, subject: str, durable: str, taker: Taker) -> NatsBroker:
    """The broker whose messages the taker takes in."""
    broker = NatsBroker(
        url,
        max_reconnect_attempts=-1,  # without end: whoever started it stops it
        graceful_timeout=GRACE_S,
        apply_types=False,
        logger=BROKER_LOG,
    )

    @broker.subscriber(
        subject,
        stream=JStream(stream, declare=False),
        durable=durable,
        config=ConsumerConfig(ack_policy=Acknowledging.EXPLICIT, max_ack_pending=MOST_HELD),
        pull_sub=PullSub(batch_size=AT_ONCE),
        max_workers=AT_ONCE,
        ack_policy=AckPolicy.MANUAL,
        parser=parsed,
        decoder=decoded,
    )
    async def take(message: Msg) -> None:
        read = partial(event_of, BINDING, (message.headers or {}).items(), message.data)
        match await taker.take(read, f"{message.subject} {message.metadata.sequence.stream}"):
            case Verdict.TAKEN:
                await message.ack()
            case Verdict.REFUSED:
                await message.term()
            case Verdict.NOT_NOW:
                await message.nak(delay=taker.delay(message.metadata.num_delivered))

    return broker


async def _reach(url: str) -> None:
    connection = await nats.connect(
        url,
        allow_reconnect=False,
        max_reconnect_attempts=1,  # or it looks for a server for two minutes all the same
        reconnect_time_wait=0,
        error_cb=_passed_over,
    )
    await connection.close()


async def _passed_over(_error: Exception) -> None:
    """It is raised as well."""
