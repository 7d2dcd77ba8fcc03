"""Operations: one wrapper for each function, and the reads over their views."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    RowMapping,
    Text,
    Uuid,
    column,
    func,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.actors import is_allowed
from app.db.engine import Transaction
from app.db.examined import examined_page, examined_page_query
from app.db.keyset import page_query

Step = Literal["cancel", "resume", "retry_failed"]

NOT_ATTEMPTED = "not_attempted"
"""The outcome of an item that has none yet."""

_TIME = DateTime(timezone=True)

OPERATION = table(
    "v_iu_operation",
    column("operation_id", Uuid),
    column("kind", Text),
    column("state", Text),
    column("principal", Text),
    column("actor", Text),
    column("reason", Text),
    column("total", Integer),
    column("composed", Integer),
    column("replayed", Integer),
    column("dry_runs", Integer),
    column("refused", Integer),
    column("failed", Integer),
    column("deleted", Integer),
    column("gone", Integer),
    column("blocked", Integer),
    column("not_attempted", Integer),
    column("halted_code", Text),
    column("halted_details", JSONB),
    column("changed_by", Text),
    column("change_reason", Text),
    column("parameters", JSONB),
    column("created_at", _TIME),
    column("updated_at", _TIME),
    column("finished_at", _TIME),
    column("revision", BigInteger),
    schema="iu_core",
)
ITEM = table(
    "v_iu_operation_item",
    column("operation_id", Uuid),
    column("ordinal", Integer),
    column("outcome", Text),
    column("instance_collection_id", Uuid),
    column("code", Text),
    column("details", JSONB),
    column("attempted_at", _TIME),
    column("event_id", Uuid),
    column("event_type", Text),
    column("template", Text),
    column("suffix", Text),
    column("actor", Text),
    column("emit_mode", Text),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class NewOperation:
    """A bulk to be carried out: its id, its items as JSON texts, and a digest over them.

    `schema_digests` and `data_errors` are what judging the items' data came to, item by item.
    """

    operation_id: UUID
    idempotency_key: str | None
    request_digest: str
    requests: Sequence[str]
    schema_digests: Sequence[str | None]
    data_errors: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class OperationFilters:
    """What a list is narrowed by; `own_actors` (None: everyone's) or `principal` is a caller's."""

    kind: str | None
    state: str | None
    actor: str | None
    own_actors: str | None
    principal: str


async def create_operation(
    tx: Transaction, new: NewOperation, reason: str, allowed_actors: str | None, by: Accountable
) -> dict[str, Any]:
    """Freeze the items (fn_iu_operation_create). A second call with its id finds the first."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_operation_create",
        new.operation_id,
        by.principal,
        by.actor,
        allowed_actors,
        by.request_id,
        new.idempotency_key,
        new.request_digest,
        reason,
        list(new.requests),
        list(new.schema_digests),
        list(new.data_errors),
    )
    return answer


async def change_operation(
    tx: Transaction,
    operation_id: UUID,
    step: Step,
    reason: str,
    *,
    allowed_actors: str | None,
    by: Accountable,
) -> dict[str, Any]:
    """Cancel, resume, or have what failed tried again (fn_iu_operation_cancel and so on)."""
    answer: dict[str, Any] = await tx.call(
        f"fn_iu_operation_{step}",
        operation_id,
        by.principal,
        by.actor,
        allowed_actors,
        by.request_id,
        reason,
    )
    return answer


async def claim_operation(tx: Transaction, runner: UUID, seconds: int) -> UUID | None:
    """A running operation that no runner holds, now held for so many seconds; or None.

    `runner` is new for each claim: it tells one claim from another (fn_iu_operation_claim).
    """
    operation_id: UUID | None = await tx.call("fn_iu_operation_claim", runner, seconds)
    return operation_id


async def let_go_of_operation(tx: Transaction, operation_id: UUID, runner: UUID) -> None:
    """Let others have it (fn_iu_operation_let_go)."""
    await tx.call("fn_iu_operation_let_go", operation_id, runner)


async def step_operation(
    tx: Transaction, operation_id: UUID, runner: UUID, items: int, seconds: int
) -> dict[str, Any]:
    """Work on the next items, and hold it for so many seconds more (fn_iu_operation_step)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_operation_step", operation_id, runner, items, seconds
    )
    return answer


async def operation_data(
    tx: Transaction, operation_id: UUID, ordinals: Sequence[int]
) -> dict[int, str]:
    """The data of some items, by their ordinals, as RFC 8785 text (fn_iu_operation_data)."""
    rows = await tx.call_rows("fn_iu_operation_data", operation_id, list(ordinals))
    return {row["ordinal"]: row["data"] for row in rows}


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """What judging an item's data came to."""

    ordinal: int
    schema_digest: str
    data_errors: str | None


async def judge_operation_items(
    tx: Transaction, operation_id: UUID, runner: UUID, judged: Sequence[JudgedItem], seconds: int
) -> None:
    """Keep what was found, and hold it for so many seconds more (fn_iu_operation_judge)."""
    await tx.call(
        "fn_iu_operation_judge",
        operation_id,
        runner,
        [item.ordinal for item in judged],
        [item.schema_digest for item in judged],
        [item.data_errors for item in judged],
        seconds,
    )


async def fail_operation_item(
    tx: Transaction, operation_id: UUID, runner: UUID, code: str, seconds: int
) -> dict[str, Any]:
    """Mark the next item failed; otherwise as `step_operation` (fn_iu_operation_fail_item)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_operation_fail_item", operation_id, runner, code, None, seconds
    )
    return answer


async def find_operation(tx: Transaction, operation_id: UUID) -> dict[str, Any] | None:
    """One operation, or None."""
    row = await tx.row(select(OPERATION).where(OPERATION.c.operation_id == operation_id))
    return None if row is None else dict(row)


async def list_operations(
    tx: Transaction, filters: OperationFilters, position: tuple[Any, ...] | None, limit: int
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """One page, newest first, and where the next page begins."""
    c = OPERATION.c
    kept_if: list[ColumnElement[bool]] = []
    for name in ("kind", "state", "actor"):
        wanted = getattr(filters, name)
        if wanted is not None:
            kept_if.append(c[name] == wanted)
    if filters.own_actors is not None:
        own = is_allowed(c.actor, filters.own_actors)
        kept_if.append(or_(own, c.principal == filters.principal))
    order = [c.created_at, c.operation_id]
    rows = await tx.rows(
        examined_page_query(
            list(c), order, driven_by=[], kept_if=kept_if, position=position, limit=limit
        )
    )
    return examined_page(rows, limit, order)


async def list_operation_items(
    tx: Transaction,
    operation_id: UUID,
    outcome: str | None,
    position: tuple[Any, ...] | None,
    limit: int,
) -> Sequence[RowMapping]:
    """One page of an operation's items, and one row more if there are more."""
    shown = (each for each in ITEM.c if each.key not in {"operation_id", "outcome"})
    query = select(*shown, func.coalesce(ITEM.c.outcome, NOT_ATTEMPTED).label("outcome"))
    query = query.where(ITEM.c.operation_id == operation_id)
    if outcome is not None:
        attempted = None if outcome == NOT_ATTEMPTED else outcome
        query = query.where(ITEM.c.outcome.is_not_distinct_from(attempted))
    return await tx.rows(page_query(query, [ITEM.c.ordinal], position, limit))
