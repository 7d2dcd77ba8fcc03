"""Calls of the functions of operations, as the service makes them, and what to look for after."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from tests.support.composing import Item
from tests.support.rollback import Selectors, plan
from tests.support.rows import one_row

PRINCIPAL = "anna"
ASKER = "ops-anna"
DIGEST = "0" * 64

OUTCOMES = (
    "composed",
    "replayed",
    "dry_runs",
    "refused",
    "failed",
    "deleted",
    "gone",
    "blocked",
    "not_attempted",
)

Answer = dict[str, Any]


async def _call(connection: asyncpg.Connection, function: str, *arguments: object) -> Answer:
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    answer: Answer = await connection.fetchval(f"SELECT iu_core.{function}({places})", *arguments)
    return answer


def order(item: Item) -> str:
    """The item as an operation keeps it."""
    return json.dumps(
        {
            "event_id": str(item.event_id),
            "event_type": item.event_type,
            "template": item.template,
            "suffix": item.suffix,
            "actor": item.actor,
            "emit_mode": item.emit_mode,
            "reason": item.reason,
            "data": item.data,
            "require_current": item.require_current,
        }
    )


async def create(
    connection: asyncpg.Connection,
    *items: Item,
    operation_id: UUID | None = None,
    key: str | None = None,
    digest: str = DIGEST,
    allowed: str | None = None,
    request_id: UUID | None = None,
) -> Answer:
    """The answer of fn_iu_operation_create; the operation's id is random unless given."""
    return await _call(
        connection,
        "fn_iu_operation_create",
        operation_id or uuid4(),
        PRINCIPAL,
        ASKER,
        allowed,
        request_id or uuid4(),
        key,
        digest,
        "test",
        [order(item) for item in items],
        [item.schema_digest for item in items],
        [item.data_errors for item in items],
    )


async def created(connection: asyncpg.Connection, *items: Item, allowed: str | None = None) -> UUID:
    """The id of a new operation with these items."""
    answer = await create(connection, *items, allowed=allowed)
    assert answer["status"] == "ok"
    return UUID(answer["operation_id"])


async def claim(
    connection: asyncpg.Connection, runner: UUID | None = None, seconds: int = 60
) -> UUID | None:
    """The operation that fn_iu_operation_claim takes for the runner."""
    operation: UUID | None = await connection.fetchval(
        "SELECT iu_core.fn_iu_operation_claim($1, $2)", runner or uuid4(), seconds
    )
    return operation


async def claimed(connection: asyncpg.Connection, operation: UUID) -> UUID:
    """The runner that holds the operation from now on; it must be the oldest that is free."""
    runner = uuid4()
    assert await claim(connection, runner) == operation
    return runner


async def let_go(connection: asyncpg.Connection, operation: UUID, runner: UUID) -> None:
    """fn_iu_operation_let_go."""
    await connection.execute("SELECT iu_core.fn_iu_operation_let_go($1, $2)", operation, runner)


async def step(
    connection: asyncpg.Connection,
    operation: UUID,
    runner: UUID,
    limit: int = 100,
    seconds: int = 60,
) -> Answer:
    """The answer of fn_iu_operation_step: one chunk."""
    return await _call(connection, "fn_iu_operation_step", operation, runner, limit, seconds)


async def data_of(
    connection: asyncpg.Connection, operation: UUID, *ordinals: int
) -> dict[int, str]:
    """What fn_iu_operation_data answers of these items."""
    rows = await connection.fetch(
        "SELECT * FROM iu_core.fn_iu_operation_data($1, $2)", operation, list(ordinals)
    )
    return {row["ordinal"]: row["data"] for row in rows}


async def judge(
    connection: asyncpg.Connection,
    operation: UUID,
    runner: UUID,
    judged: dict[int, tuple[str, str | None]],
    seconds: int = 60,
) -> None:
    """fn_iu_operation_judge: by ordinal, the schema and what was wrong."""
    await connection.execute(
        "SELECT iu_core.fn_iu_operation_judge($1, $2, $3, $4, $5, $6)",
        operation,
        runner,
        list(judged),
        [schema for schema, _ in judged.values()],
        [errors for _, errors in judged.values()],
        seconds,
    )


