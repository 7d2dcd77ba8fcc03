"""A schema without references: each target stands where it is used.

Targets are shared and not copied, so that a chain of `allOf: [{$ref: a}, {$ref: a}]`, which doubles
on each step, is told from the number of its subschemas before anything is built of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.json_schema.flaws import (
    MOST_PATTERNS,
    MOST_SUBSCHEMAS,
    FlawedSchemaError,
    flaw,
    target_of,
    too_many_subschemas,
)
from app.json_schema.keywords import APPLICATORS, Applies, Holds, SubSchema, Tokens, held
from app.json_schema.load import Load, below, either, own_load, together
from app.patterns import weight_of

MOST_NESTED = 64

_ONLY_FOR_REFERENCES = frozenset({"$defs", "$id", "$ref", "$schema", "definitions"})


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A subschema without references, and how large it is.

    `subschemas` counts it and all in it, `nested` how deep they lie within each other, and
    `pattern_weight` is that of all patterns in it.
    """

    document: SubSchema
    subschemas: int
    nested: int
    pattern_weight: int
    load: Load


def unfold(places: Mapping[Tokens, SubSchema]) -> Unfolded:
    """The schema at the top of the places, unfolded.

    Raises FlawedSchemaError where a subschema refers to one that it lies in, or where the whole is
    too large or too deep. Recursion is refused because what it costs depends on how the data is
    nested: two references to itself are two to the power of the data's depth.
    """
    return _Unfolding(places).unfold((), 1)


class _Unfolding:
    def __init__(self, places: Mapping[Tokens, SubSchema]) -> None:
        self._places = places
        self._done: dict[Tokens, Unfolded] = {}
        self._begun: set[Tokens] = set()

    def unfold(self, tokens: Tokens, nested: int) -> Unfolded:
        if (done := self._done.get(tokens)) is None:
            if nested > MOST_NESTED:
                raise _too_nested(tokens)
            self._begun.add(tokens)
            done = self._done[tokens] = self._unfolded(tokens, nested)
            self._begun.remove(tokens)
        return done

    def _unfolded(self, tokens: Tokens, nested: int) -> Unfolded:
        schema = self._places[tokens]
        if isinstance(schema, bool):
            return Unfolded(schema, 1, 1, 0, own_load({}))
        parts: dict[str, dict[str, Unfolded]] = {}
        for keyword, argument in schema.items():
            if keyword in APPLICATORS and keyword not in _ONLY_FOR_REFERENCES:
                parts[keyword] = {
                    steps[-1]: self.unfold((*tokens, *steps), nested + 1)
                    for steps, _ in held(keyword, argument)
                }
        document = {
            keyword: _refilled(keyword, argument, parts.get(keyword))
            for keyword, argument in schema.items()
            if keyword not in _ONLY_FOR_REFERENCES
        }
        if "$ref" in schema:
            target = self._referred((*tokens, "$ref"), schema["$ref"], nested)
            parts["$ref"] = {"": target}
            document["allOf"] = [target.document, *document.get("allOf", [])]
        return _measured(tokens, schema, document, parts)

    def _referred(self, tokens: Tokens, reference: str, nested: int) -> Unfolded:
        target = target_of(reference)
        if target is None or target in self._begun:
            detail = "leads back to where it lies: recursive schemas are not taken"
            raise FlawedSchemaError([flaw(tokens, "$ref", detail)])
        return self.unfold(target, nested + 1)


def _refilled(keyword: str, argument: Any, parts: dict[str, Unfolded] | None) -> Any:
    if parts is None:
        return argument
    match APPLICATORS[keyword].holds:
        case Holds.ONE:
            return parts[keyword].document
        case Holds.LIST:
            return [part.document for part in parts.values()]
        case Holds.MAP:
            return {name: part.document for name, part in parts.items()}


def _measured(
    tokens: Tokens,
    schema: dict[str, Any],
    document: dict[str, Any],
    parts: dict[str, dict[str, Unfolded]],
) -> Unfolded:
    every = [part for of_keyword in parts.values() for part in of_keyword.values()]
    patterns = [*schema.get("patternProperties", ()), schema.get("pattern", "")]
    result = Unfolded(
        document,
        1 + sum(part.subschemas for part in every),
        1 + max((part.nested for part in every), default=0),
        sum(map(weight_of, patterns)) + sum(part.pattern_weight for part in every),
        together([own_load(schema), _load(parts)]),
    )
    if result.nested > MOST_NESTED:
        raise _too_nested(tokens)
    if result.subschemas > MOST_SUBSCHEMAS:
        raise FlawedSchemaError([too_many_subschemas(tokens)])
    if result.pattern_weight > MOST_PATTERNS:
        detail = "the patterns are too large together, counting those that are referred to"
        raise FlawedSchemaError([flaw(tokens, "pattern", detail)])
    return result


def _load(parts: dict[str, dict[str, Unfolded]]) -> Load:
    def loads(*keywords: str) -> list[Load]:
        return [part.load for keyword in keywords for part in parts.get(keyword, {}).values()]

    here = [name for name in parts if name == "$ref" or APPLICATORS[name].applies is Applies.HERE]
    named = together([either(loads("properties")), *loads("patternProperties")])
    members = either([named, *loads("additionalProperties")])
    items = together([either(loads("prefixItems", "items")), *loads("contains")])
    return together(
        [*loads(*here), below(either([members, items])), below(together(loads("propertyNames")))]
    )


def _too_nested(tokens: Tokens) -> FlawedSchemaError:
    detail = f"has subschemas within each other more than {MOST_NESTED} deep, references followed"
    return FlawedSchemaError([flaw(tokens, "depth", detail)])
