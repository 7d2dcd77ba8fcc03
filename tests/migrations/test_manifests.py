"""The manifests are those of the files, and a database conforms however it came to be."""

import hashlib
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import app
from app.db.bootstrap import bootstrap
from app.db.conformance import manifest_path, read_manifest
from app.db.embedded import EmbeddedPostgres
from app.db.migrations import downgrade, migrate, root
from app.db.revisions import head
from app.db.schema_files import read_tree
from app.db.startup_check import OLDEST_MAJOR
from tests.support.databases import SERVER_OPTIONS, Database, Server, open_connection, superuser_of
from tests.support.release_dump import each_release, restored_database, statements
from tools.manifest import MAJORS, read, written

DESCRIBED = {"sequence", "type"}
"""What counts as a table and is none. Of other things it would not be told what they are."""


async def checked(database: Database) -> dict[str, Any]:
    """The database compared with the committed manifest."""
    service = await open_connection(database, "app")
    major = service.get_server_version().major
    report: dict[str, Any] = await service.fetchval(
        "SELECT iu_core.fn_iu_conformance($1)", read_manifest(major)
    )
    await service.close()
    return report


async def assert_conforms(database: Database) -> None:
    report = await checked(database)
    assert (report["verdict"], report["remedy"], report["findings"]) == ("conforms", None, [])


# ------------------------------------------------------------------------- what is committed


async def test_the_manifest_for_this_server_is_not_stale(unchanged_database: Database) -> None:
    manifest = await read(unchanged_database.owner_url)
    committed = manifest_path(manifest["postgresql"]).read_text(encoding="utf-8")
    assert written(manifest) == committed, "run `make manifest`"


def test_there_is_a_manifest_for_each_release_that_is_supported() -> None:
    assert MAJORS[0] == OLDEST_MAJOR
    assert {path.stem for path in (root() / "manifests").iterdir()} == {*map(str, MAJORS)}
    assert read_manifest(OLDEST_MAJOR - 1) is None


@pytest.mark.parametrize("major", MAJORS)
def test_a_manifest_is_that_of_the_files(major: int) -> None:
    files = sorted(read_tree(root()).files, key=lambda file: file.path)
    lines = "".join(f"{file.path}\t{file.checksum}\n" for file in files)
    manifest = read_manifest(major)
    assert manifest is not None
    del manifest["objects"]
    assert manifest == {
        "postgresql": major,
        "program": app.__version__,
        "revision": head(root()),
        "files": hashlib.sha256(lines.encode()).hexdigest(),
    }, "run `make manifest`"


@pytest.mark.parametrize("major", MAJORS)
def test_whatever_a_manifest_names_is_described(major: int) -> None:
    manifest = read_manifest(major)
    assert manifest is not None
    for kind, objects in manifest["objects"].items():
        prefixed = {name.partition(" ")[0] for name in objects if " iu_core." in name}
        assert prefixed <= (DESCRIBED if kind == "table" else set()), kind
        assert all(objects.values()), kind


# ------------------------------------------------------------------- however it came to be


async def test_a_restored_database_conforms(
    server: Server, maintenance: asyncpg.Connection, unchanged_database: Database
) -> None:
    async with restored_database(server, maintenance, statements(unchanged_database)) as restored:
        await assert_conforms(restored)


@each_release
async def test_a_database_of_an_earlier_release_conforms_once_it_is_migrated(
    brought: Database,
) -> None:
    await assert_conforms(brought)


async def test_a_database_whose_command_record_was_not_checked_conforms(
    empty_database: Database,
) -> None:
    """As one was between two releases."""
    await migrate(empty_database.owner_url)
    await downgrade(empty_database.owner_url, "0016")
    owner = await open_connection(empty_database, "owner")
    await owner.execute(
        "ALTER TABLE iu_core.iu_command_record DROP CONSTRAINT iu_command_record_check"
    )
    await owner.close()
    await migrate(empty_database.owner_url)
    await assert_conforms(empty_database)


async def test_a_database_that_went_down_and_up_again_conforms(empty_database: Database) -> None:
    await migrate(empty_database.owner_url)
    await downgrade(empty_database.owner_url, "0001")
    await migrate(empty_database.owner_url)
    await assert_conforms(empty_database)


async def test_a_database_that_a_platforms_administrator_made_conforms(
    server: Server, tmp_path: Path
) -> None:
    """On a server of its own: who makes the roles is a member of them, from PostgreSQL 16 on."""
    with EmbeddedPostgres(
        tmp_path / "server", bin_dir=server.bin_dir, options=SERVER_OPTIONS
    ) as embedded:
        hosted = Server(embedded=embedded, run_dir=tmp_path)
        database = hosted.database("factory")
        async with superuser_of(hosted) as superuser:
            await superuser.execute(
                "CREATE ROLE admin LOGIN CREATEDB CREATEROLE"
                f" PASSWORD '{embedded.role_password('admin')}'"
            )
        report = await bootstrap(
            embedded.url("admin", "postgres"), database=database.name, passwords=hosted.passwords()
        )
        assert len(report.warnings) == 1  # that everybody may take advisory locks
        await migrate(embedded.url("admin", database.name))
        await assert_conforms(database)


async def test_migrating_again_brings_back_functions_views_and_grants(
    database: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        """
        ALTER FUNCTION iu_core.fn_iu_gate_is_open(text, text, timestamptz) STABLE;
        DROP VIEW iu_core.v_iu_orphan_instance;
        GRANT SELECT ON iu_core.iu_api_key TO PUBLIC
        """
    )
    assert (await checked(database))["verdict"] == "differs"
    await migrate(database.owner_url, again=True)
    await assert_conforms(database)
