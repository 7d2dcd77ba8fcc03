"""The tables that a team would write first: an instance has its own copy of the membership rows.

The same facts as the factory keeps of an instance, in ordinary normalised tables with the keys,
foreign keys and indexes that its lists need.
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, MetaData, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from benchmarks.rivals import DIGEST, TEMPLATE_ID

PIECES = 5


class Base(DeclarativeBase):
    """What the tables have in common."""

    metadata = MetaData()
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own form
        datetime: TIMESTAMP(timezone=True),
        dict[str, Any]: JSONB,
    }


class Gate(Base):
    """A switch that an operator holds."""

    __tablename__ = "gate"

    key: Mapped[str] = mapped_column(primary_key=True)
    is_open: Mapped[bool]


class Piece(Base):
    """A unit of content."""

    __tablename__ = "piece"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str]
    body: Mapped[str]


class Collection(Base):
    """A template or an instance: an ordered list of pieces."""

    __tablename__ = "collection"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    key: Mapped[str]
    digest: Mapped[str]
    created_at: Mapped[datetime]
    memberships: Mapped[list["Membership"]] = relationship(order_by="Membership.position")


class Membership(Base):
    """Which piece stands where."""

    __tablename__ = "membership"

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    role: Mapped[str]
    piece_id: Mapped[UUID] = mapped_column(ForeignKey("piece.id"))


class TemplateVersion(Base):
    """A version in the chain of a template's family."""

    __tablename__ = "template_version"
    __table_args__ = (UniqueConstraint("family", "number"),)

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    family: Mapped[str]
    number: Mapped[int]
    is_current: Mapped[bool]


class Lineage(Base):
    """Which instance comes from which template."""

    __tablename__ = "lineage"
    __table_args__ = (Index("lineage_by_template", "template_id", "composed_at"),)

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("collection.id"), primary_key=True)
    template_id: Mapped[UUID] = mapped_column(ForeignKey("template_version.collection_id"))
    composed_at: Mapped[datetime]
    digest: Mapped[str]
    instance: Mapped[Collection] = relationship()


class EventLog(Base):
    """Which event composed what, once."""

    __tablename__ = "event_log"
    __table_args__ = (Index("event_log_by_actor", "actor", "composed_at"),)

    instance_id: Mapped[UUID] = mapped_column(
        ForeignKey("lineage.instance_id", ondelete="CASCADE"), primary_key=True
    )
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    event_id: Mapped[UUID] = mapped_column(index=True)
    event_type: Mapped[str]
    suffix: Mapped[str]
    actor: Mapped[str]
    emit_mode: Mapped[str]
    reason: Mapped[str]
    data: Mapped[dict[str, Any]]
    composed_at: Mapped[datetime]
    lineage: Mapped[Lineage] = relationship()


class Outbox(Base):
    """A message that leaves later."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    instance_id: Mapped[UUID]
    event_type: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


async def create(engine: AsyncEngine, family: str, gates: tuple[str, ...], now: datetime) -> None:
    """Make the tables, one template of a family, and open gates; nothing where that is done."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        if await session.get(Collection, TEMPLATE_ID):
            return
        session.add_all(Gate(key=key, is_open=True) for key in gates)
        pieces = [Piece(title=f"Piece {place}", body="A text.") for place in range(1, PIECES + 1)]
        session.add_all(pieces)
        session.add(Collection(id=TEMPLATE_ID, key=f"{family}/v1", digest=DIGEST, created_at=now))
        await session.flush()
        session.add_all(
            Membership(collection_id=TEMPLATE_ID, position=place, role="part", piece_id=piece.id)
            for place, piece in enumerate(pieces, start=1)
        )
        session.add(
            TemplateVersion(collection_id=TEMPLATE_ID, family=family, number=1, is_current=True)
        )
