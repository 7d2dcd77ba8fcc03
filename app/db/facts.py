"""What happened, in order, and up to when it is complete."""

from datetime import datetime

from app.db.engine import Database, Transaction
from app.db.rows import Row, rows_of

HORIZON = "SELECT * FROM iu_core.fn_iu_fact_horizon()"

Place = tuple[datetime, str]
"""A time and an id: facts are told in this order. No id is empty."""


async def facts(tx: Transaction, after: Place, until: Place, limit: int) -> list[Row]:
    """Facts behind one place, up to another, in their order (fn_iu_facts)."""
    return rows_of(await tx.call_rows("fn_iu_facts", *after, *until, limit))


async def horizon(database: Database) -> tuple[datetime, frozenset[str]]:
    """When it was asked, and which transactions were running (fn_iu_fact_horizon)."""
    (row,) = await database.fetch(HORIZON)
    return row["begun_at"], frozenset(row["running"])
