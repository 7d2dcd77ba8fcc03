"""Schemas that nobody should write, and data that is sent to make a schema slow.

None of these asserts a duration: what would take too long is refused before it is begun, and a
guard that is taken out makes its test hang, or the process grow.
"""

import json
import socket
from itertools import islice, product
from string import ascii_lowercase
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.json_schema import FlawedSchemaError, compile_schema
from app.json_schema.keywords import APPLICATORS
from app.patterns import MOST_WEIGHT

LARGE = "has more than 5000 subschemas, counting those that are referred to wherever they are"
TOO_LARGE_PATTERN = (
    "the pattern is too large: it has more than 500 parts when its repetitions are written out"
)
NO_SUCH_GROUP = (
    "a group of this kind is not taken: there is no looking around, and no flag but i, m and s"
)
RECURSIVE = "leads back to where it lies: recursive schemas are not taken"
OUTSIDE = "leads out of this schema: nothing is fetched"
ELSEWHERE = "refer with a JSON pointer into this schema: #/$defs/name"


def flaws_of(document: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(FlawedSchemaError) as caught:
        compile_schema(document)
    return [(flaw.pointer, flaw.rule, flaw.detail) for flaw in caught.value.flaws]


def chain(links: int, *, times: int) -> dict[str, Any]:
    """A schema each of whose links refers to the next several times."""
    references = [[{"$ref": f"#/$defs/a{n}"}] * times for n in range(1, links + 1)]
    definitions = {f"a{n}": {"allOf": parts} for n, parts in enumerate(references)}
    return {"$ref": "#/$defs/a0", "$defs": {**definitions, f"a{links}": {}}}


def nested(levels: int, keyword: str) -> Any:
    schema: Any = {"type": "string"}
    for _ in range(levels):
        schema = {keyword: schema}
    return schema


@pytest.mark.parametrize(
    ("keyword", "value", "detail"),
    [
        ("$ref", "http://127.0.0.1:{port}/schema", OUTSIDE),
        ("$ref", "//127.0.0.1:{port}/schema", OUTSIDE),
        ("$ref", "schema.json#/$defs/a", OUTSIDE),
        ("$ref", "file:///etc/passwd", OUTSIDE),
        ("$ref", "#anchor", OUTSIDE),
        ("$dynamicRef", "http://127.0.0.1:{port}/schema#a", ELSEWHERE),
        ("$recursiveRef", "http://127.0.0.1:{port}/schema", ELSEWHERE),
        (
            "$schema",
            "http://127.0.0.1:{port}/schema",
            "is no dialect that is taken: https://json-schema.org/draft/2020-12/schema is",
        ),
    ],
)
def test_nothing_is_fetched(keyword: str, value: str, detail: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        reference = value.format(port=listening.getsockname()[1])
        # With a base that is remote too, a local reference would be one to there.
        document = {"$id": reference.partition("#")[0], keyword: reference}

        assert flaws_of(document) == [(f"/{keyword}", keyword, detail)]
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_an_identifier_is_only_a_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        base = f"http://127.0.0.1:{listening.getsockname()[1]}/schema"
        schema = compile_schema({"$id": base, "$ref": "#/$defs/a", "$defs": {"a": False}})

        assert [error.rule for error in schema.errors(1)] == ["false"]
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"$ref": "#"}, "/$ref"),
        ({"properties": {"a": {"$ref": "#"}}}, "/properties/a/$ref"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref"),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {
                    "a": {"items": {"$ref": "#/$defs/b"}},
                    "b": {"not": {"$ref": "#/$defs/a"}},
                },
            },
            "/$defs/b/not/$ref",
        ),
        ({"allOf": [{"if": {"$ref": "#/allOf/0"}}]}, "/allOf/0/if/$ref"),
    ],
)
def test_recursion_is_refused(document: Any, pointer: str) -> None:
    assert flaws_of(document) == [(pointer, "$ref", RECURSIVE)]


def test_references_that_double_are_counted_without_being_unfolded() -> None:
    assert flaws_of(chain(20, times=2)) == [("/$defs/a9", "subschemas", LARGE)]
    assert flaws_of(chain(15, times=100)) == [("/$defs/a13", "subschemas", LARGE)]
    assert compile_schema(chain(10, times=2)).errors(1) == []


def test_references_that_follow_each_other_are_not_followed_for_ever() -> None:
    assert compile_schema(chain(31, times=1)).errors(1) == []
    [(_, rule, detail)] = flaws_of(chain(1000, times=1))
    assert (rule, detail) == (
        "depth",
        "has subschemas within each other more than 64 deep, references followed",
    )


