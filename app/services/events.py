"""Events that were taken in: reading them, and firing their routes again."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import events_read as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.event_intake import RULES_CHANGED, Firing
from app.db.rows import Row
from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.paging import Keyset
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.schemas.events import (
    EventList,
    Refire,
    Refired,
    RefiredRoute,
    StoredEvent,
    StoredEventPage,
)
from app.security import Caller
from app.services.coalescer import MOST_BYTES, MOST_TOGETHER
from app.services.event_rules import NotTaken, Route, RuleBook, Rules, Seen, Taken
from app.services.firing import Trigger
from app.services.intake import TRIES, route_result, routes_not_taken
from app.turns import Turns

_EVENTS = Keyset("events", (datetime, UUID))
_REFIRED = Keyset("refired events", (datetime, UUID))
_UNFINISHED = frozenset({"refused", "pending"})

Results = Mapping[UUID, Sequence[Row]]
"""What came of the routes of each event."""


async def list_events(database: Database, query: EventList) -> StoredEventPage:
    """Events, the newest first."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _EVENTS.position(query.page_token, within)
    filters = db.EventFilters(
        source=query.source,
        event_type=query.type,
        received_from=query.received_from,
        received_to=query.received_to,
        unfinished=query.unfinished,
    )

    async def work(tx: Transaction) -> tuple[list[Row], int, Results]:
        rows, count = await db.events(tx, filters, position, query.limit)
        return rows, count, await _results(tx, rows[:count])

    rows, count, results = await database.run(work)
    page = _EVENTS.page(rows, count, _place, within)
    return StoredEventPage(
        items=[_stored(row, results) for row in page.items], next_page_token=page.next_page_token
    )


async def get_event(database: Database, event_id: UUID) -> StoredEvent:
    """One event. Refuses with `event_not_found`."""

    async def work(tx: Transaction) -> tuple[Row | None, Results]:
        row = await db.event(tx, event_id)
        return row, {} if row is None else await _results(tx, [row])

    row, results = await database.run(work)
    if row is None:
        raise Refusal("event_not_found")
    return _stored(row, results)


async def refire_events(
    database: Database, book: RuleBook, trigger: Trigger, caller: Caller, order: Refire
) -> Refired:
    """Fire routes of stored events again, or for the first time, by the rules in force.

    Refuses with `overloaded` where the rules were changed again and again meanwhile.
    """
    within = order.model_dump(exclude={"limit", "page_token", "dry_run"})
    position = _REFIRED.position(order.page_token, within)
    filters = db.EventFilters(
        event_type=order.type,
        received_from=order.received_from,
        received_to=order.received_to,
        unfinished=not order.not_taken,
    )

    async def work(tx: Transaction) -> tuple[list[Row], int, Results]:
        rows, count = await db.events(tx, filters, position, order.limit, newest_first=False)
        return rows, count, await _results(tx, rows[:count])

    rows, count, results = await database.run(work)
    page = _REFIRED.page(rows, count, _place, within)
    rules = await book.newest()
    by = Accountable(caller.actor, caller.principal, caller.request_id)
    for _ in range(TRIES):
        fired = await _Refiring(order, rules, trigger, by).fire(page.items, results)
        if fired is not None:
            break
        rules = await book.current(after=rules)
    else:
        raise Refusal(
            "overloaded",
            "The rules for events were changed each time that the events were judged.",
            retry_after=RETRY_AFTER_SECONDS,
        )
    counts = Counter(item.outcome for item in fired)
    return Refired(
        dry_run=order.dry_run,
        events=len(page.items),
        composed=counts["composed"],
        replayed=counts["replayed"],
        dry_runs=counts["dry_run"],
        refused=counts["refused"],
        pending=counts["pending"],
        not_taken=counts["not_taken"],
        items=fired,
        next_page_token=page.next_page_token,
    )


