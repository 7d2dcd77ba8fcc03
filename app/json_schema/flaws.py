"""What a document must not have to be taken as a schema, beyond what JSON Schema says.

Everything is said at once, with a pointer into the schema, up to a hundred flaws.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from app.canonical_json import canonical_json
from app.errors import FactoryError
from app.json_levels import MOST_DEPTH, levels
from app.json_pointer import pointer, sound_text
from app.json_schema.keywords import (
    APPLICATORS,
    FORMATS,
    NOT_TAKEN,
    Holds,
    SubSchema,
    Tokens,
    held,
)
from app.patterns import FlawedPatternError, weight_of

MOST_BYTES = 64 * 1024
LEAST_FRACTION = 0.000001
"""The finest `multipleOf`: what is finer is compared as a fraction of a thousand digits."""

DIALECT = "https://json-schema.org/draft/2020-12/schema"
LINEAR = jsonschema_rs.RegexOptions(size_limit=1024 * 1024, dfa_size_limit=256 * 1024)
"""The engine that matches in linear time, and what a pattern may take in memory."""

MOST_SUBSCHEMAS = 5_000
MOST_PATTERNS = 10_000
"""How large all patterns may be together: a tenth of a second to compile."""

_MOST_FLAWS = 100
_LONGEST_DETAIL = 200
_NO_SCHEMA = "a schema is an object, true or false"
_TYPES = "should be array, boolean, integer, null, number, object or string, or a list of them"


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing for which a schema is not taken.

    `pointer` leads into the schema (RFC 6901), `rule` is the keyword of JSON Schema that it breaks,
    or a word of the factory's, and `detail` says what would be right.
    """

    pointer: str
    rule: str
    detail: str


class FlawedSchemaError(FactoryError):
    """A document that is not taken as a schema, and all that is wrong with it."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__("; ".join(f"{flaw.pointer or '/'}: {flaw.detail}" for flaw in flaws))
        self.flaws = flaws


def flaw(tokens: Tokens, rule: str, detail: str) -> Flaw:
    """A flaw at those steps."""
    return Flaw(pointer(tokens), rule, sound_text(detail)[:_LONGEST_DETAIL])


def too_many_subschemas(tokens: Tokens) -> Flaw:
    """The flaw of a schema that is too large, itself or with what it refers to."""
    detail = (
        f"has more than {MOST_SUBSCHEMAS} subschemas, counting those that are referred to wherever"
        " they are"
    )
    return flaw(tokens, "subschemas", detail)


def checked(document: Any) -> dict[Tokens, SubSchema]:
    """All subschemas of the document, by the steps to them; raises FlawedSchemaError."""
    if found := list(_flaws_of_the_whole(document)):
        raise FlawedSchemaError(found)
    places = dict(islice(_walk((), document), MOST_SUBSCHEMAS + 1))
    if len(places) > MOST_SUBSCHEMAS:
        raise FlawedSchemaError([too_many_subschemas(())])
    if found := list(islice(_flaws(places), _MOST_FLAWS)):
        raise FlawedSchemaError(found)
    return places


def target_of(reference: str) -> Tokens | None:
    """The steps that a `$ref` means; None where it leads out of the document."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    steps = unquote(reference[1:]).split("/")[1:]
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def _flaws_of_the_whole(document: Any) -> Iterator[Flaw]:
    if not isinstance(document, dict | bool):
        yield flaw((), "type", _NO_SCHEMA)
        return
    too_deep = next(islice(levels(document), MOST_DEPTH, None), ())
    if any(isinstance(value, dict | list) for value in too_deep):
        yield flaw((), "depth", f"is nested more than {MOST_DEPTH} deep")
        return
    try:
        size = len(canonical_json(document).encode())
    except ValueError as error:
        yield flaw((), "canonical", f"has no canonical form (RFC 8785): {error}")
        return
    if size > MOST_BYTES:
        yield flaw((), "size", f"has {size} bytes in canonical form, {MOST_BYTES} are allowed")


