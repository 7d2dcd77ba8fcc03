"""Operations: bulks that are worked on in chunks, and rollbacks of more than one transaction."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from app.canonical_json import canonical_json
from app.commands import elevated_scope
from app.db import operations as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.errors import Refusal
from app.json_schema import Schema
from app.paging import Keyset
from app.refusals.from_database import refusal_from_database_error, refusal_from_status
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.schemas.composing import InstantiateFromEvent
from app.schemas.operations import (
    Operation,
    OperationItem,
    OperationItemList,
    OperationItemPage,
    OperationList,
    OperationPage,
    OperationStep,
)
from app.security import Caller
from app.services.judging import Schemas, judgement
from app.services.operation_runner import OperationRunner

ENDED = frozenset({"cancelled", "completed"})
"""The states that no service works on any more."""

LOOK_EVERY_S = 0.5
"""How often somebody who watches an operation is told of its progress, at most."""

MOST_WATCHERS = 50
"""How many watch operations of one process at once: each of them asks the database."""

_OPERATIONS = Keyset("operations", (datetime, UUID))
_ITEMS = Keyset("operation items", (int,))


@dataclass(frozen=True, slots=True)
class Started:
    """An operation, and whether it is one that was asked for before."""

    operation: Operation
    replayed: bool


async def start_bulk(
    database: Database,
    runner: OperationRunner,
    schemas: Schemas,
    caller: Caller,
    orders: Sequence[InstantiateFromEvent],
    *,
    idempotency_key: str | None,
) -> Started:
    """Freeze the items as an operation, which a service then works on.

    The same key brings back the same operation. Refuses with `actor_not_allowed` for an item of an
    actor that the key may not use, and with `idempotency_conflict` where the key came before with
    other items.
    """
    judged_by = await schemas.look_up({order.template for order in orders})
    # Pure Python for each item: in a thread, so that others have their turns.
    new = await asyncio.to_thread(_new_operation, caller, orders, idempotency_key, judged_by)

    async def work(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any] | None]:
        answer = await db.create_operation(tx, new, "", caller.allowed_actors, _accountable(caller))
        return answer, await db.find_operation(tx, new.operation_id)

    answer, found = await database.run(work, limits=BULK, repeatable=True)
    replayed = answer["status"] == "idempotent_replay"
    if not replayed:
        _granted(answer)
    runner.wake()
    return Started(_operation(found), replayed)


async def list_operations(
    database: Database, caller: Caller, query: OperationList
) -> OperationPage:
    """Operations that the caller may see, newest first.

    Refuses with `actor_not_allowed` for an actor that it may not see.
    """
    own_actors = caller.allowed_actors
    if own_actors is not None and query.actor is not None and not caller.may_act_as(query.actor):
        raise Refusal("actor_not_allowed", actor=query.actor)
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _OPERATIONS.position(query.page_token, within)
    filters = db.OperationFilters(
        query.kind, query.state, query.actor, own_actors, caller.principal
    )

    async def work(tx: Transaction) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
        return await db.list_operations(tx, filters, position, query.limit)

    rows, after = await database.run(work)
    return OperationPage(
        items=[_operation(row) for row in rows],
        next_page_token=None if after is None else _OPERATIONS.token(after, within),
    )


async def get_operation(database: Database, caller: Caller, operation_id: UUID) -> Operation:
    """One operation. Refuses with `operation_not_found`, and `actor_not_allowed` for another's."""

    async def work(tx: Transaction) -> Operation:
        return await _readable(tx, caller, operation_id)

    return await database.run(work)


async def list_operation_items(
    database: Database, caller: Caller, operation_id: UUID, query: OperationItemList
) -> OperationItemPage:
    """The items of an operation, in their order. Refuses like `get_operation`."""
    within = {"operation": operation_id, "outcome": query.outcome}
    position = _ITEMS.position(query.page_token, within)

    async def work(tx: Transaction) -> OperationItemPage:
        await _readable(tx, caller, operation_id)
        rows = await db.list_operation_items(tx, operation_id, query.outcome, position, query.limit)
        page = _ITEMS.page(rows, query.limit, lambda row: (row["ordinal"],), within)
        return OperationItemPage(
            items=[OperationItem(**item) for item in page.items],
            next_page_token=page.next_page_token,
        )

    return await database.run(work)


async def cancel_operation(
    database: Database, caller: Caller, operation_id: UUID, order: OperationStep
) -> Operation:
    """End an operation: what was done stays, the rest is not attempted.

    Refuses with `operation_not_found`, `actor_not_allowed`, and `operation_state` where it does
    not follow from the present state.
    """
    return await _change(database, caller, operation_id, "cancel", order)


