"""Events that were taken in: reading them, and firing their routes again."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import events_read as db
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
from app.services.event_rules import RuleBook, Rules, Taken, prepared
from app.services.intake import TRIES, Intake, route_result, routes_not_taken

FIRED_AT_A_TIME = 100
"""Routes in one call."""

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

    async def work(tx: Transaction) -> tuple[list[Row], Results]:
        rows = await db.events(tx, filters, position, query.limit)
        return rows, await _results(tx, rows[: query.limit])

    rows, results = await database.run(work)
    page = _EVENTS.page(rows, query.limit, _place, within)
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
    database: Database, book: RuleBook, intake: Intake, order: Refire
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

    async def work(tx: Transaction) -> tuple[list[Row], Results]:
        rows = await db.events(tx, filters, position, order.limit, newest_first=False)
        return rows, await _results(tx, rows[: order.limit])

    rows, results = await database.run(work)
    page = _REFIRED.page(rows, order.limit, _place, within)
    rules = await book.newest()
    for _ in range(TRIES):
        firings = await _firings(rules, intake, order, page.items, results)
        fired = await _fire(intake, rules, firings, dry_run=order.dry_run)
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
        items=fired,
        next_page_token=page.next_page_token,
    )


async def _firings(
    rules: Rules, intake: Intake, order: Refire, rows: Sequence[Row], results: Results
) -> list[tuple[UUID, str, Firing]]:
    found: list[tuple[UUID, str, Firing]] = []
    for row in rows:
        event = cloud_event(row)
        if event.type not in rules.schemas:
            continue
        before = {result["route_id"]: result["outcome"] for result in results[row["event_id"]]}
        seen = prepared(event)
        for route in rules.routes_of(event.type):
            wanted = order.routes is None or route.route_id in order.routes
            outcome = before.get(route.route_id)
            if not wanted or not (outcome in _UNFINISHED or (outcome is None and order.not_taken)):
                continue
            taken = route.take(seen, event.data)
            if isinstance(taken, Taken):
                found.append((row["event_id"], route.key, await intake.firing(route, taken)))
    return found


async def _fire(
    intake: Intake, rules: Rules, firings: Sequence[tuple[UUID, str, Firing]], *, dry_run: bool
) -> list[RefiredRoute] | None:
    """What came of them; None: the rules were changed meanwhile. What is done already stays so."""
    fired: list[RefiredRoute] = []
    for begin in range(0, len(firings), FIRED_AT_A_TIME):
        part = firings[begin : begin + FIRED_AT_A_TIME]
        answers = await intake.fire(
            rules.revision, [(event, firing) for event, _, firing in part], dry_run=dry_run
        )
        for (_, key, _), answer in zip(part, answers, strict=True):
            if answer["outcome"] == RULES_CHANGED:
                return None
            members = {name: answer[name] for name in RefiredRoute.model_fields if name in answer}
            members["details"] = answer["details"] or {}
            fired.append(RefiredRoute(**members, route=key))
    return fired


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
