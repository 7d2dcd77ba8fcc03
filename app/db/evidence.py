"""The wrapper of what evidence of an instance consists of."""

from typing import Any
from uuid import UUID

from app.db.engine import Transaction


async def evidence(transaction: Transaction, instance_id: UUID, head: str | None) -> dict[str, Any]:
    """All that there is about an instance, up to the head with a digest (fn_iu_evidence)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_evidence", instance_id, head)
    return answer