class _Refiring:
    """One try of firing routes again, by one edition of the rules."""

    def __init__(self, order: Refire, rules: Rules, trigger: Trigger, by: Accountable) -> None:
        self._order = order
        self._by = by
        self._rules = rules
        self._trigger = trigger
        self._items: list[RefiredRoute | None] = []
        self._waiting: list[tuple[int, UUID, str, Firing]] = []
        """What is to be fired: its place among the items, the event, the route's key."""
        self._size = 0

    async def fire(self, rows: Sequence[Row], results: Results) -> list[RefiredRoute] | None:
        """What came of the routes, by event; None: the rules were changed meanwhile.

        What is done by then stays so, and is answered as it is when it is fired again.
        """
        turns = Turns()
        for row in rows:
            if not await self._fire_event(row, results.get(row["event_id"], ()), turns):
                return None
        return [item for item in self._items if item] if await self._fire_waiting() else None

    async def _fire_event(self, row: Row, results: Sequence[Row], turns: Turns) -> bool:
        event = cloud_event(row)
        seen = Seen(event)
        before = {result["route_id"]: result for result in results}
        for route in self._rules.routes_of(event.type) if event.type in self._rules.schemas else ():
            result = before.pop(route.route_id, None)
            if not (self._wants(route.route_id) and self._is_open(route, result)):
                continue
            taken = await turns.do(row["size"], route.take, seen)
            if isinstance(taken, Taken):
                firing = await self._trigger.firing(route, taken)
                if not await self._wait(row["event_id"], route.key, firing):
                    return False
            elif result is not None and result["outcome"] in _UNFINISHED:
                self._items.append(_not_taken(result, taken))
        self._items += (
            _not_taken(result, NotTaken("not_in_force"))
            for route_id, result in before.items()
            if result["outcome"] in _UNFINISHED
            and not result["is_removed"]
            and self._wants(route_id)
        )
        return True

    def _is_open(self, route: Route, result: Row | None) -> bool:
        """Whether something is still to come of it, or may be asked for again."""
        if result is not None and result["outcome"] in _UNFINISHED:
            return True
        return self._order.not_taken and (
            result is None
            or result["rolled_back_at"] is not None
            or (result["outcome"] == "dry_run" and route.emit_mode == "live")
        )

    def _wants(self, route_id: UUID) -> bool:
        return self._order.routes is None or route_id in self._order.routes

    async def _wait(self, event_id: UUID, key: str, firing: Firing) -> bool:
        """Fire it with the others, when there are enough of them."""
        self._waiting.append((len(self._items), event_id, key, firing))
        self._items.append(None)
        self._size += len(firing.data)
        is_enough = len(self._waiting) == MOST_TOGETHER or self._size > MOST_BYTES
        return await self._fire_waiting() if is_enough else True

    async def _fire_waiting(self) -> bool:
        """False: the rules were changed meanwhile."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        answers = await self._trigger.fire(
            self._rules.revision,
            [(event_id, firing) for _, event_id, _, firing in waiting],
            dry_run=self._order.dry_run,
            by=self._by,
        )
        for (place, _, key, _), answer in zip(waiting, answers, strict=True):
            if answer["outcome"] == RULES_CHANGED:
                return False
            members = {name: answer[name] for name in RefiredRoute.model_fields if name in answer}
            members["details"] = answer["details"] or {}
            self._items[place] = RefiredRoute(**members, route=key)
        return True


def _not_taken(result: Row, why: NotTaken) -> RefiredRoute:
    return RefiredRoute(
        event_id=result["event_id"],
        route_id=result["route_id"],
        route=result["route_key"],
        outcome="not_taken",
        code=None,
        instance_collection_id=None,
        template=result["template"],
        suffix=result["suffix"],
        details={"why": why.why, "detail": why.detail},
    )


async def _results(tx: Transaction, rows: Sequence[Row]) -> Results:
    found: dict[UUID, list[Row]] = defaultdict(list)
    for result in await db.results(tx, [row["event_id"] for row in rows]):
        found[result["event_id"]].append(result)
    return found


def cloud_event(row: Row) -> CloudEvent:
    """The CloudEvent of a row of v_iu_event."""
    return CloudEvent.model_validate({**row["content"], **row["travelled"]})


def _stored(row: Row, results: Results) -> StoredEvent:
    members: dict[str, Any] = {name: row[name] for name in StoredEvent.model_fields if name in row}
    return StoredEvent(
        **members,
        id=row["cloudevent_id"],
        type=row["event_type"],
        inert=row["is_inert"],
        event={**row["content"], **row["travelled"]},
        results=[route_result(result) for result in results.get(row["event_id"], ())],
        not_taken=routes_not_taken(row["not_matched"]),
    )


def _place(row: Row) -> tuple[Any, ...]:
    return (row["received_at"], row["event_id"])
