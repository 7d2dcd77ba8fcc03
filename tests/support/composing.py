"""Calls of the composing functions, as the service makes them."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.db.composing import ComposeItem
from tests.support.templates import Template


@dataclass(slots=True)
class Item:
    """One item of a composing call, with the defaults that a test does not care for."""

    template: str
    event_id: UUID | None = field(default_factory=uuid4)
    event_type: str | None = "hr.employee.hired"
    suffix: str | None = ""
    actor: str | None = "hr-bot"
    emit_mode: str | None = "live"
    reason: str | None = "test"
    data: str | None = None
    require_current: bool = False
    allowed_actors: str | None = None
    principal: str = "test"
    request_id: UUID = field(default_factory=uuid4)
    schema_digest: str | None = None
    data_errors: str | None = None


def identity(item: Item, reference_id: UUID) -> UUID:
    """The instance's id: md5 over event, reference and suffix."""
    text = f"{item.event_id}:{reference_id}:{item.suffix or ''}"
    return UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


async def compose(
    connection: asyncpg.Connection,
    *items: Item,
    operation_id: UUID | None = None,
    window: bool = False,
    function: str = "fn_iu_auto_instantiate_many",
) -> list[dict[str, Any]]:
    """The answers of one call."""
    rows = await connection.fetch(
        f"SELECT * FROM iu_core.{function}"
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        [item.event_id for item in items],
        [item.event_type for item in items],
        [item.template for item in items],
        [item.suffix for item in items],
        [item.actor for item in items],
        [item.emit_mode for item in items],
        [item.reason for item in items],
        [item.data for item in items],
        [item.require_current for item in items],
        [item.allowed_actors for item in items],
        [item.principal for item in items],
        [item.request_id for item in items],
        operation_id,
        window,
        [item.schema_digest for item in items],
        [item.data_errors for item in items],
    )
    return [dict(row) for row in rows]


async def compose_one(connection: asyncpg.Connection, item: Item) -> dict[str, Any]:
    """The answer of a call with one item."""
    (answer,) = await compose(connection, item)
    return answer


def an_item(of: Template, event_id: UUID | None = None, **members: Any) -> ComposeItem:
    """One live item as the service hands it on, for a new event unless one is named."""
    item = ComposeItem(
        event_id=event_id or uuid4(),
        event_type="hr.employee.hired",
        template=of.key,
        suffix="",
        actor="hr-bot",
        emit_mode="live",
        reason="",
        data="{}",
        require_current=False,
        allowed_actors=None,
        principal="test",
        request_id=uuid4(),
    )
    return replace(item, **members)
