"""Everything that is wrong with a value, found with the engine's verdicts.

The engine's own list of errors can't be had in part, and each error in it holds a copy of the
value: a hundred missing members of a value of 1 MiB were a gigabyte (docs/decisions/0017). Its
verdict costs next to nothing. So the schema is walked through beside the value, downwards only
where the verdict is no, and the engine is asked about one keyword at a time.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jsonschema_rs

from app.json_schema.flaws import LINEAR
from app.json_schema.keywords import SubSchema
from app.json_schema.wording import CHECKED, said

_MOST_VALIDATORS = 256
_OF_MEMBERS = frozenset({"dependentRequired", "dependentSchemas", "propertyNames", "required"})

Steps = tuple[str | int, ...]
"""The steps to a value in the data."""


class Mistake(NamedTuple):
    """One thing that is wrong: where, the keyword, and what would be right.

    A member that is missing or should not be there is pointed to itself.
    """

    steps: Steps
    rule: str
    detail: str


def validator(schema: SubSchema) -> jsonschema_rs.Draft202012Validator:
    """The engine's validator of an unfolded schema; `format` is checked."""
    return jsonschema_rs.Draft202012Validator(
        schema,
        validate_formats=True,
        ignore_unknown_formats=False,
        pattern_options=LINEAR,
        offline=True,
    )


class Examiner:
    """Looks for mistakes with the schemas of one unfolded document, which it keeps compiled.

    `mistakes` needs the same objects each time: parts are remembered by their identity.
    """

    def __init__(self) -> None:
        self._validators: dict[tuple[int, str], jsonschema_rs.Draft202012Validator] = {}

    def forget(self) -> None:
        """Keep no more parts compiled than most schemas have; called between two documents.

        Parts that were forgotten in the middle of one would be compiled for each of its values.
        """
        if len(self._validators) > _MOST_VALIDATORS:
            self._validators.clear()

    def mistakes(self, schema: SubSchema, value: Any, steps: Steps = ()) -> Iterator[Mistake]:
        """What is wrong with the value, in the order of the schema; the same may come twice."""
        if isinstance(schema, dict):
            for keyword in schema:
                yield from self._against(keyword, schema, value, steps)
        elif not schema:
            yield Mistake(steps, "false", "is not allowed here")

    def _against(
        self, keyword: str, schema: dict[str, Any], value: Any, steps: Steps
    ) -> Iterator[Mistake]:
        argument = schema[keyword]
        match keyword, value:
            case "allOf", _:
                for part in argument:
                    yield from self.mistakes(part, value, steps)
            case "if", _:
                branch = "then" if self._fits(argument, value) else "else"
                yield from self.mistakes(schema.get(branch, True), value, steps)
            case "properties" | "patternProperties" | "additionalProperties", dict():
                yield from self._in_members(keyword, schema, value, steps)
            case "prefixItems" | "items", list():
                yield from self._in_items(keyword, schema, value, steps)
            case _ if keyword in _OF_MEMBERS and isinstance(value, dict):
                yield from self._among_members(keyword, argument, value, steps)
            case _ if keyword in CHECKED and not self._keeps(schema, keyword, value):
                yield Mistake(steps, keyword, said(keyword, argument))

    def _among_members(
        self, keyword: str, argument: Any, value: dict[str, Any], steps: Steps
    ) -> Iterator[Mistake]:
        match keyword:
            case "required":
                yield from _missing(argument, value, steps, keyword, "is missing")
            case "dependentRequired":
                for name in filter(value.__contains__, argument):
                    why = said(keyword, name)
                    yield from _missing(argument[name], value, steps, keyword, why)
            case "dependentSchemas":
                for name in filter(value.__contains__, argument):
                    yield from self.mistakes(argument[name], value, steps)
            case "propertyNames":
                for name in value:
                    if not self._fits(argument, name):
                        yield Mistake((*steps, name), keyword, said(keyword, argument))

    def _in_members(
        self, keyword: str, schema: dict[str, Any], value: dict[str, Any], steps: Steps
    ) -> Iterator[Mistake]:
        for name, member in value.items():
            for part in self._broken_by(name, member, keyword, schema):
                if part is False and keyword == "additionalProperties":
                    yield Mistake((*steps, name), keyword, said(keyword, part))
                else:
                    yield from self.mistakes(part, member, (*steps, name))

    def _broken_by(
        self, name: str, member: Any, keyword: str, schema: dict[str, Any]
    ) -> list[SubSchema]:
        """What the keyword asks of the member, and the member does not satisfy."""
        if keyword == "properties":
            part = schema[keyword].get(name, True)
            return [] if self._fits(part, member) else [part]
        # One question for all patterns: most members break none of them.
        if self._keeps(schema, keyword, {name: member}):
            return []
        if keyword == "additionalProperties":
            return [schema[keyword]]
        return [
            part
            for pattern, part in schema[keyword].items()
            if self._matches(pattern, name) and not self._fits(part, member)
        ]

    def _in_items(
        self, keyword: str, schema: dict[str, Any], value: list[Any], steps: Steps
    ) -> Iterator[Mistake]:
        first = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            if (index < len(first)) != (keyword == "prefixItems"):
                continue
            part = first[index] if index < len(first) else schema["items"]
            if not self._fits(part, item):
                yield from self.mistakes(part, item, (*steps, index))

    def _fits(self, schema: SubSchema, value: Any) -> bool:
        if isinstance(schema, bool):
            return schema
        return self._remembered((id(schema), ""), lambda: schema).is_valid(value)

    def _keeps(self, schema: dict[str, Any], keyword: str, value: Any) -> bool:
        key = (id(schema), keyword)
        return self._remembered(key, lambda: _alone(schema, keyword)).is_valid(value)

    def _matches(self, pattern: str, name: str) -> bool:
        return self._remembered((0, pattern), lambda: {"pattern": pattern}).is_valid(name)

    def _remembered(
        self, key: tuple[int, str], part: Callable[[], SubSchema]
    ) -> jsonschema_rs.Draft202012Validator:
        if (found := self._validators.get(key)) is None:
            found = self._validators[key] = validator(part())
        return found


def _alone(schema: dict[str, Any], keyword: str) -> dict[str, Any]:
    """The keyword, with what it depends on and without what the other keywords ask for."""
    alone: dict[str, Any] = {keyword: schema[keyword]}
    match keyword:
        case "contains":
            alone |= {
                name: schema[name] for name in ("minContains", "maxContains") if name in schema
            }
        case "additionalProperties":
            for others in ("properties", "patternProperties"):
                alone[others] = dict.fromkeys(schema.get(others, ()), True)
    return alone


def _missing(
    names: list[str], value: dict[str, Any], steps: Steps, rule: str, detail: str
) -> Iterator[Mistake]:
    for name in names:
        if name not in value:
            yield Mistake((*steps, name), rule, detail)
