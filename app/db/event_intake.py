"""Wrappers of the functions that take events in and fire their routes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.db.accountable import Accountable
from app.db.engine import Database

TAKE = "SELECT * FROM iu_core.fn_iu_event_intake_many({})".format(  # noqa: S608 - no input
    ", ".join(f"${number}" for number in range(1, 29))
)
FIRE = "SELECT * FROM iu_core.fn_iu_event_fire_many({})".format(  # noqa: S608 - no input
    ", ".join(f"${number}" for number in range(1, 19))
)

RULES_CHANGED = "rules_changed"
"""The status of what was judged by rules that are not in force any more: nothing was done."""

PENDING = "pending"
"""The outcome of a route whose data could not be judged: it is to be fired again."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One route that an event takes, with all that the orchestrator asks for.

    `data` are the parameters as RFC 8785 text, `schema_digest` the schema that they were judged by
    (None: by none) and `data_errors` what was wrong with them, as JSON text. `allowed_actors` is
    whose work the route's maker may read (None: everyone's).
    """

    route_id: UUID
    reason: str
    template: str
    suffix: str
    actor: str
    emit_mode: str
    data: str
    schema_digest: str | None
    data_errors: str | None
    allowed_actors: str | None
    principal: str


@dataclass(frozen=True, slots=True)
class EventItem:
    """One event of a call, judged by the rules of an edition.

    `content` (what makes it the same event) and `travelled` are RFC 8785 texts, `not_matched` and
    `refusal` JSON texts, as fn_iu_event_intake_many takes them. `request_id` is the service's own,
    one per event: a repeated call with it is answered `accepted`. Of the `firings` the first
    `at_once` are fired with it; the others are stored as pending.
    """

    rules_revision: int
    event_id: UUID
    source: str
    cloudevent_id: str
    event_type: str
    depth: int
    content: str
    travelled: str
    is_inert: bool
    channel: str
    not_matched: str | None
    refusal: str | None
    actor: str
    allowed_actors: str | None
    principal: str
    request_id: UUID
    firings: Sequence[Firing]
    at_once: int

    @property
    def writes(self) -> bool:
        """Taking an event in always writes."""
        return True

    @property
    def weight(self) -> int:
        """How many instances it may compose, and itself."""
        return 1 + self.at_once

    @property
    def actors(self) -> Sequence[str]:
        """As whom it composes."""
        return [firing.actor for firing in self._fired]

    @property
    def size(self) -> int:
        """Characters of its content, and of what it hands on."""
        return len(self.content) + sum(len(firing.data) for firing in self._fired)

    @property
    def _fired(self) -> Sequence[Firing]:
        return self.firings[: self.at_once]


_EVENT_COLUMNS = (
    "event_id",
    "source",
    "cloudevent_id",
    "event_type",
    "depth",
    "content",
    "travelled",
    "is_inert",
    "channel",
    "not_matched",
    "refusal",
    "actor",
    "allowed_actors",
    "principal",
    "request_id",
)
_FIRING_COLUMNS = (
    "route_id",
    "reason",
    "template",
    "suffix",
    "actor",
    "emit_mode",
    "data",
    "schema_digest",
    "data_errors",
    "allowed_actors",
    "principal",
)


def taking(items: Sequence[EventItem]) -> tuple[object, ...]:
    """The arguments of TAKE for events that were judged by one edition."""
    ordinals = [
        ordinal for ordinal, item in enumerate(items, start=1) for _ in range(len(item.firings))
    ]
    firings = [firing for item in items for firing in item.firings]
    columns = {name: [getattr(firing, name) for firing in firings] for name in _FIRING_COLUMNS}
    columns["data"] = [
        firing.data if place < item.at_once else None
        for item in items
        for place, firing in enumerate(item.firings)
    ]
    return (
        items[0].rules_revision,
        *([getattr(item, name) for item in items] for name in _EVENT_COLUMNS),
        ordinals,
        *columns.values(),
    )


async def take_events(database: Database, items: Sequence[EventItem]) -> list[dict[str, Any]]:
    """One answer per event, in their order (fn_iu_event_intake_many), committed.

    Those that were judged by an older edition than another among them are answered RULES_CHANGED.
    Safe to send again after an ambiguous COMMIT, because the request ids are the same.
    """
    revision = max(item.rules_revision for item in items)
    rows = await database.fetch(
        TAKE, *taking([item for item in items if item.rules_revision == revision])
    )
    answers = iter([dict(row) for row in rows])
    return [
        next(answers) if item.rules_revision == revision else {"status": RULES_CHANGED}
        for item in items
    ]


def firing_again(
    rules_revision: int,
    firings: Sequence[tuple[UUID, Firing]],
    request_ids: Sequence[UUID],
    *,
    dry_run: bool,
    by: Accountable | None = None,
) -> tuple[object, ...]:
    """The arguments of FIRE for events and routes that were judged by one edition."""
    return (
        rules_revision,
        [event_id for event_id, _ in firings],
        *([getattr(firing, name) for _, firing in firings] for name in _FIRING_COLUMNS),
        list(request_ids),
        dry_run,
        *((None, None, None) if by is None else by.arguments),
    )


async def fire_routes(
    database: Database,
    rules_revision: int,
    firings: Sequence[tuple[UUID, Firing]],
    request_ids: Sequence[UUID],
    *,
    dry_run: bool,
    by: Accountable | None = None,
) -> list[dict[str, Any]]:
    """One answer per event and route, in their order (fn_iu_event_fire_many), committed.

    `by` is who asked for it; None: it is part of taking the events in.
    Safe to send again after an ambiguous COMMIT: what was fired is answered as it is.
    """
    rows = await database.fetch(
        FIRE, *firing_again(rules_revision, firings, request_ids, dry_run=dry_run, by=by)
    )
    return [dict(row) for row in rows]
