"""Reads over the views of instances: lists, one instance, its pieces, its origin, its verification.

Lists are newest first and cost the same however many instances there are: the most selective
filter that an index answers drives, the others are examined row by row (`app.db.examined`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    ColumnClause,
    ColumnElement,
    DateTime,
    Integer,
    RowMapping,
    Select,
    Text,
    Uuid,
    column,
    func,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.actors import is_allowed, only_actor
from app.db.engine import Transaction
from app.db.examined import examined_page, examined_page_query
from app.db.keyset import page_query
from app.db.observability_read import TEMPLATE
from app.db.rows import Row, rows_of

DigestState = Literal["matches", "diverges"]

_TIME = DateTime(timezone=True)


def _shared_columns() -> tuple[ColumnClause[Any], ...]:
    """What both views of instances have; the event log has no row for an instance of no event."""
    return (
        column("instance_collection_id", Uuid),
        column("instance_key", Text),
        column("template_collection_id", Uuid),
        column("template_key", Text),
        column("event_id", Uuid),
        column("event_type", Text),
        column("reference_id", Uuid),
        column("suffix", Text),
        column("idempotency_key", Text),
        column("actor", Text),
        column("emit_mode", Text),
        column("reason", Text),
        column("operation_id", Uuid),
        column("request_id", Uuid),
        column("composed_at", _TIME),
        column("data_digest", Text),
        column("product_digest", Text),
        column("warnings", ARRAY(Text)),
        column("pieces_attached", Integer),
        column("composition_digest", Text),
        column("template_digest", Text),
        column("lineage_digest", Text),
        column("digest_matches_template", Boolean),
    )


INSTANCE = table(
    "v_iu_instance",
    *_shared_columns(),
    column("data", JSON),
    column("axes", JSONB),
    schema="iu_core",
)
EVENT_LOG = table("v_iu_auto_instantiate_event_log", *_shared_columns(), schema="iu_core")
LINEAGE = table(
    "v_iu_lineage",
    column("instance_collection_id", Uuid),
    column("instance_key", Text),
    column("composed_at", _TIME),
    column("template_collection_id", Uuid),
    column("template_key", Text),
    column("family", Text),
    column("version", Text),
    column("status", Text),
    column("supersedes", Text),
    column("current_template_key", Text),
    column("composition_digest", Text),
    column("lineage_digest", Text),
    column("template_digest", Text),
    column("digest_matches_template", Boolean),
    column("event_id", Uuid),
    column("event_type", Text),
    column("suffix", Text),
    column("idempotency_key", Text),
    column("actor", Text),
    column("emit_mode", Text),
    column("reason", Text),
    column("operation_id", Uuid),
    schema="iu_core",
)
PIECE = table(
    "v_iu_instance_piece",
    column("instance_collection_id", Uuid),
    column("position", Integer),
    column("role", Text),
    column("unit_id", Uuid),
    column("content_digest", Text),
    column("media_type", Text),
    column("title", Text),
    column("body", Text),
    schema="iu_core",
)
TOMBSTONE = table(
    "v_iu_instance_tombstone",
    column("instance_collection_id", Uuid),
    column("rollback_operation_id", Uuid),
    column("actor", Text),
    column("rolled_back_at", _TIME),
    column("rolled_back_by", Text),
    column("reason", Text),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class InstanceFilters:
    """Which instances a list shows; None is no filter.

    `composed_from` is included, `composed_to` is not. `allowed_actors` are those that the caller
    may read, actors and prefixes that end at `-` or `:`, joined by spaces. `events_only` leaves
    out what no event composed.
    """

    template_ids: Sequence[UUID] | None = None
    actor: str | None = None
    event_id: UUID | None = None
    operation_id: UUID | None = None
    composed_from: datetime | None = None
    composed_to: datetime | None = None
    digest_state: DigestState | None = None
    allowed_actors: str | None = None
    events_only: bool = False


async def list_instances(
    transaction: Transaction,
    names: Sequence[str],
    filters: InstanceFilters,
    position: tuple[Any, ...] | None,
    limit: int,
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """The columns `names` of one page, newest first, and where the next page begins."""
    actor = filters.actor or only_actor(filters.allowed_actors)
    by_log = any(value is not None for value in (filters.event_id, filters.operation_id, actor))
    c = (EVENT_LOG if by_log else INSTANCE).c

    # In the order of how few instances each leaves; the first drives.
    indexed: list[ColumnElement[bool]] = []
    if filters.event_id is not None:
        indexed.append(c.event_id == filters.event_id)
    if filters.operation_id is not None:
        indexed.append(c.operation_id == filters.operation_id)
    if actor is not None:
        indexed.append(c.actor == actor)
    if filters.template_ids is not None:
        indexed.append(_is_one_of(c.template_collection_id, filters.template_ids))
    driven_by, kept_if = indexed[:1], indexed[1:]
    if filters.composed_from is not None:
        driven_by.append(c.composed_at >= filters.composed_from)
    if filters.composed_to is not None:
        driven_by.append(c.composed_at < filters.composed_to)
    if filters.events_only and not by_log:
        driven_by.append(c.event_id.is_not(None))

    if filters.digest_state is not None:
        kept_if.append(c.digest_matches_template == (filters.digest_state == "matches"))
    if filters.allowed_actors is not None and actor is None:
        kept_if.append(is_allowed(c.actor, filters.allowed_actors))

    order = [c.composed_at, c.instance_collection_id]
    rows = await transaction.rows(
        examined_page_query(
            [c[name] for name in names],
            order,
            driven_by=driven_by,
            kept_if=kept_if,
            position=position,
            limit=limit,
        )
    )
    return examined_page(rows, limit, order)


async def template_ids(
    transaction: Transaction, family: str | None, version: str | None
) -> list[UUID]:
    """The templates of a family, of a version (`v2`), or of both."""
    query = select(TEMPLATE.c.template_collection_id)
    if family is not None:
        query = query.where(TEMPLATE.c.family == family)
    if version is not None:
        query = query.where(TEMPLATE.c.version == version)
    return [row["template_collection_id"] for row in await transaction.rows(query)]


async def resolve_template(transaction: Transaction, reference: str) -> RowMapping:
    """What a template reference means now (fn_iu_template_resolve)."""
    (row,) = await transaction.call_rows("fn_iu_template_resolve", [reference])
    return row


async def find_instance(
    transaction: Transaction, instance_id: UUID, names: Sequence[str]
) -> dict[str, Any] | None:
    """The columns `names` of one instance, or None."""
    return await _one(
        transaction,
        select(*(INSTANCE.c[name] for name in names)).where(
            INSTANCE.c.instance_collection_id == instance_id
        ),
    )


async def find_lineage(transaction: Transaction, instance_id: UUID) -> dict[str, Any] | None:
    """Where one instance comes from, or None."""
    return await _one(
        transaction, select(LINEAGE).where(LINEAGE.c.instance_collection_id == instance_id)
    )


async def find_tombstone(transaction: Transaction, instance_id: UUID) -> dict[str, Any] | None:
    """How one instance was last rolled back, or None."""
    return await _one(
        transaction,
        select(TOMBSTONE)
        .where(TOMBSTONE.c.instance_collection_id == instance_id)
        .order_by(TOMBSTONE.c.rolled_back_at.desc())
        .limit(1),
    )


async def list_pieces(
    transaction: Transaction, instance_id: UUID, position: tuple[Any, ...] | None, limit: int
) -> Sequence[RowMapping]:
    """One page of an instance's pieces with their content, and one row more if there are more."""
    query = select(*(column for column in PIECE.c if column.key != "instance_collection_id"))
    query = query.where(PIECE.c.instance_collection_id == instance_id)
    return await transaction.rows(page_query(query, [PIECE.c.position], position, limit))


async def all_pieces(transaction: Transaction, instance_id: UUID) -> list[Row]:
    """All pieces of an instance with their content, in order, as long as `source_size` says."""
    query = select(PIECE).where(PIECE.c.instance_collection_id == instance_id)
    return rows_of(await transaction.rows(query.order_by(PIECE.c.position)))


async def source_size(transaction: Transaction, instance_id: UUID) -> int:
    """Bytes of the bodies of an instance's pieces."""
    query = select(func.coalesce(func.sum(func.octet_length(PIECE.c.body)), 0).label("size"))
    row = await transaction.row(query.where(PIECE.c.instance_collection_id == instance_id))
    return 0 if row is None else int(row["size"])


async def verify_instance(transaction: Transaction, instance_id: UUID) -> dict[str, Any]:
    """One instance, computed again from its content (fn_iu_verify_instance)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_verify_instance", instance_id)
    return answer


async def _one(transaction: Transaction, query: Select[Any]) -> dict[str, Any] | None:
    row = await transaction.row(query)
    return None if row is None else dict(row)


def _is_one_of(column: ColumnElement[UUID], ids: Sequence[UUID]) -> ColumnElement[bool]:
    return column == ids[0] if len(ids) == 1 else column.in_(ids)
