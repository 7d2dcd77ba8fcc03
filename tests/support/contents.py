"""Everything that a database holds, to be compared with what it holds later."""

import asyncpg


async def contents(owner: asyncpg.Connection) -> dict[str, str]:
    """A digest of the rows of each table, and how far each sequence has come."""
    found: dict[str, str] = {}
    relations = await owner.fetch(
        """SELECT c.relname, c.relkind = 'S' AS is_sequence FROM pg_class AS c
            WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind IN ('r', 'S')"""
    )
    for name, is_sequence in relations:
        row = "(t.last_value, t.is_called)" if is_sequence else "t"
        found[name] = await owner.fetchval(
            f"SELECT md5(string_agg({row}::text, chr(10) ORDER BY {row}::text))"
            f" FROM iu_core.{name} AS t"
        )
    return found
