"""The real migrations: a new database is what a long-lived one became, and all of it can go."""

import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.db.migrations import downgrade, migrate, root
from app.db.revisions import after
from app.db.startup_check import startup_check
from tests.support.databases import Database, catalog_dump
from tests.support.trees import Tree

REVISIONS = after(root(), None) or ()


async def dump(database: Database) -> str:
    return (await catalog_dump(database)).replace(database.name, "database")


def tree_up_to(directory: Path, revision: str) -> Tree:
    """What the program of that revision would have brought, as far as its tables go."""
    tree = Tree(directory)
    for file in (root() / "versions").glob("[0-9]*"):
        if file.is_file() and file.name.partition("_")[0] <= revision:
            shutil.copy(file, tree.root / "versions" / file.name)
    return tree


async def test_a_fresh_install_is_the_replayed_history(
    unchanged_database: Database, empty_database: Database, tmp_path: Path
) -> None:
    for revision in REVISIONS:
        older = tree_up_to(tmp_path / revision, revision)
        report = await migrate(empty_database.owner_url, tree=older.root)
        assert report.done.revisions == (revision,)
    assert not (await migrate(empty_database.owner_url)).done.revisions
    assert await dump(empty_database) == await dump(unchanged_database)


async def test_up_down_and_up_again_makes_no_difference(
    unchanged_database: Database, empty_database: Database
) -> None:
    before = await dump(empty_database)
    await migrate(empty_database.owner_url)
    await downgrade(empty_database.owner_url, "base")
    assert await dump(empty_database) == before
    await migrate(empty_database.owner_url)
    assert await dump(empty_database) == await dump(unchanged_database)


async def test_every_revision_can_be_left_and_reached_again(
    unchanged_database: Database, empty_database: Database
) -> None:
    await migrate(empty_database.owner_url)
    for revision in reversed(REVISIONS[:-1]):
        await downgrade(empty_database.owner_url, revision)
    await migrate(empty_database.owner_url)
    assert await dump(empty_database) == await dump(unchanged_database)


async def test_creating_everything_anew_makes_no_difference(
    unchanged_database: Database, empty_database: Database
) -> None:
    await migrate(empty_database.owner_url)
    await migrate(empty_database.owner_url, again=True)
    assert await dump(empty_database) == await dump(unchanged_database)


async def test_the_service_starts_on_a_migrated_database(unchanged_database: Database) -> None:
    assert await startup_check(unchanged_database.app_url, disposable_data=True) == []


def test_revisions_are_numbered_without_gaps_and_each_has_both_scripts() -> None:
    assert tuple(f"{number:04}" for number in range(1, len(REVISIONS) + 1)) == REVISIONS
    for revision in REVISIONS:
        (stub,) = (root() / "versions").glob(f"{revision}_*.py")
        assert stub.with_suffix(".up.sql").is_file()
        assert stub.with_suffix(".down.sql").is_file()


def test_a_new_revision_starts_from_the_template(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "tree").revision(1, "", "")
    shutil.copy(root() / "script.py.mako", tree.root)
    config = Config()
    config.set_main_option("script_location", str(tree.root))
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    command.revision(config, message="More things", rev_id="0002")
    stub = (tree.root / "versions" / "0002_more_things.py").read_text()
    assert stub.startswith('"""More things.\n')
    assert 'down_revision = "0001"' in stub
    assert 'run_script("0002_more_things.up.sql")' in stub
    assert 'run_script("0002_more_things.down.sql")' in stub
    assert after(tree.root, "0001") == ("0002",)
