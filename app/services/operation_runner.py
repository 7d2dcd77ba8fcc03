"""Works on operations, beside the requests: every process has one runner, an operation one at most.

A runner holds an operation by a claim that ends by itself, so that another one goes on where a
process died. What a chunk came to is committed with it: nothing is done twice, and nothing is lost.

created, resumed   the process that was asked wakes its runner
anything else      every runner looks every few seconds for an operation that nobody holds
unjudged           another schema was published since: judge the data by that, and go on
trouble            of the database, that passes: wait, longer each time, and try fewer items
a defect           try fewer items, down to one, and mark that one failed
stopping           the chunk that runs is finished, and the claim given back
"""

import asyncio
import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import structlog

from app.db import operations as db
from app.db.engine import Database, Transaction
from app.db.limits import Limits
from app.json_schema import Schema
from app.metrics import Metrics
from app.refusals.from_database import refusal_from_database_error
from app.refusals.spec import Kind
from app.services.judging import UNJUDGED, Schemas, data_errors

log = structlog.get_logger(__name__)

CHUNK = 200
"""Items of one transaction, where nothing is wrong."""

STEP = Limits(statement_ms=10_000, lock_ms=2_000)
"""One chunk."""

CLAIM_S = 60
"""For how long an operation is held; longer than a chunk takes with all that is tried again."""

LOOK_EVERY_S = 3.0
"""How often a runner that has nothing to do looks for what others left."""

AT_ONCE = 2
"""How many operations one process works on at once: a long one must not keep all others waiting."""

_COUNTED = {"composed": "composed", "idempotent_replay": "replayed", "dry_run": "dry_runs"}
"""What the metrics call an outcome, and what an operation calls the number of items that had it."""

_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0


class OperationRunner:
    """The runner of one process. `start` it with the loop, and `stop` it before the database."""

    def __init__(self, database: Database, metrics: Metrics, schemas: Schemas) -> None:
        self._database = database
        self._metrics = metrics
        self._schemas = schemas
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look for operations."""
        self._tasks = [asyncio.create_task(self._look()) for _ in range(AT_ONCE)]

    def wake(self) -> None:
        """Say that there is something to do."""
        self._woken.set()

    async def stop(self) -> None:
        """Finish the chunks that run, and let go of what is held."""
        self._stopping.set()
        self._woken.set()
        await asyncio.gather(*self._tasks)

    async def _look(self) -> None:
        wait_s = _FIRST_WAIT_S
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                worked = await self._carry_out_one()
            except Exception as error:
                if _is_trouble(error):
                    log.warning("operations_not_reached", wait_s=wait_s, error=repr(error))
                else:
                    log.exception("operations_left_alone", wait_s=wait_s)
                await _within(wait_s, self._stopping)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                continue
            wait_s = _FIRST_WAIT_S
            if not worked:
                await _within(LOOK_EVERY_S, self._woken)

    async def _carry_out_one(self) -> bool:
        """Work on an operation, as long as there is something to do; whether there was one."""
        runner = uuid4()

        async def claim(tx: Transaction) -> dict[str, Any] | None:
            operation_id = await db.claim_operation(tx, runner, CLAIM_S)
            return None if operation_id is None else await db.find_operation(tx, operation_id)

        operation = await self._database.run(claim)
        if operation is None:
            return False
        operation_id = operation["operation_id"]
        with structlog.contextvars.bound_contextvars(operation_id=str(operation_id)):
            log.info("operation_taken")
            try:
                state = await self._steps(operation, runner)
            finally:
                await self._database.run(
                    lambda tx: db.let_go_of_operation(tx, operation_id, runner), repeatable=True
                )
            log.info("operation_left", state=state)
        return True

    async def _steps(self, operation: Mapping[str, Any], runner: UUID) -> str:
        """Work on it until it needs no more, or is another runner's; the state it is left in."""
        items, wait_s = CHUNK, _FIRST_WAIT_S
        seen = operation
        while not self._stopping.is_set():
            items = max(1, min(items, seen["not_attempted"]))
            try:
                now = await self._step(operation["operation_id"], runner, items)
                if now["status"] == UNJUDGED:
                    await self._judge(operation["operation_id"], runner, now["items"])
                    continue
            except Exception as error:
                if _is_trouble(error):
                    log.warning("operation_waits", wait_s=wait_s, error=repr(error))
                    await _within(wait_s, self._stopping)
                    wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
                elif items > 1:
                    log.warning("operation_chunk_failed", items=items, error=repr(error))
                else:
                    log.exception("operation_item_failed")
                    await self._fail_next(operation["operation_id"], runner)
                items //= 2
                continue
            if now["status"] == "not_yours":
                return "not_yours"
            self._count(seen, now)
            if now["state"] != "running":
                return str(now["state"])
            seen = now
            items, wait_s = min(CHUNK, 2 * items), _FIRST_WAIT_S
        return "stopping"

    async def _step(self, operation_id: UUID, runner: UUID, items: int) -> dict[str, Any]:
        # A second run after an ambiguous COMMIT works on the next items.
        return await self._database.run(
            lambda tx: db.step_operation(tx, operation_id, runner, items, CLAIM_S),
            limits=STEP,
            repeatable=True,
        )

    async def _judge(
        self, operation_id: UUID, runner: UUID, items: Sequence[Mapping[str, Any]]
    ) -> None:
        """Judge the data of items by the schemas that they are named with."""
        ordinals = [item["ordinal"] for item in items]
        data = await self._database.run(
            lambda tx: db.operation_data(tx, operation_id, ordinals), repeatable=True
        )
        schemas = {
            digest: await self._schemas.by_digest(digest)
            for digest in {item["schema_digest"] for item in items}
        }
        # Pure Python for each item: in a thread, so that others have their turns.
        judged = await asyncio.to_thread(_judged, items, data, schemas)
        log.info("operation_items_judged", items=len(judged))
        await self._database.run(
            lambda tx: db.judge_operation_items(tx, operation_id, runner, judged, CLAIM_S),
            repeatable=True,
        )

    async def _fail_next(self, operation_id: UUID, runner: UUID) -> None:
        # Not repeatable: a second run would mark the item after it.
        await self._database.run(
            lambda tx: db.fail_operation_item(tx, operation_id, runner, "internal", CLAIM_S)
        )

    def _count(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        for outcome, name in _COUNTED.items():
            self._metrics.outcome(outcome, now[name] - before[name])


def _judged(
    items: Sequence[Mapping[str, Any]], data: Mapping[int, str], schemas: Mapping[str, Schema]
) -> list[db.JudgedItem]:
    return [
        db.JudgedItem(
            item["ordinal"],
            item["schema_digest"],
            data_errors(schemas[item["schema_digest"]], json.loads(data[item["ordinal"]])),
        )
        for item in items
    ]


def _is_trouble(error: Exception) -> bool:
    """Whether it is the database's own trouble, which passes."""
    refusal = refusal_from_database_error(error)
    return refusal is not None and refusal.spec.kind is Kind.UNAVAILABLE


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for the event, so long at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
