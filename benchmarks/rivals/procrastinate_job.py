"""procrastinate: a job per event, with the idempotency key as its queueing lock.

The job is only put into its queue, which is what a request would wait for; no worker runs. Jobs are
deferred as its documentation says for asynchronous programs: `PsycopgConnector`, opened for as long
as the program runs, `defer_async`. Of what it documents, the fastest was taken: an external pool
(its own asks the server before each use whether the connection still lives) of connections that
commit each statement by themselves (a job is one statement; else BEGIN and COMMIT are round trips
of their own), and psycopg's compiled form.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import procrastinate
import procrastinate.exceptions
import psycopg_pool

from app.schemas.composing import Composed, InstantiateFromEvent
from app.security import Caller
from benchmarks.rivals import CONNECTIONS, Compose, composed, identity

TASK = "compose"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Compose]:
    """The pool; makes procrastinate's schema where it is not there yet."""
    pool = psycopg_pool.AsyncConnectionPool(
        url, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}, open=False
    )
    app = procrastinate.App(connector=procrastinate.PsycopgConnector())
    task = app.task(name=TASK)(_compose)

    async def compose(caller: Caller, order: InstantiateFromEvent) -> Composed:
        key = identity(order)
        try:
            await task.configure(queueing_lock=key).defer_async(
                actor=caller.act_as(order.actor), **order.model_dump(mode="json", exclude={"actor"})
            )
        except procrastinate.exceptions.AlreadyEnqueued:
            return composed(caller, order, key, outcome="idempotent_replay")
        return composed(caller, order, key)

    async with pool, app.open_async(pool):
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        yield compose


async def _compose(**_order: Any) -> None:
    """What a worker would run."""