@pytest.mark.parametrize("keyword", ["unevaluatedProperties", "unevaluatedItems"])
def test_what_is_validated_again_on_every_level_is_refused(keyword: str) -> None:
    [(pointer, rule, _)] = flaws_of({"allOf": [{keyword: False}]})

    assert (pointer, rule) == (f"/allOf/0/{keyword}", keyword)


@pytest.mark.parametrize(
    ("document", "rule", "detail"),
    [
        (nested(32, "not"), "depth", "is nested more than 32 deep"),
        (nested(100_000, "not"), "depth", "is nested more than 32 deep"),
        ({"enum": [[[]] * 30_000]}, "size", "has 90012 bytes in canonical form, 65536 are allowed"),
        ({"allOf": [{}] * 20_000}, "subschemas", LARGE),
        ({"allOf": [True] * 10_000}, "subschemas", LARGE),
    ],
    ids=["33 deep", "100,000 deep", "90 KiB", "20,000 subschemas", "10,000 truths"],
)
def test_a_schema_that_is_too_large_is_refused(document: Any, rule: str, detail: str) -> None:
    assert flaws_of(document) == [("", rule, detail)]


def test_of_thousands_of_flaws_a_hundred_are_told() -> None:
    assert len(flaws_of({"allOf": [1] * 4_000})) == 100
    assert len(flaws_of({"required": [1] * 20_000})) == 100


@pytest.mark.parametrize(
    ("pattern", "detail"),
    [
        ("(?=a)b", NO_SUCH_GROUP),
        ("(?<!a)b", NO_SUCH_GROUP),
        ("(?x)a {999}", NO_SUCH_GROUP),
        (r"(a)\1", "is no regular expression that is taken here"),
        ("(a", "is no regular expression that is taken here"),
        ("a)", "a parenthesis is closed that was not opened"),
        ("[a", r"a class is not closed, or has a [ in it, which is written \["),
        (r"[[\p{L}]]{99}", r"a class is not closed, or has a [ in it, which is written \["),
        ("\\", "the pattern ends with a backslash"),
        (r"(\w{30}){30}", TOO_LARGE_PATTERN),
        ("((a{9}){9}){9}", TOO_LARGE_PATTERN),
        ("a{3}{200}", TOO_LARGE_PATTERN),
        ("a{500,}", TOO_LARGE_PATTERN),
        ("a{,501}", TOO_LARGE_PATTERN),
        ("a{0000000501}", TOO_LARGE_PATTERN),
        ("a{" + "9" * 5000 + "}", TOO_LARGE_PATTERN),
        (r"\p{L}{6}", TOO_LARGE_PATTERN),
        (r"[^\p{L}\PN]{3}", TOO_LARGE_PATTERN),
        (r"\D{251}", TOO_LARGE_PATTERN),
        ("a" * 501, TOO_LARGE_PATTERN),
    ],
)
def test_a_pattern_that_is_not_linear_or_not_small_is_refused(pattern: str, detail: str) -> None:
    assert flaws_of({"items": {"pattern": pattern}}) == [("/items/pattern", "pattern", detail)]
    [(pointer, *rest)] = flaws_of({"patternProperties": {pattern: True}})
    assert pointer.startswith("/patternProperties/")
    assert rest == ["pattern", detail]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(.*)*x", "(x+x+)+y"])
def test_patterns_that_would_backtrack_for_ever_do_not(pattern: str) -> None:
    schema = compile_schema({"pattern": pattern})

    assert [error.rule for error in schema.errors("a" * 100_000 + "!")] == ["pattern"]


def test_patterns_are_counted_together_also_where_they_are_referred_to() -> None:
    pattern = "a" * MOST_WEIGHT
    many = {"properties": {f"p{n}": {"pattern": pattern} for n in range(21)}}
    referred = {
        "properties": {f"p{n}": {"$ref": "#/$defs/a"} for n in range(21)},
        "$defs": {"a": {"pattern": pattern}},
    }

    assert flaws_of(many) == [
        ("/properties/p20/pattern", "pattern", "the patterns are too large together")
    ]
    assert flaws_of(referred) == [
        (
            "",
            "pattern",
            "the patterns are too large together, counting those that are referred to",
        )
    ]


NUMBERS = list(range(200_000))
FRACTIONS = [number + 0.5 for number in range(100_000)]
OBJECTS = [{"a": number} for number in range(60_000)]
LONG = "ab" * 500_000


