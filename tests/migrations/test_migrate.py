"""What `migrate` does to a database: everything that is pending, or nothing at all."""

import asyncio
from collections.abc import Callable

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from app import __version__
from app.db import migrations, revisions
from app.db.migrations import (
    MigratedByNewer,
    MigrationError,
    Pending,
    ScriptFailed,
    migrate,
    pending,
)
from tests.support.databases import Database, catalog_dump, open_connection
from tests.support.interleaving import wait_until
from tests.support.trees import Tree

EVERYTHING = Pending(
    revisions=("0001",),
    added=(
        "views/v_iu_schema_object.sql",
        "views/v_iu_schema_version.sql",
        "functions/fn_thing_name.sql",
        "views/v_thing.sql",
        "grants/0100_roles.sql",
    ),
)


async def fetch(database: Database, query: str) -> list[tuple[object, ...]]:
    connection = await open_connection(database, "owner")
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def catalogue_versions(database: Database) -> list[tuple[object, ...]]:
    """Which transaction wrote each catalogue row of the schema last: DDL of any kind shows."""
    return await fetch(
        database,
        "SELECT 'class', oid, xmin::text FROM pg_class"
        " WHERE relnamespace = 'iu_core'::regnamespace"
        " UNION ALL SELECT 'proc', oid, xmin::text FROM pg_proc"
        " WHERE pronamespace = 'iu_core'::regnamespace"
        " UNION ALL SELECT 'namespace', oid, xmin::text FROM pg_namespace ORDER BY 1, 2",
    )


async def test_an_empty_database_gets_everything(empty_database: Database, tree: Tree) -> None:
    assert await pending(empty_database.owner_url, tree=tree.root) == EVERYTHING
    report = await migrate(empty_database.owner_url, tree=tree.root)
    assert report.revision == "0001"
    assert report.done == EVERYTHING
    assert await fetch(empty_database, "SELECT * FROM iu_core.v_iu_schema_version") == [
        (0, "0.0.0", __version__, "0001")
    ]


async def test_nothing_pending_means_no_ddl_at_all(empty_database: Database, tree: Tree) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    before = await catalogue_versions(empty_database)
    report = await migrate(empty_database.owner_url, tree=tree.root)
    assert not report.done
    assert report.revision == "0001"
    assert await catalogue_versions(empty_database) == before


