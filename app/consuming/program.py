"""A program that takes events from one broker until it is told to stop."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import structlog

from app.consuming.client import BROKER_LOG, Client
from app.consuming.taking import Taker
from app.db.engine import Database
from app.errors import StartupError
from app.hosting import Host
from app.metrics import Metrics
from app.observability import configure_logging
from app.services.event_rules import RuleBook
from app.services.intake import Sender
from app.services.judging import Schemas
from app.services.taking_in import running_intake

START_S = 30.0
"""Seconds that a broker has to answer at the start."""

_LIBRARIES = ("aiokafka", "aio_pika", "aiormq", BROKER_LOG.name)

log = structlog.get_logger(__name__)


async def consume(host: Host, client: Client, actor: str, greet: Callable[[], None]) -> None:
    """Take events in, as this actor, until the task is cancelled; then finish those under way.

    `greet` is called when it has begun. Raises StartupError where the database or the broker is not
    as it must be.
    """
    settings = host.settings
    configure_logging(settings.log_level, settings.log_format)
    await host.check()
    url = host.required_service_url()
    database = Database(url, pool_size=settings.pool_size, pool_timeout_s=settings.pool_timeout)
    book, schemas, metrics = RuleBook(database), Schemas(database), Metrics()
    sender = Sender(actor, None, f"consume:{client.name}", client.name)
    try:
        async with (
            running_intake(url, database, book, schemas, metrics) as intake,
            _consuming(client, Taker(intake, sender, metrics)),
        ):
            greet()
            await asyncio.Event().wait()
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _consuming(client: Client, taker: Taker) -> AsyncIterator[None]:
    with _told_in_a_line(client):
        broker = client.broker(taker)
    try:
        with _told_in_a_line(client):
            async with asyncio.timeout(START_S):
                if client.reach is not None:
                    await client.reach()
                await broker.start()
        yield
    finally:
        taker.end()
        try:
            await broker.stop()
        except Exception as error:  # noqa: BLE001 - it is gone, and comes by again
            log.debug("broker_gone", error=type(error).__name__)
        if taker.counts:
            log.info("consumer_stopped", **{str(verdict): n for verdict, n in taker.counts.items()})


@contextlib.contextmanager
def _told_in_a_line(client: Client) -> Iterator[None]:
    """Turn what the broker's library raises into a StartupError that says what to do."""
    try:
        with _silence():
            yield
    except client.absent as error:
        raise StartupError(
            f"The broker has not what is to be read ({type(error).__name__}): make the stream,"
            " topic or queue first, or look at its name."
        ) from error
    except client.unreachable as error:
        # By its class alone: what it says may hold the URL, and that a password.
        raise StartupError(
            f"The broker can't be reached ({type(error).__name__}): look at its URL, at the"
            " credentials in it, and whether it runs."
        ) from error


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the libraries from logging what they raise as well."""
    levels = [(logger, logger.level) for logger in map(logging.getLogger, _LIBRARIES)]
    for logger, _ in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)
