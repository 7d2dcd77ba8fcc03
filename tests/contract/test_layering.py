"""The one direction of flow: routers → services → db → SQL functions and views, never back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"

# Which of the app's packages and which libraries each layer must not know.
HTTP = ("app.routers", "app.http", "app.main", "fastapi", "starlette")
STORED = ("app.db", "app.services", "sqlalchemy", "asyncpg")
FORBIDDEN = {
    "routers": ("app.db", "sqlalchemy", "asyncpg"),
    "http": ("app.routers", "app.main", *STORED),
    "consuming": (*HTTP, "sqlalchemy", "asyncpg"),
    "services": (*HTTP, "sqlalchemy"),
    "db": (*HTTP, "app.services", "app.schemas"),
    "events": (*HTTP, *STORED, "app.documents"),
    "documents": (*HTTP, *STORED, "app.events"),
    "evidence": (*HTTP, *STORED, "app.schemas", "app.events", "app.documents"),
    "delivery": (*HTTP, *STORED, "app.events", "app.documents", "app.schemas"),
    "expressions": (*HTTP, *STORED, "app.schemas", "app.events", "app.documents"),
    "json_schema": (*HTTP, *STORED, "app.schemas", "app.events", "app.documents"),
    "schemas": (*HTTP, *STORED),
    "refusals": (*HTTP, "app.services"),
}

_SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|CREATE\s+(TABLE|ROLE|INDEX))\b",
    re.DOTALL,
)


def modules(package: str) -> Iterator[Path]:
    yield from sorted((APP / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def strings(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documents:
                yield text


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_knows_only_what_lies_below_it(layer: str) -> None:
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(layer)
        for name in imports(path)
        for forbidden in FORBIDDEN[layer]
        if name == forbidden or name.startswith(f"{forbidden}.")
    ]
    assert found == []


def test_sql_stands_in_the_migrations_and_in_the_database_layer_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text[:60]!r}"
        for path in sorted(APP.rglob("*.py"))
        if not path.is_relative_to(APP / "db")
        for text in strings(path)
        if _SQL.search(text)
    ]
    assert found == []


def test_the_database_layer_writes_through_functions_only() -> None:
    """What the service runs never names a table to write to; the owner's tools are told apart."""
    owners_tools = {"bootstrap.py", "migrations.py", "revisions.py", "schema_state.py"}
    writes = re.compile(r"\b(INSERT\s+INTO|UPDATE\s+iu_core|DELETE\s+FROM)\b")
    found = [
        f"{path.relative_to(ROOT)}: {text[:60]!r}"
        for path in modules("db")
        if path.name not in owners_tools
        for text in strings(path)
        if writes.search(text)
    ]
    assert found == []


def test_problem_documents_are_written_in_one_place() -> None:
    writers = [
        str(path.relative_to(APP))
        for path in sorted(APP.rglob("*.py"))
        if re.search(r"media_type=PROBLEM_MEDIA_TYPE|media_type=PROBLEM_JSON", path.read_text())
    ]
    assert writers == ["problems.py"]
