"""DBOS: a workflow per event, with the idempotency key as its workflow id.

`start_workflow_async` under `SetWorkflowID`, as its documentation shows for FastAPI: the request is
answered when the workflow is durable, and the workflow, an asynchronous one with nothing to do,
ends beside it in the same event loop. DBOS writes through a synchronous pool in threads. Three
documented settings make it faster than it comes: as many threads as connections
(`max_executor_threads`; without it 32 clients are 32 threads), as many connections as the factory
instead of 20 (both together: 1.2 times), and no question to the server before each use whether the
connection still lives. DBOS's own middleware for FastAPI is left out, and a workflow id that is
known is answered like a new one, without a look at which it was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS, DBOSConfig, SetWorkflowID

from app.schemas.composing import Composed, InstantiateFromEvent
from app.security import Caller
from benchmarks.rivals import CONNECTIONS, Compose, composed, identity


async def _compose(_order: dict[str, Any]) -> None:
    """What the workflow does: nothing."""


_workflow = DBOS.workflow()(_compose)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Compose]:
    """DBOS, launched; it makes its schema where it is not there yet."""
    config = DBOSConfig(
        name="bench",
        system_database_url=url,
        sys_db_pool_size=CONNECTIONS,
        max_executor_threads=CONNECTIONS,
        db_engine_kwargs={"pool_pre_ping": False},
        log_level="ERROR",
    )
    DBOS(config=config)

    async def compose(caller: Caller, order: InstantiateFromEvent) -> Composed:
        key = identity(order)
        document = order.model_dump(mode="json") | {"actor": caller.act_as(order.actor)}
        with SetWorkflowID(key):
            await DBOS.start_workflow_async(_workflow, document)
        return composed(caller, order, key)

    await asyncio.to_thread(DBOS.launch)
    try:
        yield compose
    finally:
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=5)
