"""What operators write as schemas, and what people hear whose data does not satisfy one."""

import hashlib
from typing import Any

import pytest

from app.json_schema import Flaw, FlawedSchemaError, compile_schema
from app.refusals.members import InvalidField

PERSON: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/person",
    "type": "object",
    "required": ["name", "start_date"],
    "properties": {
        "name": {"$ref": "#/$defs/line"},
        "start_date": {"type": "string", "format": "date"},
        "contract": {"enum": ["permanent", "temporary"], "default": "permanent"},
        "a/b": {"type": "integer", "minimum": 0},
        "languages": {"type": "array", "items": {"$ref": "#/$defs/line"}, "uniqueItems": True},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "string", "minLength": 1, "pattern": r"^[^\n]*$"}},
}

TYPES = "should be array, boolean, integer, null, number, object or string, or a list of them"
FORMATS = (
    "is no format that is checked: date, date-time, duration, email, hostname, ipv4, ipv6, time,"
    " uri, uri-reference, uuid are"
)


def told(errors: list[InvalidField]) -> list[tuple[str, str, str]]:
    assert {error.location for error in errors} <= {"body"}
    return [(error.pointer, error.rule, error.detail) for error in errors]


def flaws_of(document: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(FlawedSchemaError) as caught:
        compile_schema(document)
    return [(flaw.pointer, flaw.rule, flaw.detail) for flaw in caught.value.flaws]


def test_data_that_satisfies_the_schema_has_no_errors_and_gains_no_defaults() -> None:
    data = {"name": "Ada", "start_date": "2026-02-01"}

    assert compile_schema(PERSON).errors(data) == []
    assert data == {"name": "Ada", "start_date": "2026-02-01"}


def test_every_error_is_told_with_its_place_and_what_would_be_right() -> None:
    data = {"name": "", "a/b": -1, "languages": ["de", 7, "de"], "nickname": "A", "contract": "x"}

    assert told(compile_schema(PERSON).errors(data)) == [
        ("/data/start_date", "required", "is missing"),
        ("/data/name", "minLength", "should have at least 1 character"),
        ("/data/a~1b", "minimum", "should be 0 or more"),
        ("/data/languages/1", "type", "should be a string"),
        ("/data/languages", "uniqueItems", "should not have the same item twice"),
        ("/data/contract", "enum", 'should be one of "permanent", "temporary"'),
        ("/data/nickname", "additionalProperties", "there is no such member"),
    ]


@pytest.mark.parametrize(
    ("schema", "data", "errors"),
    [
        ({"type": ["string", "null"]}, 5, [("", "type", "should be a string or null")]),
        ({"const": {"a": 1}}, {}, [("", "const", 'should be {"a": 1}')]),
        ({"maximum": 1.5}, 2, [("", "maximum", "should be 1.5 or less")]),
        ({"exclusiveMaximum": 2}, 2, [("", "exclusiveMaximum", "should be less than 2")]),
        ({"exclusiveMinimum": 2}, 2, [("", "exclusiveMinimum", "should be greater than 2")]),
        ({"multipleOf": 0.01}, 0.005, [("", "multipleOf", "should be a multiple of 0.01")]),
        ({"maxLength": 1}, "éé", [("", "maxLength", "should have at most 1 character")]),
        ({"pattern": "^[a-z]+$"}, "A", [("", "pattern", "should match the pattern ^[a-z]+$")]),
        ({"minItems": 2}, [1], [("", "minItems", "should have at least 2 items")]),
        ({"maxItems": 0}, [1], [("", "maxItems", "should have at most 0 items")]),
        ({"minProperties": 1}, {}, [("", "minProperties", "should have at least 1 member")]),
        (
            {"maxProperties": 1},
            {"a": 1, "b": 2},
            [("", "maxProperties", "should have at most 1 member")],
        ),
        ({"not": {"type": "string"}}, "a", [("", "not", "is of a kind that the schema rules out")]),
        (
            {"anyOf": [{"type": "string"}, {"type": "null"}]},
            1,
            [("", "anyOf", "should fit one of 2 alternatives")],
        ),
        (
            {"oneOf": [{"type": "string"}, {"maxLength": 5}]},
            "a",
            [("", "oneOf", "should fit exactly one of 2 alternatives")],
        ),
        (
            {"contains": {"type": "string"}, "maxContains": 1},
            ["a", "b"],
            [("", "contains", "should have as many items of a kind as the schema asks for")],
        ),
        (
            {"allOf": [{"minimum": 3}, {"multipleOf": 2}, {"minimum": 3}]},
            1,
            [
                ("", "minimum", "should be 3 or more"),
                ("", "multipleOf", "should be a multiple of 2"),
            ],
        ),
        (
            {"if": {"required": ["b"]}, "then": {"required": ["c"]}, "else": {"required": ["d"]}},
            {"b": 1},
            [("/c", "required", "is missing")],
        ),
        (
            {"if": {"required": ["b"]}, "then": {"required": ["c"]}, "else": {"required": ["d"]}},
            {},
            [("/d", "required", "is missing")],
        ),
        (
            {"dependentRequired": {"a": ["b", "c"], "z": ["y"]}},
            {"a": 1, "c": 1},
            [("/b", "dependentRequired", 'is missing, beside "a"')],
        ),
        (
            {"dependentSchemas": {"a": {"required": ["b"]}, "z": False}},
            {"a": 1},
            [("/b", "required", "is missing")],
        ),
        (
            {"propertyNames": {"maxLength": 1}},
            {"a": 1, "bc": 2},
            [("/bc", "propertyNames", "is no name that a member may have here")],
        ),
        (
            {
                "properties": {"a": True},
                "patternProperties": {"^x-": {"type": "string"}, "y$": {"maxLength": 1}},
                "additionalProperties": {"type": "integer"},
            },
            {"a": 1, "x-y": 1, "x-zy": "long", "b": "1", "c": 1},
            [
                ("/x-y", "type", "should be a string"),
                ("/x-zy", "maxLength", "should have at most 1 character"),
                ("/b", "type", "should be an integer"),
            ],
        ),
        (
            {"prefixItems": [{"type": "string"}, True], "items": False},
            [1, 2, 3],
            [("/0", "type", "should be a string"), ("/2", "false", "is not allowed here")],
        ),
        ({"prefixItems": [{"type": "string"}]}, [1, 2], [("/0", "type", "should be a string")]),
        (False, 1, [("", "false", "is not allowed here")]),
        (
            {
                "$ref": "#/$defs/a%20b/properties/c~1d",
                "$defs": {"a b": {"properties": {"c/d": {"type": "integer"}}}},
                "minimum": 1,
            },
            0.5,
            [("", "minimum", "should be 1 or more"), ("", "type", "should be an integer")],
        ),
        (
            {"properties": {"a": {"properties": {"b": {"items": {"type": "integer"}}}}}},
            {"a": {"b": [1, "x", 2.0, None]}},
            [
                ("/a/b/1", "type", "should be an integer"),
                ("/a/b/3", "type", "should be an integer"),
            ],
        ),
    ],
)
def test_what_a_keyword_says(schema: Any, data: Any, errors: list[tuple[str, str, str]]) -> None:
    assert told(compile_schema(schema).errors(data, "")) == errors


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("date", "2026-02-28", "2026-02-30"),
        ("date-time", "2026-01-31T09:30:00+01:00", "2026-01-31T09:30:00"),
        ("duration", "P3DT4H", "3 days"),
        ("email", "ada@example.org", "ada"),
        ("hostname", "www.example.org", "-a-"),
        ("ipv4", "192.0.2.1", "192.0.2.256"),
        ("ipv6", "2001:db8::1", "2001:db8"),
        ("time", "09:30:00Z", "25:00:00Z"),
        ("uri", "https://example.org/a", "/a"),
        ("uri-reference", "/a?b=c", "a b"),
        ("uuid", "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f", "0f3c1e6e"),
    ],
)
def test_formats_are_checked(name: str, right: str, wrong: str) -> None:
    schema = compile_schema({"format": name})

    assert schema.errors(right) == []
    assert [(error.pointer, error.rule) for error in schema.errors(wrong)] == [("/data", "format")]


