"""Going down below operations destroys none of them."""

from uuid import uuid4

import pytest

from app.db.migrations import DowngradeRefused, downgrade, migrate
from tests.support.databases import Database, catalog_dump, open_connection

ROWS = {
    "iu_operation": """INSERT INTO iu_core.iu_operation
                              (operation_id, created_at, updated_at, total, not_attempted, kind,
                               principal, actor, request_digest, reason)
                       VALUES ($1, now(), now(), 0, 0, 'rollback', 'p', 'a', '', '')""",
    "iu_operation_item": """INSERT INTO iu_core.iu_operation_item (operation_id, ordinal)
                            VALUES ($1, 1)""",
    "iu_actor_fence": "INSERT INTO iu_core.iu_actor_fence VALUES ('a', $1, now())",
}


@pytest.mark.parametrize("table", ROWS)
async def test_a_table_with_rows_refuses_to_go(empty_database: Database, table: str) -> None:
    await migrate(empty_database.owner_url)
    connection = await open_connection(empty_database, "owner")
    await connection.execute(ROWS[table], uuid4())
    await connection.close()
    before = await catalog_dump(empty_database)
    with pytest.raises(DowngradeRefused, match=rf"iu_core\.{table} still has rows"):
        await downgrade(empty_database.owner_url, "0005")
    assert await catalog_dump(empty_database) == before
