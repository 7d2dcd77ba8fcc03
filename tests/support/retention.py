"""Retention in tests: cleaning up without waiting for years, and what is left."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.support.audit import export, seal
from tests.support.gates import BY, call, set_clock

GATE = "iu_core.retention_enabled"
YEARS = timedelta(days=731)
"""Older than any policy keeps what was done before."""

Answer = dict[str, Any]


async def cleanup(
    connection: asyncpg.Connection,
    plan: Answer | None = None,
    *,
    dry_run: bool = False,
    reason: str = "test",
    by: tuple[str, str] = BY,
    request_id: UUID | None = None,
) -> Answer:
    """fn_iu_retention_cleanup, of what an earlier answer named or of what may go now."""
    digest = at = None
    if plan is not None:
        digest, at = plan["plan_digest"], datetime.fromisoformat(plan["planned_at"])
    answer: Answer = await connection.fetchval(
        "SELECT iu_core.fn_iu_retention_cleanup($1, $2, $3, $4, $5, $6, $7)",
        dry_run,
        digest,
        at,
        reason,
        *by,
        request_id or uuid4(),
    )
    return answer


async def dry_run(connection: asyncpg.Connection) -> Answer:
    """What may go now."""
    return await cleanup(connection, dry_run=True)


async def put_policy(
    connection: asyncpg.Connection,
    target: str,
    keep_days: int | None,
    *,
    enabled: bool | None = True,
    reason: str = "test",
) -> Answer:
    """fn_iu_retention_policy_put."""
    return await call(connection, "fn_iu_retention_policy_put", target, keep_days, enabled, reason)


def rows(answer: Answer, member: str = "rows_deleted") -> dict[str, int]:
    """A count of each target of which there is something to count."""
    assert answer["status"] == "ok", answer
    return {target["target"]: target[member] for target in answer["targets"] if target[member]}


async def set_limits(owner: asyncpg.Connection, of_plan: int, of_call: int) -> None:
    """How many rows a plan names, and a call deletes, at most."""
    await owner.execute(
        f"""CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_limit(p_of_plan boolean)
            RETURNS integer LANGUAGE sql IMMUTABLE
            AS $$ SELECT CASE WHEN p_of_plan THEN {of_plan} ELSE {of_call} END $$"""
    )


async def set_effort(owner: asyncpg.Connection, effort: int) -> None:
    """How much of looking through segments one plan does."""
    await owner.execute(
        f"""CREATE OR REPLACE FUNCTION iu_core.fn_iu_retention_effort()
            RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT {effort} $$"""
    )


async def seal_and_export(owner: asyncpg.Connection, minutes: int) -> None:
    """Seal what there is, so many minutes from now on, and export the head."""
    await set_clock(owner, timedelta(minutes=minutes))
    await seal(owner)
    assert (await export(owner))["status"] == "ok"


async def count(owner: asyncpg.Connection, table: str) -> int:
    """The rows of a table."""
    found: int = await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}")
    return found
