"""Wrappers of the composing functions."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from app.db.engine import Database, Transaction
from app.db.limits import BULK

_ARGUMENTS = ", ".join(f"${number}" for number in range(1, 17))
_MANY = f"SELECT * FROM iu_core.fn_iu_auto_instantiate_many({_ARGUMENTS})"  # noqa: S608 - no input


@dataclass(frozen=True, slots=True)
class ComposeItem:
    """One item of a composing call, in the order of the function's arrays.

    `data` is RFC 8785 text. `allowed_actors` is whom the caller may read (None: everyone).
    `request_id` is the service's own, one per item: a repeated call with it is answered `ok`.
    `schema_digest` and `data_errors` are what judging the data came to (app.services.judging).
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
    schema_digest: str | None = None
    data_errors: str | None = None

    @property
    def writes(self) -> bool:
        """Whether it takes the locks of what writes."""
        return self.emit_mode != "dry_run"

    @property
    def weight(self) -> int:
        """It is one instance."""
        return 1

    @property
    def actors(self) -> tuple[str]:
        """As whom it is composed."""
        return (self.actor,)

    @property
    def size(self) -> int:
        """Characters of its data."""
        return len(self.data)


_FIELDS = tuple(field.name for field in fields(ComposeItem))
_JUDGEMENT = 2
"""How many of the fields, the last ones, come after what the whole call brings."""


def _arguments(
    items: Sequence[ComposeItem], operation_id: UUID | None, *, window: bool
) -> tuple[object, ...]:
    columns = [[getattr(item, name) for item in items] for name in _FIELDS]
    return (*columns[:-_JUDGEMENT], operation_id, window, *columns[-_JUDGEMENT:])


async def compose_many(database: Database, items: Sequence[ComposeItem]) -> list[dict[str, Any]]:
    """One answer per item, in their order (fn_iu_auto_instantiate_many), committed.

    Safe to send again after an ambiguous COMMIT, because the request ids are the same.
    """
    rows = await database.fetch(_MANY, *_arguments(items, None, window=False))
    return [dict(row) for row in rows]


async def compose_within(
    transaction: Transaction, items: Sequence[ComposeItem]
) -> list[dict[str, Any]]:
    """As `compose_many`, in a transaction that is not committed by this."""
    rows = await transaction.call_rows(
        "fn_iu_auto_instantiate_many", *_arguments(items, None, window=False)
    )
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
