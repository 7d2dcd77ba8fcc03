"""After a change of outbound routes, lanes or live routes: waiting for whoever goes by the old.

Each wait is short and given up again, since whoever comes to the lock meanwhile waits behind it; so
a transaction that takes long keeps the change waiting, and nobody who composes.
"""

import asyncio
import time

import structlog

from app.db import delivery as db
from app.db.engine import Database
from app.refusals.from_database import refusal_from_database_error

log = structlog.get_logger(__name__)

LONGEST_S = 10.0
"""That is waited in all."""

PAUSE_S = 0.1
"""Between two waits, for those who compose."""


async def drain_outbound(database: Database) -> bool:
    """Whether everybody goes by what was committed before; False: the wait was cut off."""
    until = time.monotonic() + LONGEST_S
    while True:
        try:
            await database.run(db.drain_routes, repeatable=False)
        except Exception as error:
            # The change is committed; whatever keeps us from waiting does not undo it.
            if refusal_from_database_error(error) is None:
                raise
            if time.monotonic() > until:
                log.warning("outbound_routes_still_draining")
                return False
            await asyncio.sleep(PAUSE_S)
        else:
            return True