BROKEN: dict[str, tuple[Callable[[Tree], Tree], str]] = {
    "a revision's second statement": (
        lambda tree: tree.revision(2, "CREATE TABLE iu_core.second (a int);\nSELECT 1 / 0;"),
        r"^versions/0002_step\.up\.sql: division by zero \(SQLSTATE 22012\)$",
    ),
    "a function, after a revision": (
        lambda tree: tree.revision(2, "CREATE TABLE iu_core.second (a int);").function(
            "fn_broken", "(p_id integer) RETURNS text", "SELECT no_such_column"
        ),
        r'^functions/fn_broken\.sql line 3: column "no_such_column" does not exist',
    ),
    "a view, after a function": (
        lambda tree: tree.function("fn_second", "() RETURNS text").view(
            "v_broken", "SELECT *\nFROM iu_core.nowhere"
        ),
        r'^views/v_broken\.sql line 4: relation "iu_core\.nowhere" does not exist',
    ),
    "a file that makes something else": (
        lambda tree: tree.file(
            "views/v_other.sql", "-- grant: owner only\nCREATE VIEW iu_core.v_another AS SELECT 1;"
        ),
        r"^views/v_other\.sql did not make the view iu_core\.v_other\.$",
    ),
    "a function that leaves an overload": (
        lambda tree: tree.file(
            "functions/fn_two.sql",
            "-- grant: owner only\n"
            "CREATE FUNCTION iu_core.fn_two() RETURNS text LANGUAGE sql AS 'SELECT NULL';"
            "CREATE FUNCTION iu_core.fn_two(a int) RETURNS text LANGUAGE sql AS 'SELECT NULL';",
        ),
        r"^functions/fn_two\.sql must leave exactly one function iu_core\.fn_two; there are 2: ",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("migrated_before", [False, True])
async def test_a_failing_script_leaves_nothing(
    empty_database: Database, tree: Tree, name: str, migrated_before: bool
) -> None:
    if migrated_before:
        await migrate(empty_database.owner_url, tree=tree.root)
    before = await catalog_dump(empty_database)
    break_it, message = BROKEN[name]
    break_it(tree)
    with pytest.raises(ScriptFailed, match=message):
        await migrate(empty_database.owner_url, tree=tree.root)
    assert await catalog_dump(empty_database) == before


async def test_two_migrations_at_once_the_second_waits_and_finds_nothing_to_do(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    tree.view("v_thing", "SELECT t.name FROM iu_core.thing AS t")
    reader = await open_connection(empty_database, "owner")
    observer = await open_connection(empty_database, "superuser")
    async with asyncio.TaskGroup() as group, reader.transaction():
        await reader.execute("SELECT FROM iu_core.v_thing")  # holds up the first migration
        both = [
            group.create_task(migrate(empty_database.owner_url, tree=tree.root)) for _ in range(2)
        ]

        async def one_behind_the_other() -> bool:
            waiting = await observer.fetch(
                "SELECT locktype FROM pg_locks WHERE NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = $1)"
                " ORDER BY locktype",
                empty_database.name,
            )
            return [row["locktype"] for row in waiting] == ["advisory", "relation"]

        await wait_until(one_behind_the_other, "one migration waits for the other")
    done = sorted(task.result().done.changed for task in both)
    assert done == [(), ("views/v_thing.sql",)]
    await reader.close()
    await observer.close()


async def test_a_lock_that_can_not_be_had_is_said_and_nothing_is_changed(
    empty_database: Database, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    before = await catalog_dump(empty_database)
    tree.view("v_thing", "SELECT t.name FROM iu_core.thing AS t")
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "10ms")
    reader = await open_connection(empty_database, "owner")
    async with reader.transaction():
        await reader.execute("SELECT FROM iu_core.v_thing")
        with pytest.raises(MigrationError, match=r"^A lock could not be had within 10ms; nothing"):
            await migrate(empty_database.owner_url, tree=tree.root)
    await reader.close()
    assert await catalog_dump(empty_database) == before


async def test_an_older_program_does_not_install_its_functions_over_a_newer_ones(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root, program="1.10.0")
    same = await migrate(empty_database.owner_url, tree=tree.root, program="1.9.0")
    assert not same.done
    tree.function("fn_more", "() RETURNS text")
    with pytest.raises(MigratedByNewer, match=r"\(program 1\.10\.0, and this is 1\.9\.0\)"):
        await migrate(empty_database.owner_url, tree=tree.root, program="1.9.0")
    report = await migrate(empty_database.owner_url, tree=tree.root, program="1.10.0")
    assert report.done == Pending(added=("functions/fn_more.sql",))


async def test_a_revision_that_this_program_does_not_know_is_a_newer_programs(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root)
    connection = await open_connection(empty_database, "owner")
    await connection.execute("UPDATE iu_core.iu_schema_revision SET version_num = '0009'")
    await connection.close()
    with pytest.raises(MigratedByNewer, match=r"\(revision 0009\)"):
        await migrate(empty_database.owner_url, tree=tree.root)


async def test_only_a_member_of_the_owner_migrates(database_apart: Database, tree: Tree) -> None:
    with pytest.raises(MigrationError, match=r"^The login iu_app is not a member of iu_owner"):
        await migrate(database_apart.app_url, tree=tree.root)
    connection = await open_connection(database_apart, "superuser")
    await connection.execute(
        f"CREATE ROLE {database_apart.name} LOGIN IN ROLE iu_owner"
        f" PASSWORD '{database_apart.server.embedded.role_password(database_apart.name)}';"
        f"GRANT CONNECT ON DATABASE {database_apart.name} TO {database_apart.name}"
    )
    member = database_apart.server.embedded.url(database_apart.name, database_apart.name)
    assert (await migrate(member, tree=tree.root)).revision == "0001"
    owners = await fetch(
        database_apart,
        "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class"
        " WHERE relnamespace = 'iu_core'::regnamespace",
    )
    assert owners == [("iu_owner",)]
    await connection.execute(
        f"DROP OWNED BY {database_apart.name}; DROP ROLE {database_apart.name}"
    )
    await connection.close()


async def test_a_database_that_was_not_bootstrapped_is_refused(
    empty_database: Database, tree: Tree
) -> None:
    connection = await open_connection(empty_database, "superuser")
    await connection.execute("DROP SCHEMA iu_core")
    with pytest.raises(MigrationError, match="run `factory bootstrap` once"):
        await migrate(empty_database.owner_url, tree=tree.root)
    await connection.execute("CREATE SCHEMA iu_core")  # the superuser's own
    with pytest.raises(MigrationError, match="run `factory bootstrap` once"):
        await migrate(empty_database.superuser_url, tree=tree.root)
    await connection.close()


async def test_a_name_without_its_schema_does_not_land_elsewhere(
    empty_database: Database, tree: Tree
) -> None:
    tree.revision(2, "CREATE TABLE stray (a integer);")
    with pytest.raises(ScriptFailed, match=r"permission denied for schema pg_catalog|system cata"):
        await migrate(empty_database.owner_url, tree=tree.root)


async def test_a_script_outside_a_transaction_is_refused(
    empty_database: Database, tree: Tree
) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level="AUTOCOMMIT",
        connect_args={"dsn": empty_database.owner_url},
    )
    async with engine.connect() as connection:
        with pytest.raises(RuntimeError, match="not run inside a transaction"):
            await connection.run_sync(revisions.run, tree.root, "up", "head")
    await engine.dispose()
    with pytest.raises(asyncpg.UndefinedTableError):
        await fetch(empty_database, "SELECT * FROM iu_core.thing")
