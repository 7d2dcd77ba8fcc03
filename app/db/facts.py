"""What happened, in order, and up to when it is complete."""

from datetime import datetime

import asyncpg

from app.db.engine import Database

FACTS = (
    "SELECT fact_at, fact_id, kind, subject_id::text, data::text AS members"
    " FROM iu_core.fn_iu_facts($1, $2, $3, $4, $5)"
)
HORIZON = "SELECT * FROM iu_core.fn_iu_fact_horizon()"

Place = tuple[datetime, str]
"""A time and an id: facts are told in this order. No id is empty."""


async def facts(database: Database, after: Place, until: Place, limit: int) -> list[asyncpg.Record]:
    """Facts behind one place, up to another, in their order (fn_iu_facts).

    `members` is JSON text: what is only handed on need not be read and written again.
    """
    return await database.fetch(FACTS, *after, *until, limit)


async def horizon(database: Database) -> tuple[datetime, frozenset[str]]:
    """When it was asked, and which transactions were running (fn_iu_fact_horizon)."""
    (row,) = await database.fetch(HORIZON)
    return row["begun_at"], frozenset(row["running"])
