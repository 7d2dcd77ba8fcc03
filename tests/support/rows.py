"""Reading rows in tests."""

import asyncpg


async def one_row(connection: asyncpg.Connection, query: str, *arguments: object) -> asyncpg.Record:
    """The only row of a query; AssertionError when there is none, or more than one."""
    rows = await connection.fetch(query, *arguments)
    assert len(rows) == 1, f"{len(rows)} rows instead of one"
    row: asyncpg.Record = rows[0]
    return row
