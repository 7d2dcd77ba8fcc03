"""The errors that are told are those of the engine, whatever the schema and the data."""

from typing import Any

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from app.json_schema import compile_schema

_LEAVES = st.sampled_from(
    [
        True,
        False,
        {"type": "string"},
        {"type": ["integer", "null"]},
        {"enum": ["a", 1, None]},
        {"minimum": 1, "multipleOf": 2},
        {"minLength": 2, "pattern": "^a"},
        {"required": ["a", "b"]},
        {"minItems": 1, "uniqueItems": True},
        {"$ref": "#/$defs/one"},
    ]
)


def _around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["a", "^b"]), inner, max_size=1),
            "items": inner,
            "prefixItems": some,
            "allOf": some,
            "anyOf": some,
            "oneOf": some,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "contains": inner,
            "$ref": st.just("#/$defs/two"),
        },
    )


_SCHEMAS = st.builds(
    lambda schema, one, two: {"allOf": [schema], "$defs": {"one": one, "two": two}},
    st.recursive(_LEAVES, _around, max_leaves=5),
    st.sampled_from([{"minLength": 1}, {"required": ["c"]}]),
    st.sampled_from([{"maxProperties": 1}, {"$ref": "#/$defs/one"}]),
)
_DATA = st.recursive(
    st.sampled_from(["", "a", "ab", 0, 1, 2, 3.5, None, True]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)


def _engines_errors(schema: Any, data: Any) -> set[tuple[str, str]]:
    errors = set()
    for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(data):
        steps, rule = list(error.instance_path), error.kind.name
        if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
            steps.append(error.kind.property)
        errors.add(("".join(f"/{step}" for step in steps), rule.replace("falseSchema", "false")))
    return errors


@settings(deadline=None)
@given(_SCHEMAS, _DATA)
def test_the_errors_are_those_that_the_engine_finds(schema: Any, data: Any) -> None:
    errors = compile_schema(schema).errors(data, "")

    assert {(error.pointer, error.rule) for error in errors} == _engines_errors(schema, data)


@settings(deadline=None)
@given(_SCHEMAS, _DATA)
def test_a_pointer_leads_to_something_in_the_data_or_in_its_parent(schema: Any, data: Any) -> None:
    for error in compile_schema(schema).errors(data, "/data"):
        *within, last = error.pointer.split("/")[1:]
        node: Any = {"data": data}
        for step in within:
            node = node[int(step)] if isinstance(node, list) else node[step]
        assert isinstance(node, dict) or int(last) < len(node)