def beginning(value: Any) -> str:
    """The first characters of a value as JSON; its megabytes are not written for them."""
    return "".join(islice(json.JSONEncoder().iterencode(value), 60))[:60]


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"items": {"allOf": [{"minimum": -n} for n in range(100)]}}, NUMBERS),
        ({"items": {"anyOf": [{"const": -n - 1} for n in range(10)]}}, NUMBERS),
        ({"items": {"enum": [{"b": n} for n in range(100)]}}, OBJECTS),
        ({"items": {"enum": [[*range(100), n] for n in range(100)]}}, [[*range(101)]] * 1000),
        ({"items": {"enum": list(range(-500, 0))}}, FRACTIONS),
        ({"items": {"const": -1}}, FRACTIONS),
        ({"items": {"multipleOf": 7}}, FRACTIONS),
        ({"items": {"multipleOf": 0.000001}}, NUMBERS),
        ({"items": {"dependentRequired": {f"p{n}": ["a"] for n in range(500)}}}, OBJECTS),
        ({"items": {"dependentSchemas": {f"p{n}": {} for n in range(500)}}}, OBJECTS),
        ({"allOf": [{"contains": {"const": -n - 1}} for n in range(10)]}, NUMBERS),
        ({"allOf": [{"uniqueItems": True}] * 20}, NUMBERS),
        ({"pattern": ".*a.{180}z"}, LONG),
        ({"propertyNames": {"pattern": ".*a.{180}z"}}, {LONG: 1}),
        ({"patternProperties": {".*a.{180}z": False}}, {LONG: 1}),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"allOf": [{"type": "integer"}] * 99}}}},
            NUMBERS,
        ),
    ],
    ids=beginning,
)
def test_data_that_a_schema_would_be_slow_on_is_not_looked_at(schema: Any, data: Any) -> None:
    errors = compile_schema(schema).errors(data)

    assert [(error.pointer, error.rule, error.detail) for error in errors] == [
        ("/data", "too_costly", "is too large to be checked against so large a schema")
    ]


@pytest.mark.parametrize(
    ("schema", "data"),
    [
        ({"items": {"type": "integer", "minimum": 0}, "minItems": 1}, NUMBERS),
        ({"items": {"type": "number", "maximum": 1_000_000}}, FRACTIONS),
        ({"items": {"properties": {"a": {"type": "integer"}}, "required": ["a"]}}, OBJECTS),
        ({"properties": {"id": {"pattern": "^[a-z]{1,30}$"}}}, {"id": "a", "more": {"text": LONG}}),
        ({"maxLength": 1_000_000, "type": "string"}, LONG),
    ],
    ids=beginning,
)
def test_a_megabyte_is_looked_at_where_the_schema_is_an_ordinary_one(
    schema: Any, data: Any
) -> None:
    assert compile_schema(schema).errors(data) == []


@pytest.mark.parametrize(
    ("schema", "rules"),
    [
        ({"required": [f"k{n}" for n in range(1000)]}, ["required"] * 100),
        ({"allOf": [{"minProperties": n} for n in range(2, 1000)]}, ["minProperties"] * 100),
        ({"anyOf": [{"type": "string"}] * 100}, ["anyOf"]),
        ({"properties": {"a": {"items": {"type": "string"}}}}, ["type"] * 100),
    ],
    ids=beginning,
)
def test_errors_of_a_megabyte_do_not_each_hold_it(schema: Any, rules: list[str]) -> None:
    """Each of the engine's own would: a gigabyte, and seconds, for the first of these."""
    errors = compile_schema(schema).errors({"a": NUMBERS[:20_000]})

    assert [error.rule for error in errors] == rules
    assert max(len(error.detail) for error in errors) < 100


def test_explaining_tries_no_pattern_on_what_breaks_none() -> None:
    """Each on each of these takes the better part of a minute."""
    patterns: dict[str, Any] = {
        "".join(two): {} for two in product(ascii_lowercase, "abcdefghijkl")
    }
    data = {f"{number:04}": 1 for number in range(2_400)}
    schema = compile_schema(
        {"patternProperties": patterns, "additionalProperties": {"type": "integer"}}
    )

    errors = schema.errors(data | {"-": "x"})

    assert [(error.pointer, error.rule) for error in errors] == [("/data/-", "type")]


def test_names_in_pointers_are_escaped_and_cut() -> None:
    schema = compile_schema({"additionalProperties": False})
    errors = schema.errors({"a/b~c": 1, "x" * 500: 2})

    assert [error.pointer for error in errors] == [
        "/data/a~1b~0c",
        "/data/" + "x" * 100 + "…",
    ]


_KEYWORDS = [*APPLICATORS, "$ref", "$id", "type", "pattern", "enum", "const", "format", "required"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(_KEYWORDS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(_JSON, _JSON)
def test_whatever_is_sent_is_a_schema_or_has_flaws(document: Any, data: Any) -> None:
    try:
        schema = compile_schema(document)
    except FlawedSchemaError as error:
        flaws = error.flaws
    else:
        flaws = []
        schema.errors(data)
    assert all(flaw.pointer == "" or flaw.pointer.startswith("/") for flaw in flaws)
