"""The OpenAPI document: committed, complete, and true to the catalogue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from app.errors import CATALOGUE
from app.main import create_app
from app.openapi import main, openapi_as_text
from app.refusals.models import PROBLEM_MEDIA_TYPE, PROBLEM_MODELS
from app.security import Scope
from app.settings import Settings

ROOT = Path(__file__).parents[2]
COMMITTED = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = json.loads(COMMITTED)
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))


def problems_of(operation: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Every refusal that an operation documents: status, code, and the media type's entry."""
    for status, response in operation["responses"].items():
        for code in response.get("x-refusals", ()):
            yield status, code, response["content"][PROBLEM_MEDIA_TYPE]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference stands for."""
    while reference := schema.get("$ref"):
        _, _, kind, name = reference.split("/")
        schema = DOCUMENT["components"][kind][name]
    return schema


def has_example(content: dict[str, Any]) -> bool:
    """Whether a media type's entry, its schema, or a variant of that has an example."""
    schema = resolved(content["schema"])
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), schema.get("items", {})]
    variants = [schema, *map(resolved, inner)]
    return "examples" in content or any("example" in variant for variant in variants)


def test_the_committed_document_is_not_stale() -> None:
    assert openapi_as_text() == COMMITTED, "run `make openapi`"


def test_the_command_writes_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "openapi.json"
    assert (main([str(written)]), main([])) == (0, 0)
    assert json.loads(written.read_text(encoding="utf-8")) == DOCUMENT
    assert json.loads(capsys.readouterr().out) == DOCUMENT


def test_the_document_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACTORY_METRICS_REQUIRE_KEY", "true")
    monkeypatch.setenv("FACTORY_CORS_ORIGINS", "https://console.example")
    assert create_app(Settings()).openapi() == DOCUMENT


def test_operations_are_named_after_their_functions() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name.islower() for name in names)


def test_tags_are_explained_once_and_used() -> None:
    explained = [tag["name"] for tag in DOCUMENT["tags"]]
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert sorted(explained) == sorted(used)
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@each_operation
def test_an_operation_says_what_it_does(operation: dict[str, Any]) -> None:
    assert len(operation["tags"]) == 1
    assert operation["description"].strip()


@each_operation
def test_an_operation_says_which_scope_it_needs(operation: dict[str, Any]) -> None:
    codes = {code for _, code, _ in problems_of(operation)}
    scope = operation.get("x-required-scope")
    if "security" in operation:
        assert scope in set(Scope)
        assert f"Needs the scope `{scope}`" in operation["description"]
        assert {"unauthenticated", "forbidden"} <= codes
    else:
        assert scope is None
        signed = operation["operationId"] == "receive_webhook"
        assert signed or operation["tags"] in (["health"], ["problems"])


@each_operation
def test_an_operation_documents_what_every_operation_can_be_refused_with(
    operation: dict[str, Any],
) -> None:
    codes = {(status, code) for status, code, _ in problems_of(operation)}
    expected = {
        ("400", "invalid_input"),
        ("406", "not_acceptable"),
        ("422", "invalid_input"),
        ("500", "internal"),
    }
    if "requestBody" in operation:
        expected |= {
            ("413", "too_large"),
            ("415", "unsupported_media_type"),
            ("422", "too_deep"),
        }
    assert expected <= codes


@each_operation
def test_refusals_are_problems_with_an_example_that_holds(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            assert list(response["content"]) == [PROBLEM_MEDIA_TYPE]
    for status, code, content in problems_of(operation):
        assert int(status) in CATALOGUE[code].statuses
        document = resolved(content["examples"][code])["value"]
        assert document["status"] == int(status)
        TypeAdapter(PROBLEM_MODELS[code]).validate_json(json.dumps(document), strict=True)
        variants = content["schema"].get("oneOf", [content["schema"]])
        assert [resolved(variant)["properties"]["code"]["const"] for variant in variants].count(
            code
        ) == 1


@each_operation
def test_a_request_body_has_an_example(operation: dict[str, Any]) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert has_example(content)


@each_operation
def test_an_answer_in_json_has_an_example(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = response.get("content", {}).get("application/json")
        if status.startswith("2") and content is not None:
            assert has_example(content)


def test_no_text_has_a_control_character() -> None:
    assert "\\u00" not in COMMITTED.replace(r"\\u00", "")


def test_every_reference_leads_somewhere() -> None:
    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    known = {
        f"#/components/{kind}/{name}"
        for kind, components in DOCUMENT["components"].items()
        for name in components
    }
    assert set(references(DOCUMENT)) <= known
