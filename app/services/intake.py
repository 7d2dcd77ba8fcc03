"""Taking events in: judged by the rules in force, stored once, and fired along their routes."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import structlog

from app.canonical_json import canonical_json
from app.db.engine import Database
from app.db.event_intake import PENDING, RULES_CHANGED, EventItem, Firing, fire_routes
from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.events.identity import content_of, event_id, travelled_of
from app.metrics import Metrics
from app.refusals.from_database import refusal_from_database_error, refusal_from_status
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.schemas.events import BatchAnswer, RefusedEvent, RouteNotTaken, RouteResult, TakenEvent
from app.services.coalescer import Coalescer
from app.services.event_rules import NotTaken, Route, RuleBook, Rules, Taken, prepared
from app.services.judging import Schemas, data_errors, judgement

log = structlog.get_logger(__name__)

DEEPEST_CHAIN = 8
"""How many products of factories may have led to an event."""

TRIES = 5
"""How often an event is judged: each time but the first, the rules were changed meanwhile."""

AT_A_TIME = 256
"""Events of one batch that are under way together."""

_DECIDED = (
    "outcome", "code", "instance_collection_id", "template", "suffix", "details", "fired_at",
    "firings",
)  # fmt: skip
_COUNTED = {"composed": "composed", "replayed": "idempotent_replay", "dry_run": "dry_run"}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an event, and by which way: `http`, `event-source:<name>`, or a broker."""

    actor: str
    allowed_actors: str | None
    principal: str
    channel: str


