"""A request for every operation, made from the examples in the OpenAPI document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import FastAPI

ENDLESS = "stream_facts"
"""The operation whose answer never ends: tests/api/test_stream.py asks it."""


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """A request that is well formed. `json` is None where the operation takes no body."""

    operation_id: str
    method: str
    path: str
    query: Mapping[str, Any]
    json: Any
    content_type: str = "application/json"

    def __str__(self) -> str:
        """How it is named in a test's report."""
        return self.operation_id


def example_requests(
    app: FastAPI,
    bodies: Mapping[str, Any] | None = None,
    known: Mapping[str, str] | None = None,
) -> Iterator[ExampleRequest]:
    """One for each operation.

    `bodies` are taken instead of made ones, by operation id; what is `known` by a parameter's name
    stands in the path instead of its example.
    """
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation_id = operation["operationId"]
            values = {
                (parameter["in"], parameter["name"]): _example(parameter["schema"], schemas)
                for parameter in operation.get("parameters", ())
                if parameter.get("required")
            }
            values |= {
                ("path", name): value
                for name, value in (known or {}).items()
                if ("path", name) in values
            }
            content = operation.get("requestBody", {}).get("content", {})
            body = (bodies or {}).get(operation_id)
            none: tuple[str, dict[str, Any]] = ("application/json", {})
            content_type, media = next(iter(content.items()), none)
            if body is None and "examples" in media:
                body = next(iter(media["examples"].values()))["value"]
            elif body is None and media:
                body = _example(media["schema"], schemas)
            yield ExampleRequest(
                operation_id=operation_id,
                method=method.upper(),
                path=path.format(
                    **{key: _in_path(value) for (place, key), value in values.items()}
                ),
                query={key: value for (place, key), value in values.items() if place == "query"},
                json=body,
                content_type=content_type,
            )


def _in_path(value: Any) -> str:
    return str(value).replace("/", "@")


def _example(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    for name in ("examples", "enum"):
        if name in schema:
            return schema[name][0]
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            return _example(schema[name][0], schemas)
    return _of_type(schema, schemas)


def _of_type(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    match schema["type"]:
        case "object":
            members = schema.get("properties", {})
            return {name: _example(members[name], schemas) for name in schema.get("required", ())}
        case "array":
            return [_example(schema["items"], schemas)] * schema.get("minItems", 0)
        case "string" if schema.get("format") == "uuid":
            return str(uuid4())
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 1)
    return "x" * max(1, schema.get("minLength", 0))