def test_of_a_thousand_errors_a_hundred_are_told() -> None:
    errors = compile_schema({"items": {"type": "string"}}).errors(list(range(1000)))

    assert [error.pointer for error in errors] == [f"/data/{index}" for index in range(100)]


def test_an_answer_says_nothing_of_long_data_and_little_of_a_long_schema() -> None:
    schema = compile_schema({"properties": {"secret": {"enum": ["y" * 1000]}}})
    [error] = schema.errors({"secret": "x" * 10_000})

    assert error.detail == 'should be one of "' + "y" * 182 + "…"


@pytest.mark.parametrize(
    ("document", "flaws"),
    [
        (5, [("", "type", "a schema is an object, true or false")]),
        ([], [("", "type", "a schema is an object, true or false")]),
        (
            {"properties": {"a": 5}, "allOf": [{}, "x"], "not": None},
            [
                ("/properties/a", "type", "a schema is an object, true or false"),
                ("/allOf/1", "type", "a schema is an object, true or false"),
                ("/not", "type", "a schema is an object, true or false"),
            ],
        ),
        (
            {"minLength": -1, "properties": 5, "allOf": [], "required": ["a", "a"]},
            [
                ("/allOf", "minItems", "the value has less than 1 item"),
                ("/minLength", "minimum", "the value is less than the minimum of 0"),
                ("/properties", "type", 'the value is not of type "object"'),
                ("/required", "uniqueItems", "the value has non-unique elements"),
            ],
        ),
        (
            {"items": {"type": "text"}},
            [
                (
                    "/items/type",
                    "anyOf",
                    TYPES,
                )
            ],
        ),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#"},
            [
                (
                    "/$schema",
                    "$schema",
                    "is no dialect that is taken: https://json-schema.org/draft/2020-12/schema is",
                )
            ],
        ),
        (
            {"properties": {"a": {"$id": "https://example.org/a"}}},
            [
                ("/properties/a/$id", "$id", "stands at the top only"),
            ],
        ),
        (
            {"format": "datetime"},
            [
                (
                    "/format",
                    "format",
                    FORMATS,
                )
            ],
        ),
        ({"multipleOf": 0.0000001}, [("/multipleOf", "multipleOf", "should be 0.000001 or more")]),
        (
            {"$ref": "#/$defs/a", "properties": {"b": {"$ref": "#/required/0"}}, "required": ["b"]},
            [
                ("/$ref", "$ref", "leads to no schema in this document"),
                ("/properties/b/$ref", "$ref", "leads to no schema in this document"),
            ],
        ),
        (
            {"dependencies": {"a": ["b"]}, "additionalItems": False},
            [
                (
                    "/dependencies",
                    "dependencies",
                    "is of an older draft, and would be ignored: use dependentRequired or"
                    " dependentSchemas",
                ),
                (
                    "/additionalItems",
                    "additionalItems",
                    "is of an older draft, and would be ignored: use prefixItems and items",
                ),
            ],
        ),
        (
            {"default": float("nan")},
            [
                (
                    "",
                    "canonical",
                    "has no canonical form (RFC 8785): nan is not representable in JCS",
                )
            ],
        ),
    ],
    ids=str,
)
def test_all_flaws_of_a_schema_are_told(document: Any, flaws: list[tuple[str, str, str]]) -> None:
    assert flaws_of(document) == flaws


def test_a_flaw_is_part_of_what_the_error_says() -> None:
    with pytest.raises(FlawedSchemaError, match=r"^/type: should be array") as caught:
        compile_schema({"type": "text"})
    assert isinstance(caught.value.flaws[0], Flaw)


def test_the_digest_is_that_of_the_canonical_form() -> None:
    schema = compile_schema({"type": "string", "minLength": 1.0})

    assert schema.digest == hashlib.sha256(b'{"minLength":1,"type":"string"}').hexdigest()
    assert schema.digest == compile_schema({"minLength": 1, "type": "string"}).digest
