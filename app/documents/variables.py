"""The variables of pieces, and what the schema of a template's parameters knows of them.

A variable is a path from the data: `person.name`, `milestones[].due`. What a template makes itself
is none. A schema knows a path when one of the schemas that may apply describes it: those of `allOf`
(and so of `$ref`), `anyOf`, `oneOf`, `if`, `then`, `else` and `dependentSchemas`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.errors import FactoryError
from app.json_schema import Schema, SubSchema, matches

Path = tuple[str | int | None, ...]
"""Names of members; the index of an item; None for an item, or a member, of whatever index."""

Object = dict[str, Any]

MAX_LOOKS = 100_000
"""Schemas that are looked at for the variables of a template. It takes about 0.1 s."""

_MATCH = 100
"""What trying a pattern counts as, in looks."""

_PLAIN = re.compile(r"\w[\w-]*")
_APPLIED_LISTS = ("allOf", "anyOf", "oneOf")
_APPLIED = ("if", "then", "else")


@dataclass(frozen=True, slots=True)
class Variable:
    """One use of a variable: its path, and line and column from 1.

    `tested` are the paths that are tested where it is used, by `if`, `unless`, `case` or `default`.
    """

    path: Path
    line: int
    column: int
    tested: frozenset[Path] = field(default=frozenset(), compare=False, repr=False)

    @property
    def name(self) -> str:
        """The path as an author would write it: `milestones[].due`."""
        return path_text(self.path)


def path_text(path: Path) -> str:
    """A path as an author would write it."""
    text = ""
    for segment in path:
        if isinstance(segment, str) and _PLAIN.fullmatch(segment):
            text += f".{segment}" if text else segment
        else:
            text += "[]" if segment is None else f"[{segment!r}]"
    return text


class SchemaTooComplexError(FactoryError):
    """The schema combines so many schemas that variables are not looked for in all of them."""


class Knowledge:
    """What one schema knows of paths; None is that of parameters that there are none of.

    Where a schema lets anything pass, nothing is known of it: free members are known only where
    `additionalProperties` or `patternProperties` say so, and then nothing below them unless they
    say that too. `size` of what is known is known, as are `first` and `last` of a list.

    Each path is worked out once, for as many pieces as ask. All raises SchemaTooComplexError.
    """

    def __init__(self, schema: Schema | None) -> None:
        self._looks = 0
        root = [] if schema is None else [schema.unfolded]
        self._known: dict[Path, list[Object] | None] = {(): self._applied(root)}
        self._lacking: dict[Path, bool] = {}

    def unknown(self, variables: Iterable[Variable]) -> list[Variable]:
        """The variables that the schema does not know."""
        return [variable for variable in variables if self._at(variable.path) is None]

    def may_be_missing(self, variables: Iterable[Variable]) -> list[Variable]:
        """The known ones that valid data may leave out or have null for, and that are not tested.

        Items of lists are taken to be there.
        """
        return [
            variable
            for variable in variables
            if self._at(variable.path) is not None
            and any(
                prefix not in variable.tested and self._may_lack(prefix)
                for prefix in _prefixes(variable.path)
            )
        ]

    def _at(self, path: Path) -> list[Object] | None:
        """The schemas that may apply to what is there; None where nothing is known of it."""
        if path not in self._known:
            around = self._at(path[:-1])
            self._known[path] = None if around is None else self._inside(around, path[-1])
        return self._known[path]

    def _may_lack(self, path: Path) -> bool:
        """Whether what is known there may be left out of what is around it, or may be null."""
        if path not in self._lacking:
            here, around = self._at(path) or [], self._at(path[:-1]) or []
            self._look_inside(around)
            is_left_out = any(True for schema in around for _ in _members(schema, path[-1])) and (
                not any(path[-1] in schema.get("required", ()) for schema in around)
            )
            self._lacking[path] = is_left_out or any(_takes_null(schema) for schema in here)
        return self._lacking[path]

    def _inside(self, around: list[Object], segment: str | int | None) -> list[Object] | None:
        self._look_inside(around)
        found = [inner for schema in around for inner in _described(schema, segment)]
        if possible := [inner for inner in found if inner is not False]:
            return self._applied(possible)
        return [] if segment == "size" else None

    def _applied(self, schemas: Iterable[SubSchema]) -> list[Object]:
        """The schemas, and those that apply together with them or instead of them."""
        applied: dict[int, Object] = {}
        waiting = list(schemas)
        while waiting:
            schema = waiting.pop()
            if isinstance(schema, bool) or id(schema) in applied:
                continue
            self._look(1)
            applied[id(schema)] = schema
            waiting += (inner for key in _APPLIED_LISTS for inner in schema.get(key, ()))
            waiting += (schema[key] for key in _APPLIED if key in schema)
            waiting += schema.get("dependentSchemas", {}).values()
        return list(applied.values())

    def _look_inside(self, schemas: Iterable[Object]) -> None:
        self._look(sum(1 + _MATCH * len(schema.get("patternProperties", ())) for schema in schemas))

    def _look(self, count: int) -> None:
        self._looks += count
        if self._looks > MAX_LOOKS:
            raise SchemaTooComplexError(
                f"variables are looked for in at most {MAX_LOOKS:,} schemas, counted each time"
            )


def _prefixes(path: Path) -> Iterator[Path]:
    return (path[:length] for length in range(1, len(path) + 1))


def _described(schema: Object, segment: str | int | None) -> Iterator[SubSchema]:
    """What one schema, by itself, says of a member or an item."""
    members = list(_members(schema, segment))
    yield from members
    if segment == "first":
        yield from () if members else _items(schema, 0)
    elif segment == "last":
        yield from () if members else _items(schema, None)
    elif not isinstance(segment, str):
        yield from _items(schema, segment)


def _members(schema: Object, name: str | int | None) -> Iterator[SubSchema]:
    """What one schema, by itself, says of a member; of all of them, where the name is None."""
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    if name is None:
        found = [*named.values(), *patterns.values()]
    else:
        found = [named[name]] if name in named else []
        found += [inner for pattern, inner in patterns.items() if matches(pattern, str(name))]
    yield from found
    if name is None or not found:
        yield from _if_there(schema, "additionalProperties")


def _items(schema: Object, index: int | None) -> Iterator[SubSchema]:
    """What one schema, by itself, says of an item; of all of them, where the index is None."""
    first = schema.get("prefixItems", [])
    if index is not None and 0 <= index < len(first):
        yield first[index]
        return
    if index is None or index < 0:
        yield from first
    yield from _if_there(schema, "items")


def _if_there(schema: Object, keyword: str) -> Iterator[SubSchema]:
    if keyword in schema:
        yield schema[keyword]


def _takes_null(schema: Object) -> bool:
    kinds = schema.get("type", ())
    return "null" in (kinds if isinstance(kinds, list) else [kinds])
