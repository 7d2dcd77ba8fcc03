"""The variables of pieces, and what the schema of a template's parameters knows of them.

A variable is a path from the data: `person.name`, `milestones[].due`. What a template makes itself
is none. A schema knows a path when one of the schemas that may apply describes it: those of `allOf`
(and so of `$ref`), `anyOf`, `oneOf`, `if`, `then`, `else` and `dependentSchemas`. It assures one
when all data that it takes has something there, whichever of its alternatives applies.
"""

import re
from collections.abc import Callable, Iterable, Iterator
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
_EITHER = ("anyOf", "oneOf")
_BRANCHES = ("then", "else")
_APPLIED_LISTS = ("allOf", *_EITHER)
_APPLIED = ("if", *_BRANCHES)


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


@dataclass(frozen=True, slots=True)
class _Inside:
    """What one schema, by itself, says of what a segment of a path may stand for."""

    members: list[SubSchema]
    items: list[SubSchema]

    @property
    def all(self) -> list[SubSchema]:
        """Both: where there is neither name nor index, it may be either."""
        return self.members + self.items


class Knowledge:
    """What one schema knows of paths; None is that of parameters that there are none of.

    Where a schema lets anything pass, nothing is known of it: free members are known only where
    `additionalProperties` or `patternProperties` say so, and then nothing below them unless they
    say that too. `size` of what is known is known, as are `first` and `last` of a list.

    Each path is worked out once, for as many pieces as ask. All raises SchemaTooComplexError.
    """

    def __init__(self, schema: Schema | None) -> None:
        self._looks = 0
        self._root: SubSchema = {} if schema is None else schema.unfolded
        self._known: dict[Path, list[Object] | None] = {(): self._applied([self._root])}
        self._lacking: dict[Path, bool] = {}
        self._insides: dict[tuple[int, str | int | None], _Inside] = {}

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
            self._known[path] = None if around is None else self._described(around, path[-1])
        return self._known[path]

    def _described(self, around: list[Object], segment: str | int | None) -> list[Object] | None:
        found = [inner for schema in around for inner in self._inside(schema, segment).all]
        if possible := [inner for inner in found if inner is not False]:
            return self._applied(possible)
        return [] if segment == "size" else None

    def _may_lack(self, path: Path) -> bool:
        """Whether what is known there may be left out of what is around it, or may be null."""
        if path not in self._lacking:
            name = path[-1]
            is_member = any(self._inside(one, name).members for one in self._at(path[:-1]) or ())
            is_size = name == "size" and not self._at(path)
            self._lacking[path] = (
                is_member and not self._assures(path[:-1], lambda s: name in s.get("required", ()))
            ) or (not is_size and not self._assures(path, _excludes_null))
        return self._lacking[path]

    def _assures(self, path: Path, says: Callable[[Object], bool]) -> bool:
        """Whether the schema says so of whatever may be there."""
        done: dict[tuple[int, int], bool] = {}

        def assures(schema: SubSchema, at: int) -> bool:
            if isinstance(schema, bool):
                return not schema
            place = id(schema), at
            if place not in done:
                self._look(1)
                done[place] = (
                    (says(schema) if at == len(path) else assures_inside(schema, at))
                    or any(assures(inner, at) for inner in schema.get("allOf", ()))
                    or any(
                        all(assures(inner, at) for inner in schema[keyword])
                        for keyword in _EITHER
                        if keyword in schema
                    )
                    or ("if" in schema and all(assures(schema.get(b, True), at) for b in _BRANCHES))
                )
            return done[place]

        def assures_inside(schema: Object, at: int) -> bool:
            inside = self._inside(schema, path[at])
            each = [assures(inner, at + 1) for inner in inside.all]
            # All that is said of a name holds; else one of them does, and nobody knows which.
            return any(each) if inside.members and path[at] is not None else all(each or [False])

        return assures(self._root, 0)

    def _inside(self, schema: Object, segment: str | int | None) -> _Inside:
        place = id(schema), segment
        if place not in self._insides:
            self._look(1 + _MATCH * len(schema.get("patternProperties", ())))
            self._insides[place] = _inside(schema, segment)
        return self._insides[place]

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

    def _look(self, count: int) -> None:
        self._looks += count
        if self._looks > MAX_LOOKS:
            raise SchemaTooComplexError(
                f"variables are looked for in at most {MAX_LOOKS:,} schemas, counted each time"
            )


def _prefixes(path: Path) -> Iterator[Path]:
    return (path[:length] for length in range(1, len(path) + 1))


def _inside(schema: Object, segment: str | int | None) -> _Inside:
    members = [] if isinstance(segment, int) else list(_members(schema, segment))
    match segment:
        case "first" if not members:
            return _Inside([], list(_items(schema, 0)))
        case "last" if not members:
            return _Inside([], list(_items(schema, None)))
        case str():
            return _Inside(members, [])
        case _:
            return _Inside(members, list(_items(schema, segment)))


def _members(schema: Object, name: str | None) -> Iterator[SubSchema]:
    """What one schema, by itself, says of a member; of all of them, where the name is None."""
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    if name is None:
        found = [*named.values(), *patterns.values()]
    else:
        found = [named[name]] if name in named else []
        found += [inner for pattern, inner in patterns.items() if matches(pattern, name)]
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


def _excludes_null(schema: Object) -> bool:
    """Whether one schema, by itself, refuses null."""
    kinds = schema.get("type", "null")
    return (
        "null" not in (kinds if isinstance(kinds, list) else [kinds])
        or None not in schema.get("enum", [None])
        or schema.get("const") is not None
    )
