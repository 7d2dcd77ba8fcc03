"""The service looks before its first request, and says what is missing in words."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db.migrations import downgrade, migrate
from app.db.startup_check import startup_check
from tests.support.databases import Database, open_connection
from tests.support.trees import Tree

AGAIN = "Remedy: run `factory migrate --again`, which creates and grants everything anew."


@pytest.fixture
async def migrated(database_apart: Database, tree: Tree) -> Database:
    await migrate(database_apart.owner_url, tree=tree.root, program="1.2.0")
    return database_apart


@pytest.fixture
async def owner(migrated: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await open_connection(migrated, "owner")
    yield connection
    await connection.close()


@pytest.fixture
async def superuser(migrated: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await open_connection(migrated, "superuser")
    yield connection
    await connection.close()


async def findings(url: str, tree: Tree, program: str = "1.2.0", safe: bool = False) -> list[str]:
    found = await startup_check(url, disposable_data=not safe, tree=tree.root, program=program)
    return [str(finding) for finding in found]


async def test_a_migrated_database_lacks_nothing(migrated: Database, tree: Tree) -> None:
    assert await findings(migrated.app_url, tree) == []


@pytest.mark.parametrize("too_much", ["DELETE", "UPDATE (name)", "INSERT (name)"])
async def test_another_login_of_the_services_role_has_what_it_needs_and_no_more(
    migrated: Database, superuser: asyncpg.Connection, tree: Tree, too_much: str
) -> None:
    login = f"{migrated.name}_service"
    password = migrated.server.embedded.role_password(login)
    await superuser.execute(f"CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE iu_app")
    url = migrated.server.embedded.url(login, migrated.name)
    assert await findings(url, tree) == []
    await superuser.execute(f"GRANT {too_much} ON iu_core.thing TO {login}")
    assert await findings(url, tree) == [
        "The service may write to iu_core.thing directly, past every gate. Remedy: take back what "
        "was granted to the login itself, and run `factory migrate --again`, which creates and "
        "grants everything anew."
    ]
    await superuser.execute(f"DROP OWNED BY {login}; DROP ROLE {login}")


async def test_a_server_that_may_lose_commits_is_for_disposable_data_only(
    migrated: Database, superuser: asyncpg.Connection, tree: Tree
) -> None:
    await superuser.execute(f"ALTER DATABASE {migrated.name} SET synchronous_commit = off")
    assert await findings(migrated.app_url, tree, safe=True) == [
        "fsync is off: a crash would lose what was answered as done. "
        "Remedy: switch fsync on, or say FACTORY_DISPOSABLE_DATA=true.",
        "synchronous_commit is off: a crash would lose what was answered as done. "
        "Remedy: switch synchronous_commit on, or say FACTORY_DISPOSABLE_DATA=true.",
    ]
    assert await findings(migrated.app_url, tree) == []


async def test_another_isolation_is_not_what_claiming_relies_on(
    migrated: Database, superuser: asyncpg.Connection, tree: Tree
) -> None:
    await superuser.execute(
        f"ALTER DATABASE {migrated.name} SET default_transaction_isolation = 'repeatable read'"
    )
    assert await findings(migrated.app_url, tree) == [
        "Transactions start as repeatable read, and claiming keys relies on READ COMMITTED. "
        "Remedy: run `factory bootstrap` as a superuser, and remove the setting from the login."
    ]


async def test_the_owner_and_its_members_do_not_serve(
    migrated: Database, superuser: asyncpg.Connection, tree: Tree
) -> None:
    other = "Remedy: set FACTORY_DATABASE_URL to a login of iu_app."
    assert await findings(migrated.owner_url, tree) == [
        f"The service's login iu_owner is iu_owner or a member of it. {other}",
        "The login iu_owner does not have the rights of iu_app. Remedy: GRANT iu_app TO iu_owner.",
    ]
    login = f"{migrated.name}_both"
    password = migrated.server.embedded.role_password(login)
    await superuser.execute(
        f"CREATE ROLE {login} LOGIN PASSWORD '{password}' IN ROLE iu_app, iu_owner"
    )
    found = await findings(migrated.server.embedded.url(login, migrated.name), tree)
    assert found[0] == f"The service's login {login} is iu_owner or a member of it. {other}"
    await superuser.execute(f"DROP ROLE {login}")


async def test_a_superuser_does_not_serve(migrated: Database, tree: Tree) -> None:
    found = await findings(migrated.superuser_url, tree)
    assert found[0] == (
        "The service's login postgres is a superuser. "
        "Remedy: set FACTORY_DATABASE_URL to a login of iu_app."
    )


async def test_a_role_without_the_services_rights_is_told_which_it_needs(
    migrated: Database, tree: Tree
) -> None:
    assert await findings(migrated.reader_url, tree) == [
        "The login iu_reader does not have the rights of iu_app. Remedy: GRANT iu_app TO iu_reader."
    ]


async def test_what_was_revoked_or_dropped_by_hand_is_named(
    migrated: Database, owner: asyncpg.Connection, tree: Tree
) -> None:
    await owner.execute(
        "DROP VIEW iu_core.v_thing; REVOKE EXECUTE ON FUNCTION iu_core.fn_thing_name FROM iu_app"
    )
    assert await findings(migrated.app_url, tree) == [
        f"The function iu_core.fn_thing_name may not be used by the service. {AGAIN}",
        f"The view iu_core.v_thing is not there. {AGAIN}",
    ]
    await migrate(migrated.owner_url, tree=tree.root, program="1.2.0", again=True)
    assert await findings(migrated.app_url, tree) == []


async def test_a_view_that_may_not_be_read_is_named(
    migrated: Database, owner: asyncpg.Connection, tree: Tree
) -> None:
    await owner.execute("REVOKE SELECT ON iu_core.v_thing FROM iu_app")
    assert await findings(migrated.app_url, tree) == [
        f"The view iu_core.v_thing may not be used by the service. {AGAIN}"
    ]


async def test_a_database_before_its_first_migration(empty_database: Database, tree: Tree) -> None:
    assert await findings(empty_database.app_url, tree) == [
        "The database has not been migrated. Remedy: run `factory migrate`."
    ]


async def test_a_database_before_bootstrap(
    migrated: Database, superuser: asyncpg.Connection, tree: Tree
) -> None:
    await superuser.execute("DROP SCHEMA iu_core CASCADE")
    assert await findings(migrated.app_url, tree) == [
        "The roles or the schema iu_core are not there. "
        "Remedy: run `factory bootstrap` as a superuser."
    ]


async def test_a_schema_that_was_hidden_from_the_service(
    migrated: Database, owner: asyncpg.Connection, tree: Tree
) -> None:
    await owner.execute("REVOKE USAGE ON SCHEMA iu_core FROM iu_app")
    assert await findings(migrated.app_url, tree) == [
        f"The service may not look into the schema iu_core. {AGAIN}"
    ]


async def test_a_database_that_is_behind(migrated: Database, tree: Tree) -> None:
    tree.revision(2, "CREATE TABLE iu_core.more (a integer);", "DROP TABLE iu_core.more;")
    tree.function("fn_more", "() RETURNS text")
    behind = [
        "The database is behind this program 1.2.1: revisions to run: 1, files to apply: 1. "
        "Remedy: run `factory migrate`."
    ]
    assert await findings(migrated.app_url, tree, program="1.2.1") == behind
    await migrate(migrated.owner_url, tree=tree.root, program="1.2.1")
    assert await findings(migrated.app_url, tree, program="1.2.1") == []
    await downgrade(migrated.owner_url, "0001", tree=tree.root)
    assert await findings(migrated.app_url, tree, program="1.2.1") != []


async def test_the_program_of_the_release_before_starts_on_a_newer_database(
    migrated: Database, owner: asyncpg.Connection, tree: Tree
) -> None:
    """It refuses only below the database's min_program."""
    newer = "1.3.0"
    original = (tree.root / "functions/fn_thing_name.sql").read_text()
    tree.revision(2, "UPDATE iu_core.iu_schema_version SET min_program = '1.2.0';")
    tree.function("fn_thing_name", "(p_id integer) RETURNS text", "SELECT 'newer'")
    await migrate(migrated.owner_url, tree=tree.root, program=newer)

    for file in (tree.root / "versions").glob("0002*"):
        file.unlink()
    (tree.root / "functions/fn_thing_name.sql").write_text(original)
    assert await findings(migrated.app_url, tree, program="1.2.0") == []
    assert await findings(migrated.app_url, tree, program="1.1.9") == [
        "The database needs program 1.2.0 or newer; this is 1.1.9. "
        "Remedy: install program 1.2.0 or newer."
    ]
    await owner.execute("REVOKE SELECT ON iu_core.v_thing FROM iu_app")
    assert await findings(migrated.app_url, tree, program="1.2.0") == [
        f"The view iu_core.v_thing may not be used by the service. {AGAIN}"
    ]
