"""The same work as straightforward SQLAlchemy 2 code: objects, row by row, memberships copied.

Written as SQLAlchemy's asyncio documentation shows it: one engine on asyncpg with the factory's
number of connections, a session per request with `expire_on_commit=False`, so that nothing is
read again after the COMMIT, ids made in the program, so that one flush sends each table's rows
together, and the relationship of the memberships read in the same query as its template. The gates
are read and not locked, and there are neither counters nor advisory locks: it promises less than
the factory.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import joinedload

from app.errors import Refusal
from app.schemas.composing import Composed, InstantiateFromEvent
from app.security import Caller
from benchmarks.rivals import CONNECTIONS, Compose, composed, identity
from benchmarks.rivals.orm_tables import (
    Collection,
    EventLog,
    Gate,
    Lineage,
    Membership,
    Outbox,
    TemplateVersion,
    create,
)
from benchmarks.templates import FIVE

GATES = ("auto_instantiate", "composer")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Compose]:
    """The engine; makes the tables where they are not there yet."""
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://"),
        pool_size=CONNECTIONS,
        max_overflow=0,
    )
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def compose(caller: Caller, order: InstantiateFromEvent) -> Composed:
        key = identity(order)
        try:
            async with sessions() as session, session.begin():
                original = await _original(session, key)
                if original is None:
                    original = await _compose(session, caller, order, key)
                    return composed(caller, order, key, composed_at=original.composed_at)
        except IntegrityError:  # somebody else was quicker
            async with sessions() as session:
                original = await _original(session, key)
                if original is None:
                    raise
        return composed(
            caller,
            order,
            key,
            outcome="idempotent_replay",
            composed_at=original.composed_at,
        )

    try:
        await create(engine, FIVE, GATES, datetime.now(UTC))
        yield compose
    finally:
        await engine.dispose()


async def _original(session: AsyncSession, key: str) -> EventLog | None:
    found = await session.scalars(select(EventLog).where(EventLog.idempotency_key == key))
    return found.one_or_none()


async def _compose(
    session: AsyncSession, caller: Caller, order: InstantiateFromEvent, key: str
) -> EventLog:
    gates = await session.scalars(select(Gate).where(Gate.key.in_(GATES)))
    if not all(gate.is_open for gate in gates):
        raise Refusal("composer_gate_closed", gate="composer")
    template = (
        (
            await session.scalars(
                select(Collection)
                .join(TemplateVersion, TemplateVersion.collection_id == Collection.id)
                .where(TemplateVersion.family == order.template, TemplateVersion.is_current)
                .options(joinedload(Collection.memberships))
            )
        )
        .unique()
        .one()
    )
    now = datetime.now(UTC)
    instance = Collection(
        id=UUID(key),
        key=f"tpl-inst:auto:{order.suffix}",
        digest=template.digest,
        created_at=now,
        memberships=[
            Membership(position=each.position, role=each.role, piece_id=each.piece_id)
            for each in template.memberships
        ],
    )
    lineage = Lineage(
        instance=instance, template_id=template.id, composed_at=now, digest=template.digest
    )
    logged = EventLog(
        lineage=lineage,
        idempotency_key=key,
        event_id=order.event_id,
        event_type=order.event_type,
        suffix=order.suffix,
        actor=caller.act_as(order.actor),
        emit_mode=order.emit_mode,
        reason=order.reason,
        data=order.data,
        composed_at=now,
    )
    message = Outbox(
        instance_id=instance.id,
        event_type="iu.template.instance_auto_composed",
        payload={"event_id": str(order.event_id), "template_id": str(template.id)},
        created_at=now,
    )
    session.add_all([logged, message])
    return logged
