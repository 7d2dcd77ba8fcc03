"""The twelve probes of composing."""

from app.db.engine import Transaction
from app.db.rows import Row, rows_of


async def probe(tx: Transaction) -> list[Row]:
    """What was expected of C1 to C12 and what came, tried and undone (fn_iu_probe)."""
    return rows_of(await tx.call_rows("fn_iu_probe"))
