"""Templates without a version, which no operation makes: marked before there were versions."""

import asyncpg

from tests.support.templates import Template, make_template


async def make_loose_template(owner: asyncpg.Connection, family: str) -> Template:
    """A marked template without a place in a version chain, and without a family's row."""
    loose = await make_template(owner, family)
    for table in ("current_log", "version", "family"):
        await owner.execute(
            f"DELETE FROM iu_core.iu_collection_template_{table} WHERE family_id = $1",
            loose.family_id,
        )
    return loose