class Intake:
    """Takes events in. One for a process."""

    def __init__(
        self,
        coalescer: Coalescer[EventItem],
        database: Database,
        book: RuleBook,
        schemas: Schemas,
        metrics: Metrics,
    ) -> None:
        self._coalescer = coalescer
        self._database = database
        self._book = book
        self._schemas = schemas
        self._metrics = metrics

    async def take(self, sender: Sender, event: CloudEvent, request_id: UUID) -> TakenEvent:
        """Store an event and fire the routes that it takes; or answer one that is known as it was.

        Refuses with `event_intake_gate_closed`, `event_conflict`, `event_type_not_found`,
        `payload_invalid`, `event_chain_too_deep`, `actor_not_allowed` where another actor sent it
        before, and `overloaded`. What composing refuses is among the results, not raised.
        """
        rules = await self._book.current()
        for _ in range(TRIES):
            item = await self._judge(rules, sender, event, request_id)
            answer = await self._coalescer.send(item)
            if answer["status"] != RULES_CHANGED:
                break
            rules = await self._book.current(after=rules)
        else:
            raise Refusal(
                "overloaded",
                "The rules for events were changed each time that the event was judged.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        if answer["status"] not in {"accepted", "known"}:
            raise refusal_from_status({"status": answer["status"], **answer["details"]})
        if answer["status"] == "accepted":
            self._count(result["outcome"] for result in answer["results"])
        if any(result["outcome"] == PENDING for result in answer["results"]):
            answer["results"] = await self._decide(item, answer["results"])
        return _taken(answer, event)

    async def take_batch(
        self, sender: Sender, batch: Sequence[CloudEvent | Refusal]
    ) -> BatchAnswer:
        """Take each event of a batch for itself: one that is refused leaves the others alone."""
        items: list[TakenEvent | RefusedEvent] = []
        for begin in range(0, len(batch), AT_A_TIME):
            part = batch[begin : begin + AT_A_TIME]
            items += await asyncio.gather(*(self._take_or_refuse(sender, one) for one in part))
        counts = Counter(item.outcome for item in items)
        return BatchAnswer(
            total=len(items),
            accepted=counts["accepted"],
            known=counts["known"],
            refused=counts["refused"],
            items=items,
        )

    async def fire(
        self, revision: int, firings: Sequence[tuple[UUID, Firing]], *, dry_run: bool
    ) -> list[dict[str, Any]]:
        """Fire routes of stored events, one answer for each: see app.db.event_intake.fire_routes.

        What the orchestrator could not judge by what it was told is judged anew, and fired again.
        """
        request_ids = [uuid4() for _ in firings]
        waiting = dict(enumerate(firings))
        answers: dict[int, dict[str, Any]] = {}
        for _ in range(TRIES):
            fired = await fire_routes(
                self._database,
                revision,
                list(waiting.values()),
                [request_ids[place] for place in waiting],
                dry_run=dry_run,
            )
            answers |= zip(waiting, fired, strict=True)
            waiting = {
                place: (event, await self._judged_by(firing, answers[place]["details"]))
                for place, (event, firing) in waiting.items()
                if answers[place]["outcome"] == PENDING
            }
            if not waiting:
                break
        if not dry_run:
            self._count(answer["outcome"] for answer in answers.values() if answer["fired"])
        return [answers[place] for place in range(len(firings))]

    async def _take_or_refuse(
        self, sender: Sender, event: CloudEvent | Refusal
    ) -> TakenEvent | RefusedEvent:
        if isinstance(event, Refusal):
            return _refused(event, None)
        try:
            return await self.take(sender, event, uuid4())
        except Refusal as refusal:
            return _refused(refusal, event)
        except Exception as error:  # a defect that one event meets is none of its neighbours'
            known = refusal_from_database_error(error)
            if known is None:
                log.exception("event_failed", source=event.source, id=event.id)
            return _refused(known or Refusal("internal"), event)

    def _count(self, outcomes: Iterable[str]) -> None:
        for outcome, times in Counter(outcomes).items():
            if outcome in _COUNTED:
                self._metrics.outcome(_COUNTED[outcome], times)

    async def _judge(
        self, rules: Rules, sender: Sender, event: CloudEvent, request_id: UUID
    ) -> EventItem:
        content = canonical_json(content_of(event))
        refusal, inert = _refusal(rules, event)
        firings: list[Firing] = []
        not_taken: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        if refusal is None and not inert:
            seen = prepared(event)
            for route in rules.routes_of(event.type):
                taken = route.take(seen, event.data)
                if isinstance(taken, NotTaken):
                    not_taken[taken.why, taken.detail].append(route.key)
                else:
                    firings.append(await self.firing(route, taken))
        return EventItem(
            rules_revision=rules.revision,
            event_id=event_id(event.source, event.id),
            source=event.source,
            cloudevent_id=event.id,
            event_type=event.type,
            depth=min(event.factorydepth, DEEPEST_CHAIN),
            content=content,
            travelled=canonical_json(travelled_of(event)),
            is_inert=inert,
            channel=sender.channel,
            not_matched=_told(not_taken) if not_taken else None,
            refusal=None if refusal is None else json.dumps(refusal, ensure_ascii=False),
            actor=sender.actor,
            allowed_actors=sender.allowed_actors,
            principal=sender.principal,
            request_id=request_id,
            firings=firings,
        )

    async def firing(self, route: Route, taken: Taken) -> Firing:
        """The route that an event takes, with its parameters judged by what the process knows."""
        judged = judgement(await self._schemas.expected(route.template), taken.parameters)
        return Firing(
            route_id=route.route_id,
            reason=f"route {route.key}",
            template=route.template,
            suffix=taken.suffix,
            actor=route.actor,
            emit_mode=route.emit_mode,
            data=canonical_json(taken.parameters),
            schema_digest=judged.schema_digest,
            data_errors=judged.data_errors,
            allowed_actors=route.allowed_actors,
            principal=route.principal,
        )

    async def _judged_by(self, firing: Firing, details: Mapping[str, Any]) -> Firing:
        """The firing, judged by the schema that it was told to be judged by."""
        schema = await self._schemas.learn(firing.template, details)
        judged = judgement(schema, json.loads(firing.data))
        return replace(firing, schema_digest=judged.schema_digest, data_errors=judged.data_errors)

    async def _decide(
        self, item: EventItem, results: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """The results, those that were pending fired again.

        Where the rules were changed in between they stay pending: `POST /events/refire` goes by the
        new ones.
        """
        firings = {str(firing.route_id): firing for firing in item.firings}
        pending = {
            result["route_id"]: result["details"]
            for result in results
            if result["outcome"] == PENDING and result["route_id"] in firings
        }
        ready = [
            (item.event_id, await self._judged_by(firings[route_id], details))
            for route_id, details in pending.items()
        ]
        answers = await self.fire(item.rules_revision, ready, dry_run=False)
        decided = {
            route_id: {name: answer[name] for name in _DECIDED}
            for route_id, answer in zip(pending, answers, strict=True)
            if answer["outcome"] != RULES_CHANGED
        }
        return [{**result, **decided.get(result["route_id"], {})} for result in results]


def _refusal(rules: Rules, event: CloudEvent) -> tuple[dict[str, Any] | None, bool]:
    """Why the rules turn an event away, if they do; and whether it is of an unknown type."""
    if event.factorydepth > DEEPEST_CHAIN:
        return {
            "code": "event_chain_too_deep",
            "depth": event.factorydepth,
            "limit": DEEPEST_CHAIN,
        }, False
    if event.type not in rules.schemas:
        if rules.refuses_unknown_types:
            return {"code": "event_type_not_found", "event_type": event.type}, True
        return None, True
    schema = rules.schemas[event.type]
    if schema is not None and (wrong := data_errors(schema, event.data)) is not None:
        members = {"event_type": event.type, **json.loads(wrong)}
        return {"code": "payload_invalid", **members}, False
    return None, False


def _told(not_taken: Mapping[tuple[str, str | None], list[str]]) -> str:
    told = [
        {"why": why, "detail": detail, "routes": routes}
        for (why, detail), routes in not_taken.items()
    ]
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _taken(answer: Mapping[str, Any], event: CloudEvent) -> TakenEvent:
    return TakenEvent(
        outcome=answer["status"],
        event_id=answer["event_id"],
        source=event.source,
        id=event.id,
        type=event.type,
        received_at=answer["received_at"],
        inert=answer["is_inert"],
        results=[route_result(result) for result in answer["results"]],
        not_taken=routes_not_taken(answer["not_matched"]),
    )


def route_result(row: Mapping[str, Any]) -> RouteResult:
    """A result, from the members that the database has for it."""
    members = {name: row[name] for name in RouteResult.model_fields if name in row}
    members["details"] = row["details"] or {}
    return RouteResult(**members, route=row["route_key"])


def routes_not_taken(told: Any) -> list[RouteNotTaken]:
    """The routes that an event did not take, as they are stored with it."""
    return [RouteNotTaken(**one) for one in told or ()]


def _refused(refusal: Refusal, event: CloudEvent | None) -> RefusedEvent:
    return RefusedEvent(
        outcome="refused",
        code=refusal.code,
        detail=refusal.detail,
        source=None if event is None else event.source,
        id=None if event is None else event.id,
        members=dict(refusal.members),
    )
