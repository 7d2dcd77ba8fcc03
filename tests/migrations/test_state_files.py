"""Functions, views and grants are what their files say, whatever they were before."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from app.db.migrations import Pending, ScriptFailed, migrate
from app.db.schema_files import MigrationTreeError, read_tree
from tests.support.databases import Database, catalog_dump, open_connection
from tests.support.trees import Tree


async def fetchval(database: Database, query: str) -> object:
    connection = await open_connection(database, "owner")
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def assert_like_fresh(changed: Database, fresh: Database, tree: Tree) -> None:
    """The changed database is what a new one is that the same files made."""
    await migrate(fresh.owner_url, tree=tree.root)
    assert (await catalog_dump(changed)).replace(changed.name, "db") == (
        await catalog_dump(fresh)
    ).replace(fresh.name, "db")


CHANGES: dict[str, tuple[Callable[[Tree], Tree], Pending]] = {
    "a function's body": (
        lambda tree: tree.function("fn_thing_name", "(p_id integer) RETURNS text", "SELECT 'x'"),
        Pending(changed=("functions/fn_thing_name.sql",)),
    ),
    "a function's arguments and its use in a view": (
        lambda tree: tree.function("fn_thing_name", "(p_id bigint) RETURNS text").view(
            "v_thing", "SELECT iu_core.fn_thing_name(t.thing_id::bigint) FROM iu_core.thing AS t"
        ),
        Pending(changed=("functions/fn_thing_name.sql", "views/v_thing.sql")),
    ),
    "a function's return type, on which an unchanged view depends": (
        lambda tree: tree.function("fn_thing_name", "(p_id integer) RETURNS char"),
        Pending(changed=("functions/fn_thing_name.sql",)),
    ),
    "the type and order of a view's columns": (
        lambda tree: tree.view(
            "v_thing", "SELECT t.name, t.thing_id::text FROM iu_core.thing AS t"
        ),
        Pending(changed=("views/v_thing.sql",)),
    ),
    "a table under an unchanged view": (
        lambda tree: tree.revision(
            2, "ALTER TABLE iu_core.thing ALTER COLUMN thing_id TYPE bigint;"
        ).function("fn_thing_name", "(p_id bigint) RETURNS text"),
        Pending(revisions=("0002",), changed=("functions/fn_thing_name.sql",)),
    ),
    "a view's file is gone": (
        lambda tree: tree.remove("views/v_thing.sql"),
        Pending(removed=("views/v_thing.sql",)),
    ),
    "a view's and its function's files are gone": (
        lambda tree: tree.remove("views/v_thing.sql").remove("functions/fn_thing_name.sql"),
        Pending(removed=("functions/fn_thing_name.sql", "views/v_thing.sql")),
    ),
    "who may use a function": (
        lambda tree: tree.function("fn_thing_name", "(p_id integer) RETURNS text", grant="iu_app"),
        Pending(changed=("functions/fn_thing_name.sql",)),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_after_a_change_the_database_is_like_a_fresh_one(
    empty_database: Database, another_database: Database, tree: Tree, name: str
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    change, expected = CHANGES[name]
    change(tree)
    report = await migrate(empty_database.owner_url, tree=tree.root)
    assert report.done == expected
    assert not (await migrate(empty_database.owner_url, tree=tree.root)).done
    await assert_like_fresh(empty_database, another_database, tree)


async def test_an_unchanged_function_that_returns_rows_of_a_changed_view_is_made_anew(
    empty_database: Database, another_database: Database, tree: Tree
) -> None:
    tree.function(
        "fn_things", "() RETURNS SETOF iu_core.v_thing", "SELECT v.* FROM iu_core.v_thing AS v"
    )
    # Bound to the view at second hand: the body is parsed, so the dependency is recorded.
    tree.file(
        "functions/fn_count.sql",
        "-- grant: owner only\nCREATE OR REPLACE FUNCTION iu_core.fn_count() RETURNS bigint\n"
        "BEGIN ATOMIC SELECT count(*) FROM iu_core.fn_things(); END;\n",
    )
    await migrate(empty_database.owner_url, tree=tree.root)
    tree.view("v_thing", "SELECT t.name FROM iu_core.thing AS t")
    report = await migrate(empty_database.owner_url, tree=tree.root)
    assert report.done == Pending(changed=("views/v_thing.sql",))
    await assert_like_fresh(empty_database, another_database, tree)


def with_default_from_function(tree: Tree) -> Tree:
    """A table whose default calls a function, which a revision made and a file now maintains."""
    return tree.revision(
        2,
        "CREATE FUNCTION iu_core.fn_first() RETURNS text LANGUAGE sql AS 'SELECT NULL::text';"
        "CREATE TABLE iu_core.defaulted (a text DEFAULT iu_core.fn_first());",
        "DROP TABLE iu_core.defaulted;",
    ).function("fn_first", "() RETURNS text", "SELECT 'one'")


async def test_a_function_that_a_table_needs_is_replaced_in_place(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=with_default_from_function(tree).root)
    tree.function("fn_first", "() RETURNS text", "SELECT 'two'")
    await migrate(empty_database.owner_url, tree=tree.root)
    query = "INSERT INTO iu_core.defaulted DEFAULT VALUES RETURNING a"
    assert await fetchval(empty_database, query) == "two"


async def test_a_function_that_a_table_needs_can_not_lose_its_file(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=with_default_from_function(tree).root)
    before = await catalog_dump(empty_database)
    tree.remove("functions/fn_first.sql")
    with pytest.raises(ScriptFailed, match=r"something still depends on iu_core\.fn_first\(\)"):
        await migrate(empty_database.owner_url, tree=tree.root)
    assert await catalog_dump(empty_database) == before


async def test_a_function_that_a_table_needs_can_not_change_its_arguments(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=with_default_from_function(tree).root)
    tree.function("fn_first", "(p_new text) RETURNS text")
    with pytest.raises(ScriptFailed, match=r"must leave exactly one function iu_core\.fn_first"):
        await migrate(empty_database.owner_url, tree=tree.root)


async def test_what_the_heads_of_the_files_grant_is_granted_and_nothing_else(
    empty_database: Database, tree: Tree
) -> None:
    tree.function("fn_own", "() RETURNS text", grant="owner only")
    tree.view("v_app", "SELECT 1 AS one", grant="iu_app")
    await migrate(empty_database.owner_url, tree=tree.root)
    rights = {
        (login, name): await fetchval(
            empty_database,
            f"SELECT has_function_privilege('{login}', 'iu_core.{name}', 'EXECUTE')"
            if name.startswith("fn_")
            else f"SELECT has_table_privilege('{login}', 'iu_core.{name}', 'SELECT')",
        )
        for login in ("iu_app", "iu_reader", "public")
        for name in ("fn_thing_name(integer)", "fn_own()", "v_thing", "v_app", "thing")
    }
    assert {key for key, may in rights.items() if may} == {
        ("iu_app", "fn_thing_name(integer)"),
        ("iu_app", "v_thing"),
        ("iu_app", "v_app"),
        ("iu_reader", "v_thing"),
    }


async def test_a_grant_that_is_taken_out_of_a_file_is_taken_back(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    tree.view("v_thing", "SELECT t.thing_id FROM iu_core.thing AS t", grant="owner only")
    await migrate(empty_database.owner_url, tree=tree.root)
    connection = await open_connection(empty_database, "app")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute("SELECT FROM iu_core.v_thing")
    await connection.close()


async def test_migrating_again_brings_back_what_was_undone_by_hand(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    before = await catalog_dump(empty_database)
    connection = await open_connection(empty_database, "owner")
    await connection.execute(
        "DROP VIEW iu_core.v_thing; DROP FUNCTION iu_core.fn_thing_name;"
        "REVOKE USAGE ON SCHEMA iu_core FROM iu_app; GRANT DELETE ON iu_core.thing TO iu_app"
    )
    await connection.close()
    assert not (await migrate(empty_database.owner_url, tree=tree.root)).done
    await migrate(empty_database.owner_url, tree=tree.root, again=True)
    assert await catalog_dump(empty_database) == before


def unlist(tree: Tree) -> None:
    (tree.root / "order.txt").write_text("\n".join(tree.order[:-1]))


def list_what_is_not_there(tree: Tree) -> None:
    (tree.root / "order.txt").write_text("\n".join([*tree.order, "views/v_none.sql"]))


def list_twice(tree: Tree) -> None:
    (tree.root / "order.txt").write_text("\n".join([*tree.order, f"{tree.order[0]}  # again"]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (unlist, r"^Not listed in order\.txt: views/v_thing\.sql\.$"),
        (list_what_is_not_there, r"^order\.txt names files that are not there: views/v_none\.sql"),
        (list_twice, r"^Listed twice in order\.txt: views/v_iu_schema_object\.sql\.$"),
        (
            lambda tree: tree.view("v_thing", "SELECT 1", grant="iu_app, everybody"),
            r"^views/v_thing\.sql: `-- grant:` names an unknown role: 'everybody'\.$",
        ),
        (
            lambda tree: tree.file("views/v_thing.sql", "SELECT 1;\n-- grant: iu_app\n"),
            r"^views/v_thing\.sql: its head must have exactly one line `-- grant: …` .* has 0\.$",
        ),
        (
            lambda tree: tree.file(
                "views/v_thing.sql", "-- grant: iu_app\n\n-- grant: owner only\n"
            ),
            r"^views/v_thing\.sql: its head must have exactly one line `-- grant: …` .* has 2\.$",
        ),
        (
            lambda tree: tree.file("views/V-Thing.sql", "-- grant: iu_app\n"),
            r"^views/V-Thing\.sql: the file's name is not the name of a database object\.$",
        ),
    ],
)
def test_a_tree_that_contradicts_itself_is_refused(
    tmp_path: Path, tree: Tree, spoil: Callable[[Tree], object], message: str
) -> None:
    spoil(tree)
    with pytest.raises(MigrationTreeError, match=message):
        read_tree(tree.root)
