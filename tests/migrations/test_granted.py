"""What the heads of the real files grant is enough to use what they grant."""

import asyncpg
import pytest

from app.db.migrations import root
from app.db.schema_files import read_tree
from tests.support.databases import Database, Login, open_connection

VIEWS = [file for file in read_tree(root()).objects if file.kind == "view"]
LOGINS: list[tuple[Login, str]] = [("app", "iu_app"), ("reader", "iu_reader")]


@pytest.mark.parametrize(("login", "role"), LOGINS)
async def test_every_view_can_be_read_by_whom_it_is_granted_to_and_by_nobody_else(
    unchanged_database: Database, login: Login, role: str
) -> None:
    """A view reads tables with its owner's rights, but calls functions with its reader's."""
    connection = await open_connection(unchanged_database, login)
    readable = set()
    for view in VIEWS:
        try:
            await connection.fetch(f"SELECT * FROM iu_core.{view.name} LIMIT 1")
            readable.add(view.name)
        except asyncpg.InsufficientPrivilegeError:
            continue
    await connection.close()
    assert readable == {view.name for view in VIEWS if role in view.grantees}
