"""What an event route would do with the events that came in last. Nothing of it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from uuid import UUID, uuid4

from app.db import events_read as events_db
from app.db.composing import ComposeItem, compose_within
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.expressions import Budget, Expression, Prepared
from app.json_schema import Schema
from app.schemas.event_rules import ConditionVerdict, Simulate, SimulatedEvent, Simulation
from app.services.event_routes import find_route
from app.services.event_rules import NotTaken, Route, Seen, Taken, route_of
from app.services.events import cloud_event
from app.services.judging import UNJUDGED, Schemas, judgement, never_judged
from app.turns import Turns

MOST_BYTES = 8 * 1024 * 1024
"""Of the parameters of all events; with them the simulation ends."""

TRIES = 3
"""How often it is tried: each time but the first, the template's schema was another one."""


async def simulate_event_route(
    database: Database, schemas: Schemas, route_id: UUID, order: Simulate
) -> Simulation:
    """Try a route, enabled or not, on the newest events of its types.

    On fewer than were asked for, where these or their parameters take more than 8 MiB. Refuses
    with `event_route_not_found`.
    """
    route = route_of(await find_route(database, route_id))
    filters = (
        events_db.EventFilters(event_type_prefix=route.pattern[:-1])
        if route.pattern.endswith("*")
        else events_db.EventFilters(event_type=route.pattern)
    )

    async def work(tx: Transaction) -> list[Row]:
        rows, count = await events_db.events(tx, filters, None, order.last)
        return rows[:count]

    turns = Turns()
    tried: list[_Tried] = []
    size = 0
    for row in await database.run(work):
        one = await turns.do(row["size"], _try, route, row)
        size += len(one.taken.text) if isinstance(one.taken, Taken) else 0
        if size > MOST_BYTES:
            break
        tried.append(one)
    takers = [(one.row, one.taken) for one in tried if isinstance(one.taken, Taken)]
    would_be = iter(await _would_be(database, schemas, route, takers))
    items = [
        _simulated(route, one, next(would_be) if isinstance(one.taken, Taken) else None)
        for one in tried
    ]
    return Simulation(events=len(items), taken=len(takers), items=items)


@dataclass(frozen=True, slots=True)
class _Tried:
    """An event, what each condition says of it, and what the route makes of it."""

    row: Row
    conditions: list[ConditionVerdict]
    taken: Taken | NotTaken


def _try(route: Route, row: Row) -> _Tried:
    seen = Seen(cloud_event(row))
    conditions = () if route.filter is None else route.filter.conditions
    budget = Budget()
    verdicts = [_verdict(condition, seen.values, budget) for condition in conditions]
    return _Tried(row, verdicts, route.take(seen))


async def _would_be(
    database: Database, schemas: Schemas, route: Route, takers: Sequence[tuple[Row, Taken]]
) -> list[dict[str, Any]]:
    """What composing would answer to each, in a transaction that is undone."""
    if not takers:
        return []
    schema = await schemas.expected(route.template)
    for _ in range(TRIES):
        items = [_item(route, schema, *taker) for taker in takers]
        answers = await database.undone(partial(compose_within, items=items))
        unjudged = next((one for one in answers if one["status"] == UNJUDGED), None)
        if unjudged is None:
            return answers
        schema = await schemas.learn(route.template, unjudged["details"])
    raise never_judged()


def _item(route: Route, schema: Schema | None, row: Row, taken: Taken) -> ComposeItem:
    judged = judgement(schema, taken.parameters)
    return ComposeItem(
        event_id=row["event_id"],
        event_type=row["event_type"],
        template=route.template,
        suffix=taken.suffix,
        actor=route.actor,
        emit_mode="dry_run",
        reason=f"route {route.key}",
        data=taken.text,
        require_current=False,
        allowed_actors=route.allowed_actors,
        principal=route.principal,
        request_id=uuid4(),
        schema_digest=judged.schema_digest,
        data_errors=judged.data_errors,
    )


def _simulated(route: Route, tried: _Tried, would_be: Mapping[str, Any] | None) -> SimulatedEvent:
    row, taken = tried.row, tried.taken
    parts: dict[str, Any] = {
        "why": None, "detail": None, "suffix": None, "parameters": None, "outcome": None,
        "code": None, "instance_collection_id": None, "template": None, "details": {},
    }  # fmt: skip
    if isinstance(taken, NotTaken):
        parts |= {"why": taken.why, "detail": taken.detail}
    else:
        parts |= {"suffix": taken.suffix, "parameters": taken.parameters}
    if would_be is not None:
        parts |= {
            "outcome": would_be["would_be"],
            "code": would_be["status"] if would_be["would_be"] == "refused" else None,
            "instance_collection_id": would_be["instance_collection_id"],
            "template": would_be["template_key"] or route.template,
            "details": {**would_be["details"], "warnings": would_be["warnings"]},
        }
    return SimulatedEvent(
        event_id=row["event_id"],
        source=row["source"],
        id=row["cloudevent_id"],
        received_at=row["received_at"],
        conditions=tried.conditions,
        taken=isinstance(taken, Taken),
        **parts,
    )


def _verdict(condition: Expression, seen: Prepared, budget: Budget) -> ConditionVerdict:
    said = condition.evaluate(seen, budget)
    verdict: Literal["true", "false", "missing", "failed"]
    if said.failure is None:
        verdict = "true" if said.value else "false"
    else:
        verdict = "missing" if said.failure == "missing" else "failed"
    detail = said.path if verdict == "missing" else said.detail
    return ConditionVerdict(condition=condition.text, verdict=verdict, detail=detail)
