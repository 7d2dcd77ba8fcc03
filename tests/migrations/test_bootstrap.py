"""The one superuser step: what it sets, that it may be repeated, and what it warns of."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from app.db.bootstrap import BootstrapError, bootstrap, scram_verifier, with_database
from app.db.embedded import EmbeddedPostgres
from app.db.migrations import migrate
from tests.support.databases import (
    SERVER_OPTIONS,
    Database,
    Login,
    Server,
    catalog_dump,
    drop_database,
    open_connection,
)
from tests.support.trees import Tree

ROLE_ATTRIBUTES = """
    SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
      FROM pg_roles WHERE rolname IN ('iu_owner', 'iu_app', 'iu_reader') ORDER BY rolname
"""
AS_THEY_SHOULD_BE = [
    (role, True, False, False, False, False, False) for role in ("iu_app", "iu_owner", "iu_reader")
]


@pytest.fixture
async def superuser(empty_database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await open_connection(empty_database, "superuser")
    yield connection
    await connection.close()


async def test_it_may_be_repeated_at_any_time(
    empty_database: Database, superuser: asyncpg.Connection, tree: Tree
) -> None:
    before = await catalog_dump(empty_database)
    report = await bootstrap(empty_database.server.superuser_url, database=empty_database.name)
    assert (report.database, report.created_database) == (empty_database.name, False)
    assert report.warnings == []
    assert await catalog_dump(empty_database) == before

    await migrate(empty_database.owner_url, tree=tree.root)
    migrated = await catalog_dump(empty_database)
    await bootstrap(empty_database.superuser_url)
    assert await catalog_dump(empty_database) == migrated


async def test_the_roles_can_log_in_and_nothing_more(superuser: asyncpg.Connection) -> None:
    assert [tuple(row) for row in await superuser.fetch(ROLE_ATTRIBUTES)] == AS_THEY_SHOULD_BE


async def test_two_at_once_on_one_server_do_not_collide(
    server: Server, maintenance: asyncpg.Connection
) -> None:
    databases = [server.database(f"t_at_once_{number}") for number in range(4)]
    try:
        reports = await asyncio.gather(
            *(
                bootstrap(server.superuser_url, database=d.name, passwords=server.passwords())
                for d in (*databases, databases[0])
            )
        )
    finally:
        for database in databases:
            await drop_database(maintenance, database.name)
    assert sorted(report.created_database for report in reports) == [False, True, True, True, True]


@pytest.mark.parametrize("login", ["app", "reader"])
async def test_the_service_makes_no_objects_of_its_own(
    empty_database: Database, login: Login
) -> None:
    connection = await open_connection(empty_database, login)
    for statement in (
        "CREATE TEMPORARY TABLE t (a integer)",
        "CREATE TABLE public.t (a integer)",
        "CREATE TABLE iu_core.t (a integer)",
        "CREATE SCHEMA s",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_advisory_lock_shared(1, 2)",
        "SELECT pg_try_advisory_xact_lock_shared(1)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_the_owners_functions_are_not_for_everybody(empty_database: Database) -> None:
    owner = await open_connection(empty_database, "owner")
    await owner.execute(
        "CREATE FUNCTION iu_core.fn_new() RETURNS integer LANGUAGE sql AS 'SELECT 1'"
    )
    assert not await owner.fetchval(
        "SELECT has_function_privilege('public', 'iu_core.fn_new()', 'EXECUTE')"
    )
    assert await owner.fetchval("SELECT pg_advisory_xact_lock(1) IS NOT NULL")
    await owner.close()


@pytest.mark.parametrize("login", ["owner", "app", "reader"])
async def test_sessions_start_as_the_program_expects(
    empty_database: Database, login: Login
) -> None:
    connection = await open_connection(empty_database, login)
    assert await connection.fetchval("SHOW search_path") == "iu_core, public"
    assert await connection.fetchval("SHOW default_transaction_isolation") == "read committed"
    assert await connection.fetchval("SHOW timezone") == "UTC"
    await connection.close()


async def test_a_stranger_does_not_get_in(
    empty_database: Database, superuser: asyncpg.Connection
) -> None:
    stranger = f"{empty_database.name}_stranger"
    url = empty_database.server.embedded.url(stranger, empty_database.name)
    password = empty_database.server.embedded.role_password(stranger)
    await superuser.execute(f"CREATE ROLE {stranger} LOGIN PASSWORD '{password}'")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for data"):
            await asyncpg.connect(url)
    finally:
        await superuser.execute(f"DROP ROLE {stranger}")


async def test_a_schema_of_somebody_else_is_taken_over_and_said(
    empty_database: Database, superuser: asyncpg.Connection
) -> None:
    await superuser.execute("ALTER SCHEMA iu_core OWNER TO postgres")
    report = await bootstrap(empty_database.superuser_url)
    assert report.warnings == [
        "The schema iu_core belonged to postgres; it belongs to iu_owner now, but what is in it "
        "may not."
    ]


async def test_an_administrator_without_superuser_rights_is_told_what_could_not_be_done(
    database_apart: Database, tree: Tree
) -> None:
    """As on hosted platforms: the roles exist, the login may make databases and roles.

    Where no other test looks at who may act as the owner: an administrator that is dropped
    meanwhile is a member like any other.
    """
    server = database_apart.server
    admin = f"{database_apart.name}_admin"
    hosted = server.database(f"{database_apart.name}_hosted")
    superuser = await open_connection(database_apart, "superuser")
    await superuser.execute(
        f"CREATE ROLE {admin} LOGIN CREATEDB CREATEROLE"
        f" PASSWORD '{server.embedded.role_password(admin)}';"
        f"GRANT iu_owner TO {admin} WITH ADMIN OPTION"
    )
    try:
        report = await bootstrap(server.embedded.url(admin, "postgres"), database=hosted.name)
        assert report.created_database
        (warning,) = report.warnings
        assert warning.startswith("Every login of this database may take advisory locks")
        assert (await migrate(hosted.owner_url, tree=tree.root)).revision == "0001"
    finally:
        await drop_database(superuser, hosted.name)
        await superuser.execute(f"DROP OWNED BY {admin}; DROP ROLE {admin}")
        await superuser.close()


async def test_roles_with_too_much_power_lose_it_or_are_warned_of(tmp_path: Path) -> None:
    """On a server of its own: the roles are the server's, and other tests use theirs."""
    with EmbeddedPostgres(tmp_path / "server", options=SERVER_OPTIONS) as embedded:
        alone = Server(embedded=embedded, run_dir=tmp_path)
        connection = await asyncpg.connect(alone.superuser_url)
        await connection.execute(
            "CREATE ROLE iu_owner SUPERUSER; CREATE ROLE iu_app CREATEDB CREATEROLE LOGIN;"
            "CREATE ROLE iu_reader REPLICATION BYPASSRLS; GRANT iu_owner TO iu_app"
        )
        report = await bootstrap(alone.superuser_url, database="factory")
        assert report.warnings == [
            "iu_app is a member of iu_owner and could change everything; the service will not "
            "start so: REVOKE iu_owner FROM iu_app."
        ]
        assert [tuple(r) for r in await connection.fetch(ROLE_ATTRIBUTES)] == AS_THEY_SHOULD_BE
        await connection.close()


