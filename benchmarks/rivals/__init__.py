"""What else could answer `POST /instances/from-event`: the same application, another service.

A rival replaces the service function behind the route and nothing else. Middlewares, authentication
by API key (which goes on asking the factory's own database), models, the route class, the event
loop and uvicorn's options are the factory's: `create_app` and `served` as they are. Whatever the
factory hands to its service beside the caller and the order is passed over, so a rival goes on
working when that changes.

Each rival is as generous to itself as its library's documentation allows; each module says what was
chosen and why. All have the factory's number of connections to the same server, which answers a
COMMIT when it is on the disk.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Literal
from uuid import UUID

from app.schemas.composing import Composed, InstantiateFromEvent
from app.security import Caller
from app.services import composing
from app.services.coalescer import Coalescer

Compose = Callable[[Caller, InstantiateFromEvent], Awaitable[Composed]]
"""The use case, as a rival does it."""

Rival = Callable[[str], AbstractAsyncContextManager[Compose]]
"""Opens what the rival needs on the database of a URL, for as long as the block runs."""

CONNECTIONS = 10
"""What one process of the factory keeps (`FACTORY_POOL_SIZE`'s default)."""

TEMPLATE_ID = UUID("7a0e3c1e-2b0e-4d0a-9d5a-4a0b8c7d6e5f")
DIGEST = "9f86d081" * 8
"""Of the template that rivals answer with."""


def answer_with(compose: Compose) -> None:
    """Put `compose` behind the route of this process."""

    async def compose_from_event(*arguments: Any, **named: Any) -> Composed:
        given: dict[type, Any] = {type(each): each for each in (*arguments, *named.values())}
        result = await compose(given[Caller], given[InstantiateFromEvent])
        given[Coalescer].metrics.outcome(result.outcome)
        return result

    if not hasattr(composing, "compose_from_event"):
        raise RuntimeError("the route's service function has another name now: tell the rivals")
    composing.compose_from_event = compose_from_event


def identity(order: InstantiateFromEvent) -> str:
    """The idempotency key, by the contract's formula: 32 hex digits."""
    text = f"{order.event_id}:{TEMPLATE_ID}:{order.suffix}"
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def composed(
    caller: Caller,
    order: InstantiateFromEvent,
    key: str,
    *,
    outcome: Literal["composed", "idempotent_replay"] = "composed",
    composed_at: datetime | None = None,
) -> Composed:
    """The answer that the route gives for an order, with all its members."""
    return Composed(
        outcome=outcome,
        instance_collection_id=UUID(key),
        instance_key=f"tpl-inst:auto:{order.suffix}",
        template_collection_id=TEMPLATE_ID,
        template_key=f"{order.template}/v1",
        event_id=order.event_id,
        event_type=order.event_type,
        idempotency_key=key,
        actor=caller.act_as(order.actor),
        emit_mode="live",
        pieces_attached=5,
        composition_digest=DIGEST,
        digest_matches_template=True,
        operation_id=None,
        composed_at=composed_at or datetime.now(UTC),
        warnings=[],
    )