async def resume_operation(
    database: Database,
    runner: OperationRunner,
    caller: Caller,
    operation_id: UUID,
    order: OperationStep,
) -> Operation:
    """Let an operation that was halted go on. Refuses like `cancel_operation`."""
    resumed = await _change(database, caller, operation_id, "resume", order)
    runner.wake()
    return resumed


async def retry_failed_operation(
    database: Database,
    runner: OperationRunner,
    caller: Caller,
    operation_id: UUID,
    order: OperationStep,
) -> Operation:
    """Attempt once more what was refused or failed. Refuses like `cancel_operation`."""
    retried = await _change(database, caller, operation_id, "retry_failed", order)
    runner.wake()
    return retried


class Watchers:
    """Who watches operations at this process: a bounded number."""

    def __init__(self) -> None:
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place, until the block ends. Refuses with `overloaded` where none is free."""
        if self._count >= MOST_WATCHERS:
            raise Refusal(
                "overloaded",
                "As many as can watch operations already do.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


async def watch_operation(
    database: Database, first: Operation, is_stopping: Callable[[], bool]
) -> AsyncIterator[Operation]:
    """The operation, and again whenever it has changed, until it has ended or the service stops.

    Who is slow to read misses states in between, and holds nothing meanwhile.
    """
    seen = first
    yield seen
    while seen.state not in ENDED and not is_stopping():
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            found = await database.run(lambda tx: db.find_operation(tx, first.operation_id))
        except Exception as error:
            if refusal_from_database_error(error) is None:
                raise
            continue  # it will be back
        if found is None:
            return
        if found["revision"] != seen.revision:
            seen = _operation(found)
            yield seen


async def _change(
    database: Database, caller: Caller, operation_id: UUID, step: db.Step, order: OperationStep
) -> Operation:
    needed = elevated_scope(f"{step}_operation")
    allowed = None if caller.scope.reaches(needed) else caller.own_actors
    by = _accountable(caller)

    async def work(tx: Transaction) -> tuple[dict[str, Any], dict[str, Any] | None]:
        answer = await db.change_operation(
            tx, operation_id, step, order.reason, allowed_actors=allowed, by=by
        )
        return answer, await db.find_operation(tx, operation_id)

    # The function knows its own retry by the request's id.
    answer, found = await database.run(work, repeatable=True)
    _granted(answer)
    return _operation(found)


def _new_operation(
    caller: Caller,
    orders: Sequence[InstantiateFromEvent],
    idempotency_key: str | None,
    schemas: Mapping[str, Schema],
) -> db.NewOperation:
    digest = hashlib.sha256()
    requests, judgements = [], []
    for order in orders:
        request = _request(caller, order)
        digest.update(request.encode())
        digest.update(b"\n")
        requests.append(request)
        judgements.append(judgement(schemas.get(order.template), order.data))
    return db.NewOperation(
        operation_id=_operation_id(caller.principal, idempotency_key),
        idempotency_key=idempotency_key,
        request_digest=digest.hexdigest(),
        requests=requests,
        schema_digests=[found.schema_digest for found in judgements],
        data_errors=[found.data_errors for found in judgements],
    )


def _operation_id(principal: str, idempotency_key: str | None) -> UUID:
    if idempotency_key is None:
        return uuid4()
    text = f"{principal}\n{idempotency_key}"
    return UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


def _request(caller: Caller, order: InstantiateFromEvent) -> str:
    """One item as fn_iu_operation_create takes it."""
    return json.dumps(
        {
            "event_id": str(order.event_id),
            "event_type": order.event_type,
            "template": order.template,
            "suffix": order.suffix,
            "actor": caller.act_as(order.actor),
            "emit_mode": order.emit_mode,
            "reason": order.reason,
            "data": canonical_json(order.data),
            "require_current": order.require_current,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


async def _readable(tx: Transaction, caller: Caller, operation_id: UUID) -> Operation:
    found = await db.find_operation(tx, operation_id)
    if found is None:
        raise Refusal("operation_not_found")
    others = found["principal"] != caller.principal and not caller.may_act_as(found["actor"])
    if caller.allowed_actors is not None and others:
        raise Refusal("actor_not_allowed")
    return _operation(found)


def _operation(row: Mapping[str, Any] | None) -> Operation:
    assert row is not None  # noqa: S101 - what was created or changed is there
    return Operation(**row)


def _accountable(caller: Caller) -> Accountable:
    return Accountable(caller.actor, caller.principal, caller.request_id)


def _granted(answer: Mapping[str, Any]) -> None:
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
