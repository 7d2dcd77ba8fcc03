"""Sealing the audit log beside the requests: every process of the service tries, now and then.

Whoever comes second finds nothing to do. What a process had not sealed when it died, another one
seals, or the next one that is started.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from app.services.audit import Audit

log = structlog.get_logger(__name__)

EVERY_S = 20.0
"""Rows become old enough once a minute."""

SEALER = "service"


@asynccontextmanager
async def sealing(audit: Audit) -> AsyncIterator[None]:
    """Seal while the block runs. A transaction that has begun is carried to its end."""
    working = asyncio.create_task(_seal(audit))
    try:
        yield
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def _seal(audit: Audit) -> None:
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            await audit.seal(SEALER)
        except Exception as error:  # noqa: BLE001 - it goes on when the database does
            log.warning("audit_not_sealed", error=repr(error))
