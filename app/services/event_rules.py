"""What events are judged by, as a process keeps it: types, and routes with compiled expressions.

The rules have editions. A process judges events by the edition that it read last and says which
one that was; the database takes nothing that was judged by another than the one in force, so a
change of the rules holds for every event that is taken after it was answered.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

import structlog

from app.canonical_json import canonical_json
from app.db import event_rules as db
from app.db.engine import Database
from app.db.rows import Row
from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.expressions import (
    Budget,
    Expression,
    FlawedExpressionError,
    Prepared,
    Verdict,
    Wanted,
    compile_expression,
)
from app.json_schema import FlawedSchemaError, Schema, compile_schema
from app.schemas.base import CONTROL_CHARACTERS
from app.strict_json import MAX_DEPTH, MAX_DOCUMENT, parse_json

log = structlog.get_logger(__name__)

LONGEST_SUFFIX = 200
"""Characters, as everywhere."""

_CONTROL = re.compile(f"[{CONTROL_CHARACTERS}]")


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Why an event does not take a route of its type: see app.schemas.events.Why."""

    why: str
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What a route makes of an event: the instance's suffix, and the template's parameters.

    `text` is their RFC 8785 form.
    """

    suffix: str
    parameters: dict[str, Any]
    text: str


class Seen:
    """An event as routes see it; what they have in common is worked out once.

    Expressions see its attributes as `event` and its data as `data`.
    """

    def __init__(self, event: CloudEvent) -> None:
        """Takes the event, with `data` as it was read from JSON."""
        attributes = event.model_dump(exclude={"data"}, exclude_none=True)
        self.values = Prepared({"event": attributes, "data": event.data})
        self._data = event.data

    @cached_property
    def parameters(self) -> tuple[dict[str, Any], str] | None:
        """The data as parameters, and their text; None where they are no object."""
        data = {} if self._data is None else self._data
        return (data, canonical_json(data)) if isinstance(data, dict) else None


@dataclass(frozen=True, slots=True)
class Route:
    """A route with its expressions compiled.

    `flaw` says why it has none: what an earlier program took, this one may take no more. No event
    takes such a route, and it says why to each.
    """

    route_id: UUID
    key: str
    pattern: str
    filter: Expression | None
    template: str
    suffix: Expression | None
    mapping: Mapping[str, Expression] | None
    emit_mode: str
    actor: str
    allowed_actors: str | None
    principal: str
    flaw: str | None

    def is_for(self, event_type: str) -> bool:
        """Whether its pattern is the type, or the type's beginning and an asterisk."""
        if self.pattern.endswith("*"):
            return event_type.startswith(self.pattern[:-1])
        return event_type == self.pattern

    def take(self, event: Seen) -> Taken | NotTaken:
        """What the route makes of an event of its types."""
        if self.flaw is not None:
            return NotTaken("failed", self.flaw)
        budget = Budget()
        if self.filter is not None:
            verdict = self.filter.evaluate(event.values, budget)
            if verdict.failure is not None or not verdict.value:
                return _turned_away(verdict)
        suffix = "" if self.suffix is None else _suffix(self.suffix.evaluate(event.values, budget))
        if isinstance(suffix, NotTaken):
            return suffix
        if self.mapping is not None:
            return _mapped(suffix, self.mapping, event.values, budget)
        if event.parameters is None:
            return NotTaken("mapping", "the event's data are no object")
        return Taken(suffix, *event.parameters)


@dataclass(frozen=True, slots=True)
class Rules:
    """One edition. `schemas` holds every type that is known; None: its data may be anything.

    `flawed_types` are those whose schema this program does not take: their events can't be judged.
    """

    revision: int
    refuses_unknown_types: bool
    schemas: Mapping[str, Schema | None]
    flawed_types: frozenset[str]
    routes: tuple[Route, ...]

    def routes_of(self, event_type: str) -> Iterator[Route]:
        """The routes of a type, by key."""
        return (route for route in self.routes if route.is_for(event_type))


