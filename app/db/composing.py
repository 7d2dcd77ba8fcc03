"""Wrappers of the composing functions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from app.db.engine import Database, Transaction
from app.db.limits import BULK

_ARGUMENTS = ", ".join(f"${number}" for number in range(1, 15))
_MANY = f"SELECT * FROM iu_core.fn_iu_auto_instantiate_many({_ARGUMENTS})"  # noqa: S608 - no input


@dataclass(frozen=True, slots=True)
class ComposeItem:
    """One item of a composing call, in the order of the function's arrays.

    `data` is RFC 8785 text. `allowed_actors` is whom the caller may read (None: everyone).
    `request_id` is the service's own, one per item: a repeated call with it is answered `ok`.
    """

    event_id: UUID
    event_type: str
    template: str
    suffix: str
    actor: str
    emit_mode: str
    reason: str
    data: str
    require_current: bool
    allowed_actors: str | None
    principal: str
    request_id: UUID


_FIELDS = tuple(field.name for field in fields(ComposeItem))


def _arguments(
    items: Sequence[ComposeItem], operation_id: UUID | None, *, window: bool
) -> tuple[object, ...]:
    columns = ([getattr(item, name) for item in items] for name in _FIELDS)
    return (*columns, operation_id, window)


async def compose_many(database: Database, items: Sequence[ComposeItem]) -> list[dict[str, Any]]:
    """One answer per item, in their order (fn_iu_auto_instantiate_many), committed.

    Safe to send again after an ambiguous COMMIT, because the request ids are the same.
    """
    rows = await database.fetch(_MANY, *_arguments(items, None, window=False))
    return [dict(row) for row in rows]


async def compose_atomic(
    database: Database, items: Sequence[ComposeItem], operation_id: UUID, *, window: bool
) -> list[dict[str, Any]]:
    """One answer per item, in their order (fn_iu_auto_instantiate_atomic), all kept or none."""

    async def work(transaction: Transaction) -> list[dict[str, Any]]:
        rows = await transaction.call_rows(
            "fn_iu_auto_instantiate_atomic", *_arguments(items, operation_id, window=window)
        )
        return [dict(row) for row in rows]

    return await database.run(work, limits=BULK, repeatable=True)