async def test_a_database_in_another_encoding_is_refused(
    server: Server, maintenance: asyncpg.Connection
) -> None:
    await maintenance.execute(
        "CREATE DATABASE t_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
    )
    try:
        with pytest.raises(BootstrapError, match=r"^The database's encoding is LATIN1"):
            await bootstrap(server.superuser_url, database="t_latin")
    finally:
        await drop_database(maintenance, "t_latin")


async def test_a_password_for_a_role_that_is_not_there_is_refused(server: Server) -> None:
    with pytest.raises(BootstrapError, match=r"^No such role: iu_ap\. The roles: iu_owner, iu_"):
        await bootstrap(server.superuser_url, passwords={"iu_ap": "x"})


@pytest.mark.parametrize("password", ["", "pässword"])
def test_a_password_that_would_have_to_be_normalised_is_refused(password: str) -> None:
    with pytest.raises(BootstrapError, match="must be of ASCII characters"):
        scram_verifier(password)


async def test_the_server_is_given_a_verifier_that_opens_for_the_password(
    database_apart: Database,
) -> None:
    login = f"{database_apart.name}_login"
    password = database_apart.server.embedded.role_password(login)
    verifier = scram_verifier(password)
    assert password not in verifier
    superuser = await open_connection(database_apart, "superuser")
    await superuser.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{verifier}' IN ROLE iu_reader;")
    connection = await asyncpg.connect(
        database_apart.server.embedded.url(login, database_apart.name)
    )
    assert await connection.fetchval("SELECT current_user") == login
    await connection.close()
    await superuser.execute(f"DROP ROLE {login}")
    await superuser.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5432/a?sslmode=require", "postgresql://u:p@h:5432/b?sslmode=require"),
        ("postgresql://u:p@/a?host=/x%20y&port=1", "postgresql://u:p@/b?host=/x%20y&port=1"),
        ("postgresql:///a?host=/x", "postgresql:///b?host=/x"),
        ("postgresql://h", "postgresql://h/b"),
    ],
)
def test_another_database_of_the_same_server(url: str, expected: str) -> None:
    assert with_database(url, "b") == expected