class RuleBook:
    """The edition that a process read last. One for a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules: Rules | None = None
        self._reading = asyncio.Lock()

    async def current(self, *, after: Rules | None = None) -> Rules:
        """The rules that were read last; where these are `after`, which are over, newer ones."""
        async with self._reading:
            if self._rules is None or self._rules is after:
                self._rules = await self._read()
            return self._rules

    async def newest(self) -> Rules:
        """The rules that are in force now, for whoever asks what they would make of old events."""
        async with self._reading:
            self._rules = await self._read()
            return self._rules

    async def _read(self) -> Rules:
        edition, types, routes = await self._database.run(db.rules, repeatable=True)
        # Compiling hundreds of expressions and schemas: others have their turns meanwhile.
        return await asyncio.to_thread(_rules, edition, types, routes)


def route_of(row: Row) -> Route:
    """The route of a row of v_iu_event_route."""
    filter_ = suffix = mapping = flaw = None
    try:
        filter_ = _compiled(row["filter"], "bool")
        suffix = _compiled(row["suffix"], "string")
        if row["mapping"] is not None:
            mapping = {
                name: compile_expression(text, wants="json")
                for name, text in row["mapping"].items()
            }
    except FlawedExpressionError as error:
        flaw = str(error)
        log.warning("event_route_flawed", route=row["route_key"], flaw=flaw)
    return Route(
        route_id=row["route_id"],
        key=row["route_key"],
        pattern=row["event_type_pattern"],
        filter=filter_,
        template=row["template"],
        suffix=suffix,
        mapping=mapping,
        emit_mode=row["emit_mode"],
        actor=row["actor"],
        allowed_actors=row["allowed_actors"],
        principal=row["principal"],
        flaw=flaw,
    )


def flaws_of(
    filter_: str | None, suffix: str | None, mapping: Mapping[str, str] | None
) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is wrong with the expressions of a route: where, and what."""
    wanted: list[tuple[tuple[str, ...], str | None, Wanted]] = [
        (("filter",), filter_, "bool"),
        (("suffix",), suffix, "string"),
        *((("mapping", name), text, "json") for name, text in (mapping or {}).items()),
    ]
    budget = Budget()
    for place, text, wants in wanted:
        try:
            if expression := _compiled(text, wants):
                expression.spend_least(budget)
        except FlawedExpressionError as flaw:
            yield place, str(flaw)


def _rules(edition: Row, types: list[Row], routes: list[Row]) -> Rules:
    schemas: dict[str, Schema | None] = {}
    flawed = set()
    for row in types:
        schemas[row["event_type"]] = None
        try:
            if row["data_schema"] is not None:
                schemas[row["event_type"]] = compile_schema(row["data_schema"])
        except FlawedSchemaError as error:
            flawed.add(row["event_type"])
            log.warning("event_type_flawed", type=row["event_type"], flaw=str(error))
    return Rules(
        revision=edition["revision"],
        refuses_unknown_types=edition["unknown_event_types"] == "refuse",
        schemas=schemas,
        flawed_types=frozenset(flawed),
        routes=tuple(route_of(row) for row in routes),
    )


def _compiled(text: str | None, wants: Wanted) -> Expression | None:
    return None if text is None else compile_expression(text, wants=wants)


def _not_taken(why: str, verdict: Verdict, place: str = "") -> NotTaken:
    if verdict.failure == "missing":
        return NotTaken("missing", f"{place}{verdict.path}")
    return NotTaken(why, f"{place}{verdict.detail}")


def _turned_away(verdict: Verdict) -> NotTaken:
    return NotTaken("filter") if verdict.failure is None else _not_taken("failed", verdict)


def _suffix(verdict: Verdict) -> str | NotTaken:
    if verdict.failure is not None:
        return _not_taken("suffix", verdict)
    suffix: str = verdict.value
    if len(suffix) > LONGEST_SUFFIX or _CONTROL.search(suffix):
        return NotTaken("suffix", "should be at most 200 characters, none a control character")
    return suffix


def _mapped(
    suffix: str, mapping: Mapping[str, Expression], event: Prepared, budget: Budget
) -> Taken | NotTaken:
    values = {}
    size = 0
    for name, expression in mapping.items():
        verdict = expression.evaluate(event, budget)
        if verdict.failure is not None:
            return _not_taken("mapping", verdict, f"{name}: ")
        value = values[name] = verdict.value
        size += len(value if isinstance(value, str) else canonical_json(value))
        if size > MAX_DOCUMENT:
            return NotTaken("mapping", f"{name}: the parameters take more than 1 MiB")
    text = canonical_json(values)
    if text.isascii() and "\\" not in text and _brackets(text) <= MAX_DEPTH:
        return Taken(suffix, values, text)  # nothing of it could not be sent
    try:
        # As if they had been sent: expressions can make what no body may hold.
        return Taken(suffix, parse_json(text.encode()), text)
    except Refusal as refusal:
        members: dict[str, Any] = dict(refusal.members)
        if refusal.code == "too_deep":
            return NotTaken("mapping", f"the parameters nest deeper than {members['limit']} levels")
        first = members["errors"][0]
        return NotTaken("mapping", f"{first['pointer']}: {first['detail']}")


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")
