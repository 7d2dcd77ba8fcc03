"""Taking events in: judged by the rules in force, stored once, and fired along their routes."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from app.canonical_json import canonical_json
from app.db.event_intake import PENDING, RULES_CHANGED, EventItem, Firing
from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.events.identity import content_of, event_id, travelled_of
from app.refusals.from_database import refusal_from_database_error, refusal_from_status
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.schemas.events import BatchAnswer, RefusedEvent, RouteNotTaken, RouteResult, TakenEvent
from app.services.coalescer import FLIGHTS, MOST_BYTES, MOST_TOGETHER, Coalescer
from app.services.event_rules import NotTaken, RuleBook, Rules, Seen
from app.services.firing import Trigger, portions
from app.services.judging import data_errors
from app.turns import Room, Turns

log = structlog.get_logger(__name__)

DEEPEST_CHAIN = 8
"""How many products of factories may have led to an event."""

TRIES = 5
"""How often an event is judged: each time but the first, the rules were changed meanwhile."""

MOST_UNDER_WAY = 2 * FLIGHTS * MOST_TOGETHER
"""What the events of one batch that are under way together may weigh: as much waits for the next
calls as is in these."""

BYTES_OF_ONE = MOST_BYTES // MOST_TOGETHER
"""Of texts: an event that has more than this for each of its routes weighs as much as they do."""

_DECIDED = (
    "outcome", "code", "instance_collection_id", "template", "suffix", "details", "fired_at",
    "firings",
)  # fmt: skip


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
        book: RuleBook,
        trigger: Trigger,
    ) -> None:
        self._coalescer = coalescer
        self._book = book
        self.trigger = trigger

    async def take(self, sender: Sender, event: CloudEvent, request_id: UUID) -> TakenEvent:
        """Store an event and fire the routes that it takes; or answer one that is known as it was.

        Refuses with `event_intake_gate_closed`, `event_conflict`, `event_type_not_found`,
        `payload_invalid`, `event_chain_too_deep`, `actor_not_allowed` where another actor sent it
        before, and `overloaded`. What composing refuses is among the results, not raised.
        """
        rules = await self._book.current()
        item = await self._judge(rules, sender, event, request_id, Turns())
        return await self._send(rules, sender, event, item)

    async def take_batch(
        self, sender: Sender, batch: Sequence[CloudEvent | Refusal], request_id: UUID
    ) -> BatchAnswer:
        """Take each event of a batch for itself: one that is refused leaves the others alone.

        Its own request id is the batch's, with its place, from 0, added to it by XOR.
        """
        items: list[TakenEvent | RefusedEvent | None] = [None] * len(batch)
        turns = Turns()
        room = Room(MOST_UNDER_WAY)
        rules = await self._book.current()

        async def send(place: int, event: CloudEvent, item: EventItem, weight: int) -> None:
            try:
                items[place] = await self._send(rules, sender, event, item)
            except Exception as error:  # noqa: BLE001 - of one event, told for it alone
                items[place] = _refused(_refusal_of(error, event), event)
            finally:
                room.leave(weight)

        async with asyncio.TaskGroup() as under_way:
            for place, event in enumerate(batch):
                if isinstance(event, Refusal):
                    items[place] = _refused(event, None)
                    continue
                try:
                    # One after the other: together they would keep the loop from everybody else.
                    item = await self._judge(
                        rules, sender, event, UUID(int=request_id.int ^ place), turns
                    )
                except Exception as error:  # noqa: BLE001 - as above
                    items[place] = _refused(_refusal_of(error, event), event)
                    continue
                weight = await room.enter(max(item.weight, item.size // BYTES_OF_ONE))
                under_way.create_task(send(place, event, item, weight))
        answered = [item for item in items if item is not None]
        counts = Counter(item.outcome for item in answered)
        return BatchAnswer(
            total=len(answered),
            accepted=counts["accepted"],
            known=counts["known"],
            refused=counts["refused"],
            items=answered,
        )

    async def _send(
        self, rules: Rules, sender: Sender, event: CloudEvent, item: EventItem
    ) -> TakenEvent:
        for _ in range(TRIES):
            answer = await self._coalescer.send(item)
            if answer["status"] != RULES_CHANGED:
                return await self._answered(event, item, answer)
            rules = await self._book.current(after=rules)
            item = await self._judge(rules, sender, event, item.request_id, Turns())
        raise Refusal(
            "overloaded",
            "The rules for events were changed each time that the event was judged.",
            retry_after=RETRY_AFTER_SECONDS,
        )

    async def _answered(
        self, event: CloudEvent, item: EventItem, answer: dict[str, Any]
    ) -> TakenEvent:
        if answer["status"] not in {"accepted", "known"}:
            raise refusal_from_status({"status": answer["status"], **answer["details"]})
        if answer["status"] == "accepted":
            self.trigger.count(result["outcome"] for result in answer["results"])
        if any(result["outcome"] == PENDING for result in answer["results"]):
            answer["results"] = await self._decide(item, answer["results"])
        return _taken(answer, event)

    async def _judge(
        self, rules: Rules, sender: Sender, event: CloudEvent, request_id: UUID, turns: Turns
    ) -> EventItem:
        content = canonical_json(content_of(event))
        refusal, inert = await turns.do(len(content), _refusal, rules, event)
        firings: list[Firing] = []
        not_taken: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        if refusal is None and not inert:
            seen = Seen(event)
            for route in rules.routes_of(event.type):
                taken = await turns.do(len(content), route.take, seen)
                if isinstance(taken, NotTaken):
                    not_taken[taken.why, taken.detail].append(route.key)
                else:
                    firings.append(await self.trigger.firing(route, taken))
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
            at_once=next(portions(firings), 0),
        )

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
            (item.event_id, await self.trigger.judged_by(firings[route_id], details))
            for route_id, details in pending.items()
        ]
        answers = await self.trigger.fire(item.rules_revision, ready, dry_run=False)
        decided = {
            route_id: {name: answer[name] for name in _DECIDED}
            for route_id, answer in zip(pending, answers, strict=True)
            if answer["outcome"] != RULES_CHANGED
        }
        return [{**result, **decided.get(result["route_id"], {})} for result in results]


def _refusal_of(error: Exception, event: CloudEvent) -> Refusal:
    """What an event of a batch is refused with; a defect that it meets is none of the others'."""
    if isinstance(error, Refusal):
        return error
    if (known := refusal_from_database_error(error)) is not None:
        return known
    log.error("event_failed", source=event.source, id=event.id, exc_info=error)
    return Refusal("internal")


def _refusal(rules: Rules, event: CloudEvent) -> tuple[dict[str, Any] | None, bool]:
    """Why the rules turn an event away, if they do; and whether it is of an unknown type."""
    if event.factorydepth > DEEPEST_CHAIN:
        return {
            "code": "event_chain_too_deep",
            "depth": event.factorydepth,
            "limit": DEEPEST_CHAIN,
        }, False
    if event.type in rules.flawed_types:
        return {"code": "internal"}, False
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
