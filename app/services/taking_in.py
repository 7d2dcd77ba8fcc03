"""What taking events in is made of: wired once for the service and for the consumers of brokers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.db.engine import Database
from app.db.event_intake import take_events
from app.db.limits import COALESCED
from app.metrics import Metrics
from app.services.coalescer import CONNECTIONS, Coalescer
from app.services.event_rules import RuleBook
from app.services.firing import Trigger
from app.services.intake import Intake
from app.services.judging import Schemas


@asynccontextmanager
async def running_intake(
    url: str, database: Database, book: RuleBook, schemas: Schemas, metrics: Metrics
) -> AsyncIterator[Intake]:
    """The intake on the database of `url`, whose shared calls have connections of their own.

    `database` is for all that is no shared call. When the block ends, what was taken on is finished
    first.
    """
    together = Database(url, pool_size=CONNECTIONS, call=COALESCED, repeats_blocked=False)
    coalescer = Coalescer(take_events, together, database, metrics)
    try:
        yield Intake(coalescer, book, Trigger(database, schemas, metrics))
    finally:
        await coalescer.close()
        await together.close()
