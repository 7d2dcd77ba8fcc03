"""Who may do what: every role against every object of the schema.

What the service and the dashboards may use stands in the first line of each function's and view's
file. It is read here with nothing but a regular expression, and compared with what the database
says and with what really happens.
"""

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.support.databases import Database, Login, open_connection

MIGRATIONS = Path(__file__).parents[2] / "migrations"
ROLES = ("iu_app", "iu_reader")
LOGINS: tuple[Login, ...] = ("app", "reader")
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")

# What dashboards may see, stated here once more: nothing about keys and nothing that is content.
READER_MAY_NOT_SEE = {"v_iu_api_key"}


def granted_in(folder: str) -> dict[str, set[str]]:
    """Per object the roles that its file names."""
    found = {}
    for file in sorted((MIGRATIONS / folder).glob("*.sql")):
        line = file.read_text(encoding="utf-8").partition("\n")[0]
        match = re.fullmatch(r"-- grant: (owner only|iu_app|iu_app, iu_reader)", line)
        assert match, f"{file.name} begins with {line!r}"
        found[file.stem] = set() if match[1] == "owner only" else set(match[1].split(", "))
    assert found, "no files"
    return found


FUNCTIONS = granted_in("functions")
VIEWS = granted_in("views")


@pytest.fixture
async def superuser(unchanged_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees everything; what it changes is rolled back."""
    connection = await open_connection(unchanged_database, "superuser")
    yield connection
    await connection.close()


@asynccontextmanager
async def connected(database: Database, login: Login) -> AsyncIterator[asyncpg.Connection]:
    """A connection of a login, closed afterwards."""
    connection = await open_connection(database, login)
    try:
        yield connection
    finally:
        await connection.close()


async def is_forbidden(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether a statement fails with 42501; anything it does is undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    except asyncpg.PostgresError:
        return False  # it got past the question of rights
    else:
        return False
    finally:
        await transaction.rollback()


async def allowed(connection: asyncpg.Connection, statements: Iterable[str]) -> list[str]:
    """Those of the statements that do not fail with 42501."""
    return [one for one in statements if not await is_forbidden(connection, one)]


async def relations(connection: asyncpg.Connection, kinds: str) -> list[str]:
    """The names of the schema's tables (rp), views (v) or sequences (S)."""
    rows = await connection.fetch(
        """SELECT c.relname FROM pg_class AS c
            WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind::text = ANY ($1)
            ORDER BY 1""",
        list(kinds),
    )
    return [row["relname"] for row in rows]


async def functions(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    """The schema's functions: name, identity, and a call with NULL for every argument.

    The arguments come out of a subquery: with constants, a strict function would be answered by
    the planner, before anybody asks for rights.
    """
    rows: list[asyncpg.Record] = await connection.fetch(
        """SELECT p.proname AS name, p.oid, p.prosecdef, p.proconfig,
                  p.provolatile = 'i' AS immutable, pg_get_userbyid(p.proowner) AS owner,
                  format('SELECT iu_core.%I(%s) FROM (SELECT %s OFFSET 0) AS a',
                         p.proname, a.names, a.nulls) AS call
             FROM pg_proc AS p
            CROSS JOIN LATERAL (
                  SELECT string_agg('a.a' || t.place, ', ' ORDER BY t.place) AS names,
                         string_agg(format('NULL::%s AS a%s', format_type(t.type, NULL), t.place),
                                    ', ' ORDER BY t.place) AS nulls
                    FROM unnest(p.proargtypes) WITH ORDINALITY AS t(type, place)) AS a
            WHERE p.pronamespace = 'iu_core'::regnamespace
            ORDER BY 1"""
    )
    return rows


# ---------------------------------------------------------------------------------- tables


@pytest.mark.parametrize("login", LOGINS)
async def test_no_table_is_read_or_written_directly(
    unchanged_database: Database, superuser: asyncpg.Connection, login: Login
) -> None:
    tables = await relations(superuser, "rp")
    assert {"iu_piece_collection", "iu_core_config", "iu_api_key", "event_outbox"} <= set(tables)
    statements: list[str] = []
    for table in tables:
        column = await superuser.fetchval(
            """SELECT attname FROM pg_attribute
                WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
                  AND attgenerated = '' AND attidentity = '' LIMIT 1""",
            f"iu_core.{table}",
        )
        statements += (
            f"SELECT FROM iu_core.{table}",
            f"INSERT INTO iu_core.{table} DEFAULT VALUES",
            f"UPDATE iu_core.{table} SET {column} = {column}",
            f"DELETE FROM iu_core.{table}",
            f"TRUNCATE iu_core.{table}",
            f"LOCK TABLE iu_core.{table} IN ROW SHARE MODE",
            f"COPY iu_core.{table} TO STDOUT",
        )
    async with connected(unchanged_database, login) as connection:
        assert await allowed(connection, statements) == []


async def test_no_column_and_no_sequence_is_granted_by_itself(
    superuser: asyncpg.Connection,
) -> None:
    columns = await superuser.fetch(
        """SELECT a.attrelid::regclass, a.attname FROM pg_attribute AS a
             JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'iu_core'::regnamespace AND a.attacl IS NOT NULL"""
    )
    assert columns == []
    for sequence in await relations(superuser, "S"):
        for role in (*ROLES, "public"):
            for right in ("USAGE", "SELECT", "UPDATE"):
                assert not await superuser.fetchval(
                    "SELECT has_sequence_privilege($1, $2, $3)", role, f"iu_core.{sequence}", right
                ), f"{role}: {right} on {sequence}"


# ---------------------------------------------------------------------------------- functions


async def test_every_function_has_its_file_and_every_file_its_function(
    superuser: asyncpg.Connection,
) -> None:
    names = [row["name"] for row in await functions(superuser)]
    assert names == sorted(FUNCTIONS), "one function for each file, and no other"


async def test_every_function_refuses_the_public(superuser: asyncpg.Connection) -> None:
    """A login without roles that somebody let into the database and the schema."""
    transaction = superuser.transaction()
    await transaction.start()
    try:
        await superuser.execute(
            """CREATE ROLE roles_matrix_stranger;
               GRANT USAGE ON SCHEMA iu_core TO roles_matrix_stranger"""
        )
        calls = [row["call"] for row in await functions(superuser)]
        reads = [f"SELECT FROM iu_core.{view}" for view in await relations(superuser, "v")]
        await superuser.execute("SET LOCAL ROLE roles_matrix_stranger")
        assert await allowed(superuser, calls + reads) == []
    finally:
        await transaction.rollback()


@pytest.mark.parametrize("login", LOGINS)
async def test_a_role_calls_what_the_files_name_it_for_and_nothing_else(
    unchanged_database: Database, superuser: asyncpg.Connection, login: Login
) -> None:
    role = f"iu_{login}"
    expected = {name for name, roles in FUNCTIONS.items() if role in roles}
    found = await functions(superuser)
    granted = {
        row["name"]
        for row in found
        if await superuser.fetchval(
            "SELECT has_function_privilege($1, $2::oid, 'EXECUTE')", role, row["oid"]
        )
    }
    assert granted == expected
    async with connected(unchanged_database, login) as connection:
        others = [row["call"] for row in found if row["name"] not in expected]
        assert await allowed(connection, others) == []


async def test_what_the_service_calls_runs_with_the_owners_rights_and_a_fixed_path(
    superuser: asyncpg.Connection,
) -> None:
    for row in await functions(superuser):
        assert row["owner"] == "iu_owner", row["name"]
        settings = dict(setting.split("=", 1) for setting in row["proconfig"] or ())
        if "iu_app" in FUNCTIONS[row["name"]] and not row["immutable"]:
            assert row["prosecdef"], f"{row['name']} runs with the caller's rights"
            assert settings["search_path"] == "pg_catalog, iu_core, pg_temp", row["name"]
        else:
            assert not row["prosecdef"], f"{row['name']} lends the owner's rights to nobody"


# -------------------------------------------------------------------------------------- views


async def test_every_view_has_its_file_and_every_file_its_view(
    superuser: asyncpg.Connection,
) -> None:
    assert await relations(superuser, "v") == sorted(VIEWS)
    assert await relations(superuser, "m") == []


@pytest.mark.parametrize("login", LOGINS)
async def test_a_role_reads_what_the_files_name_it_for_and_nothing_else(
    unchanged_database: Database, login: Login
) -> None:
    expected = {name for name, roles in VIEWS.items() if f"iu_{login}" in roles}
    async with connected(unchanged_database, login) as connection:
        readable = set()
        for view in VIEWS:
            if not await is_forbidden(connection, f"SELECT * FROM iu_core.{view}"):
                # It is not enough to be let in: the functions that a view uses are the reader's.
                await connection.fetch(f"SELECT * FROM iu_core.{view}")
                readable.add(view)
    assert readable == expected


async def test_the_service_reads_every_view_and_dashboards_see_no_keys() -> None:
    assert {name for name, roles in VIEWS.items() if "iu_app" not in roles} == set()
    hidden = {name for name, roles in VIEWS.items() if "iu_reader" not in roles}
    assert hidden >= READER_MAY_NOT_SEE


async def test_no_view_is_written_through(superuser: asyncpg.Connection) -> None:
    """A simple view is updatable by itself, with its owner's rights."""
    for view in VIEWS:
        for role in (*ROLES, "public"):
            for right in WRITES:
                assert not await superuser.fetchval(
                    "SELECT has_table_privilege($1, $2, $3)", role, f"iu_core.{view}", right
                ), f"{role}: {right} on {view}"


async def test_views_read_with_their_owners_rights(superuser: asyncpg.Connection) -> None:
    rows = await superuser.fetch(
        """SELECT c.relname FROM pg_class AS c
            WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind = 'v'
              AND (pg_get_userbyid(c.relowner) <> 'iu_owner'
                   OR coalesce('security_invoker=true' = ANY (c.reloptions), false))"""
    )
    assert rows == []


# ----------------------------------------------------------------------- beside the schema


@pytest.mark.parametrize("login", LOGINS)
async def test_nobody_makes_temporary_objects_or_takes_advisory_locks(
    unchanged_database: Database, superuser: asyncpg.Connection, login: Login
) -> None:
    async with connected(unchanged_database, login) as connection:
        assert await is_forbidden(connection, "CREATE TEMPORARY TABLE t (a integer)")
        assert await is_forbidden(connection, "CREATE TABLE iu_core.t (a integer)")
        assert await is_forbidden(connection, "CREATE TABLE public.t (a integer)")
        assert await is_forbidden(connection, "SET ROLE iu_owner")
    rows = await superuser.fetch(
        """SELECT p.oid::regprocedure::text AS identity,
                  has_function_privilege($1, p.oid, 'EXECUTE') AS may
             FROM pg_proc AS p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
              AND p.proname ~ '^pg_(try_)?advisory_.*lock'""",
        f"iu_{login}",
    )
    assert len(rows) >= 16, "these are all of them"
    assert [row["identity"] for row in rows if row["may"]] == []


async def test_neither_role_is_anything_more(superuser: asyncpg.Connection) -> None:
    rows = await superuser.fetch(
        """SELECT r.rolname FROM pg_roles AS r
            WHERE r.rolname = ANY ($1)
              AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolbypassrls
                   OR r.rolreplication OR pg_has_role(r.oid, 'iu_owner', 'MEMBER'))""",
        list(ROLES),
    )
    assert rows == []