async def fail_item(
    connection: asyncpg.Connection, operation: UUID, runner: UUID, code: str = "internal"
) -> Answer:
    """The answer of fn_iu_operation_fail_item."""
    details = {"request_id": "r"}
    return await _call(
        connection, "fn_iu_operation_fail_item", operation, runner, code, details, 60
    )


async def change(
    connection: asyncpg.Connection,
    verb: str,
    operation: UUID,
    *,
    allowed: str | None = None,
    request_id: UUID | None = None,
    reason: str | None = "because",
) -> Answer:
    """The answer of fn_iu_operation_<verb>: cancel, resume, or retry_failed."""
    return await _call(
        connection,
        f"fn_iu_operation_{verb}",
        operation,
        PRINCIPAL,
        ASKER,
        allowed,
        request_id or uuid4(),
        reason,
    )


async def standing(connection: asyncpg.Connection, operation: UUID) -> dict[str, Any]:
    """The state and the counts that are not 0, having looked that the counts add up.

    The counts must be those of the items, too.
    """
    row = dict(
        await one_row(
            connection, "SELECT * FROM iu_core.v_iu_operation WHERE operation_id = $1", operation
        )
    )
    counts = {name: row[name] for name in OUTCOMES if row[name]}
    assert sum(counts.values()) == row["total"]
    rows = await connection.fetch(
        """SELECT CASE outcome WHEN 'dry_run' THEN 'dry_runs' ELSE
                       coalesce(outcome, 'not_attempted') END AS outcome, count(*) AS items
             FROM iu_core.v_iu_operation_item WHERE operation_id = $1 GROUP BY 1""",
        operation,
    )
    assert {row["outcome"]: row["items"] for row in rows} == counts
    return {"state": row["state"], **counts}


async def items(connection: asyncpg.Connection, operation: UUID) -> list[dict[str, Any]]:
    """The items in order: what became of each."""
    rows = await connection.fetch(
        """SELECT ordinal, outcome, instance_collection_id, code, details
             FROM iu_core.v_iu_operation_item WHERE operation_id = $1 ORDER BY ordinal""",
        operation,
    )
    return [dict(row) for row in rows]


async def outcomes(connection: asyncpg.Connection, operation: UUID) -> list[str | None]:
    """What became of each item, in order."""
    return [item["outcome"] for item in await items(connection, operation)]


async def create_rollback(
    connection: asyncpg.Connection,
    selectors: Selectors,
    planned: Answer,
    *,
    operation_id: UUID | None = None,
    key: str | None = None,
    digest: str = DIGEST,
    release_keys: bool = False,
    acknowledge_delivered: bool = False,
    allowed: str | None = None,
    reason: str = "wrong list",
) -> Answer:
    """The answer of fn_iu_rollback_operation_create to a plan's digest and time."""
    return await _call(
        connection,
        "fn_iu_rollback_operation_create",
        *selectors.arguments,
        planned["plan_digest"],
        datetime.fromisoformat(planned["planned_at"]),
        release_keys,
        acknowledge_delivered,
        reason,
        allowed,
        operation_id or uuid4(),
        key,
        digest,
        ASKER,
        PRINCIPAL,
        uuid4(),
    )


async def rolling_back(
    connection: asyncpg.Connection, selectors: Selectors, **how: bool
) -> tuple[UUID, UUID]:
    """The operation that rolls back what the selectors name now, and the runner that holds it."""
    answer = await create_rollback(
        connection,
        selectors,
        await plan(connection, selectors),
        **how,  # type: ignore[arg-type]
    )
    assert answer["status"] == "ok"
    operation = UUID(answer["operation_id"])
    return operation, await claimed(connection, operation)
