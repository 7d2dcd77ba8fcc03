"""What is asked of a broker's client, and how FastStream is used for all of them.

Messages come as the broker's own library has them. FastStream's parsers decode headers and bodies,
and what they can't decode would be neither refused nor told.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from faststream.message import StreamMessage

from app.consuming.taking import Taker
from app.hosting import SHUTDOWN_S

BROKER_LOG = logging.getLogger(__name__)
"""Where FastStream says what goes wrong. What it says of each message is left out."""


def _is_news(record: logging.LogRecord) -> bool:
    """A queue in which nothing came for a while is none; FastStream takes it for a failure."""
    return not (record.exc_info and isinstance(record.exc_info[1], TimeoutError))


BROKER_LOG.setLevel(logging.WARNING)
BROKER_LOG.addFilter(_is_news)

GRACE_S = float(SHUTDOWN_S)
"""Seconds that messages under way have to be finished when the program is told to stop."""


class Broker(Protocol):
    """A broker of FastStream's."""

    async def start(self) -> None:
        """Connect, and take messages from now on."""

    async def stop(self) -> None:
        """Take no more messages, wait for those under way, and leave."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of one broker."""

    name: Literal["nats", "kafka", "rabbitmq"]
    broker: Callable[[Taker], Broker]
    """The broker whose messages a taker takes in, once it is started."""
    absent: tuple[type[Exception], ...]
    """What is raised where there is no such stream, topic or queue."""
    unreachable: tuple[type[Exception], ...]
    """What is raised where the broker can't be reached, or does not let this program in."""
    reach: Callable[[], Awaitable[None]] | None = None
    """Raises it where `start` would try again without end."""


async def parsed(message: Any) -> StreamMessage[Any]:
    """The message, unread."""
    return StreamMessage(message, b"")


async def decoded(message: StreamMessage[Any]) -> Any:
    """What the handler gets: the message as the broker's library has it."""
    return message.raw_message
