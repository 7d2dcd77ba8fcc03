"""Retention: wrappers of its functions, and reads of the policies' view."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text, column, select, table

from app.db.accountable import Accountable
from app.db.engine import Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

POLICY = table(
    "v_iu_retention_policy",
    column("target", Text),
    column("keep_days", Integer),
    column("enabled", Boolean),
    column("changed_at", DateTime(timezone=True)),
    column("changed_by", Text),
    column("reason", Text),
    column("revision", BigInteger),
    schema="iu_core",
)


async def policies(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The policies by target, and one row more than the page when there are more."""
    return rows_of(await tx.rows(page_query(select(POLICY), [POLICY.c.target], position, limit)))


async def policy(tx: Transaction, target: str) -> Row | None:
    """One policy, or None."""
    return row_of(await tx.row(select(POLICY).where(POLICY.c.target == target)))


async def put_policy(
    tx: Transaction, target: str, keep_days: int, reason: str, by: Accountable, *, enabled: bool
) -> dict[str, Any]:
    """Say how long a target is kept (fn_iu_retention_policy_put)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_retention_policy_put", target, keep_days, enabled, reason, *by.arguments
    )
    return answer


async def cleanup(
    tx: Transaction,
    plan: tuple[str, datetime] | None,
    reason: str,
    by: Accountable,
    *,
    dry_run: bool,
) -> dict[str, Any]:
    """Delete as much as one call does, or say what it would (fn_iu_retention_cleanup).

    `plan` is the digest and the time of an earlier answer; None: what may go now.
    """
    digest, at = plan or (None, None)
    answer: dict[str, Any] = await tx.call(
        "fn_iu_retention_cleanup", dry_run, digest, at, reason, *by.arguments
    )
    return answer
