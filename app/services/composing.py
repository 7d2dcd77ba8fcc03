"""Composing instances from events: one, or many at once."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID, uuid4

from app.canonical_json import canonical_json
from app.commands import elevated_scope
from app.db import composing as db
from app.db.composing import ComposeItem
from app.db.engine import Database
from app.errors import Refusal
from app.json_schema import Schema
from app.metrics import Metrics
from app.refusals.from_database import refusal_from_status
from app.schemas.composing import (
    BulkAnswer,
    Composed,
    DryRun,
    Instance,
    InstantiateFromEvent,
    WouldBeRefused,
)
from app.security import Caller
from app.services.coalescer import Coalescer
from app.services.judging import TRIES, UNJUDGED, Schemas, judgement, never_judged

Composer = Coalescer[ComposeItem]
"""What composes for requests, many of them in one call."""

_OUTCOMES: dict[str, Literal["composed", "idempotent_replay"]] = {
    "ok": "composed",
    "idempotent_replay": "idempotent_replay",
}

_MEMBERS = tuple(Instance.model_fields)

_WITHIN_THE_BULK = (
    "Two items of the bulk have the same event, template and suffix, and different `fields`."
    " Nothing of it was kept."
)


async def compose_from_event(
    coalescer: Composer, schemas: Schemas, caller: Caller, order: InstantiateFromEvent
) -> Composed | DryRun:
    """The instance of one event, newly composed or as it was; or what a dry run says.

    Refuses with whatever the orchestrator decides, in the order of its checks, with
    `actor_not_allowed` for an actor that the key may not use, and with `overloaded` where too many
    wait for their turn.
    """
    schema = await schemas.expected(order.template)
    for _ in range(TRIES):
        answer = await coalescer.send(_item(caller, order, caller.request_id, schema))
        if answer["status"] != UNJUDGED:
            break
        schema = await schemas.learn(order.template, answer["details"])
    else:
        raise never_judged()
    if _is_refused(answer):
        raise _refusal(answer)
    result = _result(answer)
    coalescer.metrics.outcome(result.outcome)
    return result


async def compose_bulk(
    database: Database,
    metrics: Metrics,
    schemas: Schemas,
    caller: Caller,
    orders: Sequence[InstantiateFromEvent],
    *,
    gate_window: bool,
) -> BulkAnswer:
    """All items in one transaction, or none of them.

    Refuses with the first refused item's code, and lists every one under `items`; with `too_large`
    beyond 64 actors or 256 template families; with `forbidden` where a caller below operator asks
    for a gate window.
    """
    if gate_window:
        caller.need(elevated_scope("instantiate_bulk"))
    operation_id = uuid4()
    judged_by = await schemas.look_up({order.template for order in orders})
    for _ in range(TRIES):
        # Pure Python for each item: in a thread, so that others have their turns.
        items = await asyncio.to_thread(_items, caller, orders, judged_by)
        answers = await db.compose_atomic(database, items, operation_id, window=gate_window)
        unjudged = {
            order.template: answer["details"]
            for order, answer in zip(orders, answers, strict=True)
            if answer["status"] == UNJUDGED
        }
        if not unjudged:
            break
        for reference, details in unjudged.items():
            judged_by[reference] = await schemas.learn(reference, details)
    else:
        raise never_judged()
    bulk = await asyncio.to_thread(_bulk_answer, operation_id, answers)
    for outcome, times in Counter(result.outcome for result in bulk.items).items():
        metrics.outcome(outcome, times)
    return bulk


def _items(
    caller: Caller, orders: Sequence[InstantiateFromEvent], schemas: Mapping[str, Schema]
) -> list[ComposeItem]:
    return [_item(caller, order, uuid4(), schemas.get(order.template)) for order in orders]


def _item(
    caller: Caller, order: InstantiateFromEvent, request_id: UUID, schema: Schema | None
) -> ComposeItem:
    found = judgement(schema, order.data)
    return ComposeItem(
        event_id=order.event_id,
        event_type=order.event_type,
        template=order.template,
        suffix=order.suffix,
        actor=caller.act_as(order.actor),
        emit_mode=order.emit_mode,
        reason=order.reason,
        data=canonical_json(order.data),
        require_current=order.require_current,
        allowed_actors=caller.allowed_actors,
        principal=caller.principal,
        request_id=request_id,
        schema_digest=found.schema_digest,
        data_errors=found.data_errors,
    )


def _is_refused(answer: Mapping[str, Any]) -> bool:
    return answer["would_be"] is None and answer["status"] not in _OUTCOMES


def _refusal(answer: Mapping[str, Any]) -> Refusal:
    return refusal_from_status({"status": answer["status"], **answer["details"]})


def _bulk_refusal(answers: Sequence[Mapping[str, Any]]) -> Refusal:
    composed = {
        answer["instance_collection_id"]: answer["ordinal"]
        for answer in answers
        if answer["status"] == "ok" and answer["would_be"] is None
    }
    refused = [
        (answer, _members(answer, composed.get(answer["instance_collection_id"])))
        for answer in answers
        if _is_refused(answer)
    ]
    items = [
        {"ordinal": answer["ordinal"], "code": answer["status"], **members}
        for answer, members in refused
    ]
    first, members = refused[0]
    within = members.pop("earlier_ordinal", None) is not None
    return refusal_from_status(
        {"status": first["status"], **members, "items": items},
        detail=_WITHIN_THE_BULK if within else None,
    )


def _members(answer: Mapping[str, Any], earlier_ordinal: int | None) -> dict[str, Any]:
    """What is told of a refused item. What it conflicts with may be gone with the bulk."""
    members = dict(answer["details"])
    if answer["status"] == "idempotency_conflict" and earlier_ordinal is not None:
        del members["instance_collection_id"]
        members["earlier_ordinal"] = earlier_ordinal
    return members


def _result(answer: Mapping[str, Any]) -> Composed | DryRun:
    members = {name: answer[name] for name in _MEMBERS}
    if answer["would_be"] is None:
        return Composed(outcome=_OUTCOMES[answer["status"]], **members)
    refusal = None
    if answer["would_be"] == "refused":
        refused = _refusal(answer)
        refusal = WouldBeRefused(
            code=refused.code, detail=refused.detail, members=dict(refused.members)
        )
    return DryRun(outcome="dry_run", would_be=answer["would_be"], refusal=refusal, **members)


def _bulk_answer(operation_id: UUID, answers: Sequence[Mapping[str, Any]]) -> BulkAnswer:
    if any(_is_refused(answer) for answer in answers):
        raise _bulk_refusal(answers)
    results = [_result(answer) for answer in answers]
    outcomes = [result.outcome for result in results]
    return BulkAnswer(
        operation_id=operation_id,
        total=len(results),
        composed=outcomes.count("composed"),
        replayed=outcomes.count("idempotent_replay"),
        dry_runs=outcomes.count("dry_run"),
        items=results,
    )
