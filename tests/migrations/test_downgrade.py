"""Going down destroys no rows and leaves nothing behind."""

import pytest

from app.db.migrations import (
    DowngradeRefused,
    MigratedByNewer,
    MigrationError,
    Pending,
    downgrade,
    migrate,
)
from tests.support.databases import Database, catalog_dump, open_connection
from tests.support.trees import Tree

REFUSING_DOWN = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM iu_core.more) THEN
        RAISE EXCEPTION USING ERRCODE = 'PF409', MESSAGE = 'iu_core.more still has rows';
    END IF;
END $$;
DROP TABLE iu_core.more;
"""


@pytest.fixture
def two_steps(tree: Tree) -> Tree:
    return tree.revision(2, "CREATE TABLE iu_core.more (a integer);", REFUSING_DOWN).view(
        "v_more", "SELECT m.a FROM iu_core.more AS m"
    )


async def test_down_to_base_leaves_what_bootstrap_left(
    empty_database: Database, two_steps: Tree
) -> None:
    before = await catalog_dump(empty_database)
    await migrate(empty_database.owner_url, tree=two_steps.root)
    await downgrade(empty_database.owner_url, "base", tree=two_steps.root)
    assert await catalog_dump(empty_database) == before
    await downgrade(empty_database.owner_url, "base", tree=two_steps.root)  # and is done with it
    assert await catalog_dump(empty_database) == before


@pytest.mark.parametrize("target", ["base", "0001"])
async def test_up_down_and_up_again_makes_no_difference(
    empty_database: Database, two_steps: Tree, target: str
) -> None:
    await migrate(empty_database.owner_url, tree=two_steps.root)
    before = await catalog_dump(empty_database)
    await downgrade(empty_database.owner_url, target, tree=two_steps.root)
    assert await catalog_dump(empty_database) != before
    await migrate(empty_database.owner_url, tree=two_steps.root)
    assert await catalog_dump(empty_database) == before


async def test_a_down_script_refuses_to_destroy_rows_and_nothing_is_changed(
    empty_database: Database, two_steps: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=two_steps.root)
    connection = await open_connection(empty_database, "owner")
    await connection.execute("INSERT INTO iu_core.more VALUES (1)")
    await connection.close()
    before = await catalog_dump(empty_database)
    with pytest.raises(DowngradeRefused, match=r"iu_core\.more still has rows"):
        await downgrade(empty_database.owner_url, "base", tree=two_steps.root)
    assert await catalog_dump(empty_database) == before


async def test_between_releases_the_older_program_installs_its_own_functions(
    empty_database: Database, tree: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=tree.root, program="1.0.0")
    older = await catalog_dump(empty_database)
    tree.revision(2, "CREATE TABLE iu_core.more (a integer);", REFUSING_DOWN).view(
        "v_more", "SELECT m.a FROM iu_core.more AS m"
    )
    await migrate(empty_database.owner_url, tree=tree.root, program="1.1.0")
    await downgrade(empty_database.owner_url, "0001", tree=tree.root)
    tree.remove("views/v_more.sql")
    for file in (tree.root / "versions").glob("0002*"):
        file.unlink()
    report = await migrate(empty_database.owner_url, tree=tree.root, program="1.0.0")
    assert report.done.revisions == ()
    assert "views/v_thing.sql" in report.done.added
    assert await catalog_dump(empty_database) == older


async def test_a_function_that_a_table_needs_goes_after_the_table(
    empty_database: Database, tree: Tree
) -> None:
    before = await catalog_dump(empty_database)
    tree.revision(
        2,
        "CREATE FUNCTION iu_core.fn_first() RETURNS text LANGUAGE sql AS 'SELECT NULL::text';"
        "CREATE TABLE iu_core.defaulted (a text DEFAULT iu_core.fn_first());",
        "DROP TABLE iu_core.defaulted;",
    ).function("fn_first", "() RETURNS text")
    await migrate(empty_database.owner_url, tree=tree.root)
    await downgrade(empty_database.owner_url, "base", tree=tree.root)
    assert await catalog_dump(empty_database) == before


async def test_a_target_that_is_not_below_is_refused(
    empty_database: Database, two_steps: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=two_steps.root)
    with pytest.raises(MigrationError, match=r"^Revision 0003 does not lie below 0002\.$"):
        await downgrade(empty_database.owner_url, "0003", tree=two_steps.root)


async def test_a_newer_programs_database_is_taken_down_by_that_program(
    empty_database: Database, two_steps: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=two_steps.root)
    for file in (two_steps.root / "versions").glob("0002*"):
        file.unlink()
    with pytest.raises(MigratedByNewer, match=r"\(revision 0002\)"):
        await downgrade(empty_database.owner_url, "base", tree=two_steps.root)


async def test_nothing_is_pending_above_what_was_left(
    empty_database: Database, two_steps: Tree
) -> None:
    await migrate(empty_database.owner_url, tree=two_steps.root)
    await downgrade(empty_database.owner_url, "0001", tree=two_steps.root)
    report = await migrate(empty_database.owner_url, tree=two_steps.root)
    assert report.done == Pending(
        revisions=("0002",), added=(*two_steps.order, "grants/0100_roles.sql")
    )
