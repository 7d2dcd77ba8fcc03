"""No work at all: what FastAPI allows on this machine, with the same route, models and key.

The service answers a made-up instance without waiting for anything.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.schemas.composing import Composed, InstantiateFromEvent
from app.security import Caller
from benchmarks.rivals import Compose, composed, identity


@asynccontextmanager
async def opened(_url: str) -> AsyncIterator[Compose]:
    """Nothing is opened."""

    async def compose(caller: Caller, order: InstantiateFromEvent) -> Composed:
        return composed(caller, order, identity(order))

    yield compose