def _walk(tokens: Tokens, schema: Any) -> Iterator[tuple[Tokens, Any]]:
    yield tokens, schema
    if isinstance(schema, dict):
        for keyword, argument in schema.items():
            for steps, item in held(keyword, argument):
                yield from _walk((*tokens, *steps), item)


def _flaws(places: Mapping[Tokens, Any]) -> Iterator[Flaw]:
    for tokens, schema in places.items():
        if isinstance(schema, dict):
            for keyword, argument in schema.items():
                yield from _flaws_of_keyword((*tokens, keyword), keyword, argument, places)
            yield from _flaws_of_shape(tokens, schema)
        elif not isinstance(schema, bool):
            yield flaw(tokens, "type", _NO_SCHEMA)
    yield from _flaws_of_patterns(places)


def _flaws_of_keyword(
    tokens: Tokens, keyword: str, argument: Any, places: Mapping[Tokens, Any]
) -> Iterator[Flaw]:
    if keyword in NOT_TAKEN:
        yield flaw(tokens, keyword, NOT_TAKEN[keyword])
    elif keyword in ("$schema", "$id") and len(tokens) > 1:
        yield flaw(tokens, keyword, "stands at the top only")
    match keyword, argument:
        case "$schema", str() if argument.removesuffix("#") != DIALECT:
            yield flaw(tokens, keyword, f"is no dialect that is taken: {DIALECT} is")
        case "$ref", str() if target_of(argument) is None:
            yield flaw(tokens, keyword, "leads out of this schema: nothing is fetched")
        case "$ref", str() if target_of(argument) not in places:
            yield flaw(tokens, keyword, "leads to no schema in this document")
        case "format", str() if argument not in FORMATS:
            yield flaw(tokens, keyword, f"is no format that is checked: {', '.join(FORMATS)} are")
        case "multipleOf", float() if 0 < argument < LEAST_FRACTION:
            yield flaw(tokens, keyword, "should be 0.000001 or more")


def _flaws_of_patterns(places: Mapping[Tokens, Any]) -> Iterator[Flaw]:
    total = 0
    for tokens, pattern in _patterns(places):
        try:
            total += weight_of(pattern)
            if total > MOST_PATTERNS:
                yield flaw(tokens, "pattern", "the patterns are too large together")
                return
            jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=LINEAR)
        except FlawedPatternError as error:
            yield flaw(tokens, "pattern", str(error))
        except jsonschema_rs.ValidationError:
            yield flaw(tokens, "pattern", "is no regular expression that is taken here")


def _patterns(places: Mapping[Tokens, Any]) -> Iterator[tuple[Tokens, str]]:
    for tokens, schema in places.items():
        if isinstance(schema, dict):
            if isinstance(pattern := schema.get("pattern"), str):
                yield (*tokens, "pattern"), pattern
            if isinstance(patterns := schema.get("patternProperties"), dict):
                for name in patterns:
                    yield (*tokens, "patternProperties", name), name


def _flaws_of_shape(tokens: Tokens, schema: dict[str, Any]) -> Iterator[Flaw]:
    """What the meta-schema says of one subschema, by itself.

    Of the whole document, it would say each thing once for every vocabulary, and for a document
    made for that it would take eleven seconds to say it.
    """
    alone = {keyword: _without_subschemas(keyword, schema[keyword]) for keyword in schema}
    if _META_SCHEMA.is_valid(alone):
        return
    errors = {
        (*tokens, *map(str, error.instance_path)): (error.kind.name, error.message)
        for error in _META_SCHEMA.iter_errors(alone)
    }
    for at, (rule, message) in sorted(errors.items()):
        yield flaw(at, rule, _TYPES if at == (*tokens, "type") else message)


def _without_subschemas(keyword: str, argument: Any) -> Any:
    applicator = APPLICATORS.get(keyword)
    match applicator and applicator.holds, argument:
        case Holds.ONE, _:
            return True
        case Holds.LIST, list():
            return argument and [True]
        case Holds.MAP, dict():
            return {}
        case _:
            return argument


_META_SCHEMA = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, mask="the value", offline=True)
