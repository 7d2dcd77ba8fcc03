"""The rules of the SQL files, read with PostgreSQL's own parser."""

import re

import pytest
from pglast import ast, enums

from app.db.migrations import root
from app.db.schema_files import GRANTABLE_ROLES, SchemaFile, read_tree
from app.db.schema_state import LOCK_CLASS
from tests.support.sql_trees import option, parse

TREE = read_tree(root())
FUNCTIONS = [file for file in TREE.objects if file.kind == "function"]
VIEWS = [file for file in TREE.objects if file.kind == "view"]
SCRIPTS = sorted((root() / "versions").glob("*.sql")) + sorted(root().glob("*.sql"))


def only_definition(file: SchemaFile) -> ast.Node:
    """The statement that makes the object; comments on it may follow, nothing else may."""
    first, *rest = parse(file.sql)
    assert [
        type(statement) for statement in rest if not isinstance(statement, ast.CommentStmt)
    ] == []
    return first


def qualified_name(relation: ast.RangeVar | None) -> tuple[str | None, str | None]:
    assert relation is not None
    return relation.schemaname, relation.relname


@pytest.mark.parametrize("file", FUNCTIONS, ids=lambda file: file.name)
def test_a_functions_file_makes_the_function_of_its_name(file: SchemaFile) -> None:
    function = only_definition(file)
    assert isinstance(function, ast.CreateFunctionStmt)
    assert function.replace
    assert [part.sval for part in function.funcname or ()] == ["iu_core", file.name]


@pytest.mark.parametrize("file", VIEWS, ids=lambda file: file.name)
def test_a_views_file_makes_the_view_of_its_name(file: SchemaFile) -> None:
    view = only_definition(file)
    assert isinstance(view, ast.ViewStmt)
    assert qualified_name(view.view) == ("iu_core", file.name)
    # With the reader's rights it could not be read: the tables are the owner's alone.
    assert not any(option.defname == "security_invoker" for option in view.options or ())


@pytest.mark.parametrize("file", [f for f in FUNCTIONS if f.grantees], ids=lambda file: file.name)
def test_what_others_may_call_runs_as_the_owner_with_a_fixed_search_path(file: SchemaFile) -> None:
    function = only_definition(file)
    assert isinstance(function, ast.CreateFunctionStmt)
    security = option(function, "security")
    assert isinstance(security, ast.Boolean)
    assert security.boolval
    assert re.search(r"SET search_path = pg_catalog, iu_core, pg_temp\b", file.sql)


def test_a_function_that_runs_as_its_owner_fixes_its_search_path() -> None:
    loose = [
        file.name
        for file in FUNCTIONS
        if re.search(r"\bSECURITY DEFINER\b", file.sql)
        and "SET search_path = pg_catalog, iu_core, pg_temp" not in file.sql
    ]
    assert loose == []


def test_no_script_ends_the_transaction_that_it_runs_in() -> None:
    texts = {path.name: path.read_text() for path in SCRIPTS}
    texts |= {file.path: file.sql for file in TREE.files}
    ending = [
        name
        for name, sql in texts.items()
        for statement in parse(sql)
        if isinstance(statement, ast.TransactionStmt)
    ]
    assert ending == []


def test_every_table_and_index_is_made_in_the_schema() -> None:
    stray = [
        f"{path.name}: {qualified_name(statement.relation)}"
        for path in SCRIPTS
        for statement in parse(path.read_text())
        if isinstance(statement, ast.CreateStmt | ast.IndexStmt | ast.AlterTableStmt)
        and qualified_name(statement.relation)[0] != "iu_core"
    ]
    assert stray == []


def test_the_grants_files_name_no_object() -> None:
    """What is granted stands at the head of the object's own file, and only there."""
    named = [
        file.path
        for file in TREE.grants
        for statement in parse(file.sql)
        if isinstance(statement, ast.GrantStmt)
        and statement.targtype == enums.GrantTargetType.ACL_TARGET_OBJECT
        and statement.objtype != enums.ObjectType.OBJECT_SCHEMA
    ]
    assert named == []


def test_the_dashboards_only_read() -> None:
    assert GRANTABLE_ROLES == ("iu_app", "iu_reader")
    assert [file.path for file in FUNCTIONS if "iu_reader" in file.grantees] == []


def test_the_migration_lock_stands_in_the_registry_of_lock_classes() -> None:
    (registry,) = (file for file in FUNCTIONS if file.name == "fn_iu_lock_class")
    assert str(LOCK_CLASS) in registry.sql
