"""Firing routes for events: what composing is asked for, and in how many calls."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from app.db.accountable import Accountable
from app.db.engine import Database
from app.db.event_intake import PENDING, Firing, fire_routes
from app.metrics import Metrics
from app.services.coalescer import MOST_ACTORS, MOST_BYTES, MOST_TOGETHER
from app.services.event_rules import Route, Taken
from app.services.judging import Schemas, judgement

CALLS = 4
"""At a time; each has a connection."""

TRIES = 5
"""How often what could not be judged is judged anew."""

_COUNTED = {"composed": "composed", "replayed": "idempotent_replay", "dry_run": "dry_run"}

Fired = dict[str, Any]
"""What fn_iu_event_fire_many says of one event and route."""


class Trigger:
    """Fires routes. One for a process."""

    def __init__(self, database: Database, schemas: Schemas, metrics: Metrics) -> None:
        self._database = database
        self._schemas = schemas
        self._metrics = metrics
        self._calls = asyncio.Semaphore(CALLS)

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
            data=taken.text,
            schema_digest=judged.schema_digest,
            data_errors=judged.data_errors,
            allowed_actors=route.allowed_actors,
            principal=route.principal,
        )

    async def fire(
        self,
        revision: int,
        firings: Sequence[tuple[UUID, Firing]],
        *,
        dry_run: bool,
        by: Accountable | None = None,
    ) -> list[Fired]:
        """Fire routes of stored events, one answer for each: see app.db.event_intake.fire_routes.

        In as many calls as it takes, each committed by itself. What the orchestrator could not
        judge by what it was told is judged anew, and fired again.
        """
        answers: list[Fired] = []
        begin = 0
        for count in portions([firing for _, firing in firings]):
            async with self._calls:
                answers += await self._fire(
                    revision, firings[begin : begin + count], dry_run=dry_run, by=by
                )
            begin += count
        return answers

    async def judged_by(self, firing: Firing, details: Mapping[str, Any] | None) -> Firing:
        """The firing, judged by the schema that it was told to be judged by, if it was."""
        if not details or "schema_digest" not in details:
            return firing
        schema = await self._schemas.learn(firing.template, details)
        judged = judgement(schema, json.loads(firing.data))
        return replace(firing, schema_digest=judged.schema_digest, data_errors=judged.data_errors)

    def count(self, outcomes: Iterable[str]) -> None:
        """Count what composing came to."""
        for outcome, times in Counter(outcomes).items():
            if outcome in _COUNTED:
                self._metrics.outcome(_COUNTED[outcome], times)

    async def _fire(
        self,
        revision: int,
        firings: Sequence[tuple[UUID, Firing]],
        *,
        dry_run: bool,
        by: Accountable | None,
    ) -> list[Fired]:
        request_ids = [uuid4() for _ in firings]
        waiting = dict(enumerate(firings))
        answers: dict[int, Fired] = {}
        for _ in range(TRIES):
            fired = await fire_routes(
                self._database,
                revision,
                list(waiting.values()),
                [request_ids[place] for place in waiting],
                dry_run=dry_run,
                by=by,
            )
            answers |= zip(waiting, fired, strict=True)
            waiting = {
                place: (event, await self.judged_by(firing, answers[place]["details"]))
                for place, (event, firing) in waiting.items()
                if answers[place]["outcome"] == PENDING
            }
            if not waiting:
                break
        if not dry_run:
            self.count(answer["outcome"] for answer in answers.values() if answer["fired"])
        return [answers[place] for place in range(len(firings))]


def portions(firings: Sequence[Firing]) -> Iterator[int]:
    """How many of the firings, in their order, each call may carry; at least one.

    Not more than it may lock families, either: a firing has one.
    """
    actors: set[str] = set()
    count = size = 0
    for firing in firings:
        actors.add(firing.actor)
        size += len(firing.data)
        if count and (count == MOST_TOGETHER or len(actors) > MOST_ACTORS or size > MOST_BYTES):
            yield count
            actors, count, size = {firing.actor}, 0, len(firing.data)
        count += 1
    if count:
        yield count
