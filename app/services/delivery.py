"""What was sent, what could not be, sending it again, and what keeps the rest inside."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import delivery as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.schemas.delivery import (
    AttemptList,
    AttemptPage,
    Boundary,
    BoundaryProbe,
    DeadLetter,
    DeadLetterList,
    DeadLetterPage,
    DeadLettersReplayed,
    DeliveryAttempt,
    MessagesReplayed,
    ReplayDeadLetters,
    ReplayMessages,
)
from app.security import Caller

_ATTEMPTS = Keyset("attempts", (datetime, UUID))
_LETTERS = Keyset("dead letters", (datetime, UUID, UUID))
_MESSAGES = Keyset("messages", (datetime, UUID))


async def list_attempts(database: Database, query: AttemptList) -> AttemptPage:
    """Attempts, the newest first."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _ATTEMPTS.position(query.page_token, within)
    filters = {
        "route_id": query.route,
        "message_id": query.message,
        "subject_id": query.subject,
        "outcome": query.outcome,
    }

    async def work(tx: Transaction) -> list[Row]:
        return await db.attempts(tx, filters, position, query.limit)

    found = _ATTEMPTS.page(
        await database.run(work),
        query.limit,
        lambda row: (row["started_at"], row["attempt_id"]),
        within,
    )
    return AttemptPage(
        items=[DeliveryAttempt(**_members(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def list_dead_letters(database: Database, query: DeadLetterList) -> DeadLetterPage:
    """Dead letters, the newest first."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _LETTERS.position(query.page_token, within)

    async def work(tx: Transaction) -> list[Row]:
        return await db.dead_letters(
            tx, query.route, position, query.limit, replayed=query.replayed
        )

    found = _LETTERS.page(
        await database.run(work),
        query.limit,
        lambda row: (row["dead_at"], row["message_id"], row["route_id"]),
        within,
    )
    return DeadLetterPage(
        items=[DeadLetter(**_members(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def replay_dead_letters(
    database: Database, caller: Caller, order: ReplayDeadLetters
) -> DeadLettersReplayed:
    """Send dead letters of a route again; a dry run counts them.

    Refuses with `outbound_route_not_found`, `outbound_route_disabled` and `actor_not_allowed`.
    """
    replay = db.DeadLetterReplay(
        route_id=order.route,
        message_ids=order.messages,
        died_from=order.died_from,
        died_to=order.died_to,
        limit=order.limit,
        dry_run=order.dry_run,
        reason=order.reason,
    )
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.replay_dead_letters(tx, replay, by)

    answer = _granted(await database.run(work))
    return DeadLettersReplayed(dry_run=order.dry_run, letters=answer["letters"], due=answer["due"])


async def replay_messages(
    database: Database, caller: Caller, order: ReplayMessages
) -> MessagesReplayed:
    """Send messages of a time range along a route; a dry run counts them.

    Refuses with `outbound_route_not_found`, `outbound_route_disabled` and `actor_not_allowed`.
    """
    within = order.model_dump(include={"route", "written_from", "written_to", "event_type"})
    after_at, after_id = _MESSAGES.position(order.page_token, within) or (None, None)
    replay = db.MessageReplay(
        route_id=order.route,
        written_from=order.written_from,
        written_to=order.written_to,
        event_type=order.event_type,
        delivered=order.delivered,
        after_at=after_at,
        after_id=after_id,
        limit=order.limit,
        dry_run=order.dry_run,
        reason=order.reason,
    )
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)

    async def work(tx: Transaction) -> dict[str, Any]:
        return await db.replay_messages(tx, replay, by)

    answer = _granted(await database.run(work))
    token = None
    if answer["after_id"] is not None:
        place = (datetime.fromisoformat(answer["after_at"]), UUID(answer["after_id"]))
        token = _MESSAGES.token(place, within)
    return MessagesReplayed(
        dry_run=order.dry_run,
        messages=answer["messages"],
        due=answer["due"],
        next_page_token=token,
    )


async def get_boundary(database: Database) -> Boundary:
    """What keeps messages inside, layer by layer."""
    return Boundary(**await database.run(db.boundary))


async def probe_boundary(database: Database) -> BoundaryProbe:
    """What a message would cause now: tried, and undone."""
    return BoundaryProbe(**await database.run(db.probe_boundary, repeatable=True))


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return answer


def _members(row: Row) -> dict[str, Any]:
    return {**{name: row[name] for name in row if name != "route_name"}, "route": row["route_name"]}
