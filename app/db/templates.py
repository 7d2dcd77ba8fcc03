"""Templates: the wrappers of their functions, and reads of their views."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    Text,
    Uuid,
    column,
    func,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.engine import Transaction, jsonb
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

_TIME = DateTime(timezone=True)

TEMPLATE = table(
    "v_iu_template",
    column("template_collection_id", Uuid),
    column("template_key", Text),
    column("family", Text),
    column("version", Text),
    column("version_number", Integer),
    column("status", Text),
    column("template_without_version", Boolean),
    column("title", Text),
    column("description", Text),
    column("composition_digest", Text),
    column("piece_count", Integer),
    column("schema_digest", Text),
    column("axes", JSONB),
    column("supersedes", Text),
    column("family_chain_length", Integer),
    column("digest_drift_from_previous", Boolean),
    column("chain_revision", BigInteger),
    column("marked_by", Text),
    column("marked_at", _TIME),
    column("versioned_by", Text),
    column("versioned_at", _TIME),
    column("reason", Text),
    column("withdrawn_by", Text),
    column("withdrawn_at", _TIME),
    column("withdrawn_reason", Text),
    schema="iu_core",
)

TEMPLATE_SCHEMA = table(
    "v_iu_template_schema",
    column("schema_digest", Text),
    column("schema", JSON),
    schema="iu_core",
)

TEMPLATE_PIECE = table(
    "v_iu_template_piece",
    column("template_collection_id", Uuid),
    column("position", Integer),
    column("role", Text),
    column("unit_id", Uuid),
    column("content_digest", Text),
    column("media_type", Text),
    column("title", Text),
    column("life", Text),
    column("body", Text),
    schema="iu_core",
)

CURRENT_LOG = table(
    "v_iu_template_current_log",
    column("current_id", BigInteger),
    column("family", Text),
    column("template_collection_id", Uuid),
    column("current_from", _TIME),
    schema="iu_core",
)

UNVERSIONED = "unversioned"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What data a template asks for: its schema as RFC 8785 text; None: it takes any.

    `empty_data_errors` are what the schema finds wrong with `{}`: `{"errors": [...]}` as JSON text;
    None: nothing.
    """

    schema: str | None = None
    empty_data_errors: str | None = None


@dataclass(frozen=True, slots=True)
class NewFamily:
    """A family that is to be made with its first version."""

    family: str
    title: str
    description: str
    pieces: Sequence[dict[str, Any]]
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class NextVersion:
    """A version as an author sends it: all its pieces, or edits to the current ones, or neither.

    Without `parameters` it asks for the same data as the current version; then one of the others
    is given.
    """

    pieces: Sequence[dict[str, Any]] | None = None
    edits: Sequence[dict[str, Any]] | None = None
    parameters: Parameters | None = None


@dataclass(frozen=True, slots=True)
class ChainChange:
    """Who changes a version chain, why, and which of its revisions they have seen.

    No revisions at all never match; None asks for none.
    """

    by: Accountable
    reason: str | None
    seen_revisions: list[int] | None = None


async def create_template(tx: Transaction, new: NewFamily, change: ChainChange) -> dict[str, Any]:
    """Make a family with its first version (fn_iu_template_create)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_template_create",
        new.family,
        new.title,
        new.description,
        jsonb(new.pieces),
        change.reason,
        *change.by.arguments,
        *_arguments(new.parameters),
    )
    return answer


async def create_version(
    tx: Transaction, family: str, content: NextVersion, change: ChainChange, *, dry_run: bool
) -> dict[str, Any]:
    """Make a family's next version, or tell what it would be (fn_iu_template_version_create)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_template_version_create",
        family,
        None if content.pieces is None else jsonb(content.pieces),
        None if content.edits is None else jsonb(content.edits),
        change.seen_revisions,
        dry_run,
        change.reason,
        *change.by.arguments,
        content.parameters is None,
        *_arguments(content.parameters or Parameters()),
    )
    return answer


async def mark_template(
    tx: Transaction, collection_id: UUID, key: str, parameters: Parameters, change: ChainChange
) -> dict[str, Any]:
    """Mark a plain collection as a template (fn_iu_template_mark)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_template_mark",
        collection_id,
        key,
        change.reason,
        *change.by.arguments,
        *_arguments(parameters),
    )
    return answer


async def register_version(
    tx: Transaction, reference: str, title: str, description: str, change: ChainChange
) -> dict[str, Any]:
    """Give a marked template its place in the chain (fn_iu_template_register_version)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_template_register_version",
        reference,
        title,
        description,
        change.seen_revisions,
        change.reason,
        *change.by.arguments,
    )
    return answer


async def withdraw_template(tx: Transaction, reference: str, change: ChainChange) -> dict[str, Any]:
    """Take a version out of the chain (fn_iu_template_withdraw)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_template_withdraw",
        reference,
        change.seen_revisions,
        change.reason,
        *change.by.arguments,
    )
    return answer


async def template(tx: Transaction, template_id: UUID) -> Row | None:
    """One template."""
    return row_of(
        await tx.row(select(TEMPLATE).where(TEMPLATE.c.template_collection_id == template_id))
    )


async def template_by_key(tx: Transaction, key: str) -> Row | None:
    """One template, by its key."""
    return row_of(await tx.row(select(TEMPLATE).where(TEMPLATE.c.template_key == key)))


async def templates(
    tx: Transaction,
    family: str | None,
    status: str | None,
    position: tuple[Any, ...] | None,
    limit: int,
) -> list[Row]:
    """The templates by family and number, and one row more if there are more.

    `status` may be UNVERSIONED: those that have no place in a version chain.
    """
    c = TEMPLATE.c
    query = select(TEMPLATE)
    if family is not None:
        query = query.where(c.family == family)
    if status == UNVERSIONED:
        query = query.where(c.status.is_(None))
    elif status is not None:
        query = query.where(c.status == status)
    return rows_of(await tx.rows(page_query(query, [c.family, c.version_number], position, limit)))


async def pieces(
    tx: Transaction, template_id: UUID, position: tuple[Any, ...] | None, limit: int
) -> list[Row]:
    """A template's pieces with their content, in order, and one row more if there are more."""
    c = TEMPLATE_PIECE.c
    query = select(*(each for each in c if each is not c.template_collection_id))
    query = query.where(c.template_collection_id == template_id)
    return rows_of(await tx.rows(page_query(query, [c.position], position, limit)))


async def all_pieces(tx: Transaction, template_id: UUID) -> list[Row]:
    """All of a template's pieces with their content, in order, as long as `source_size` says."""
    c = TEMPLATE_PIECE.c
    query = select(*(each for each in c if each is not c.template_collection_id))
    query = query.where(c.template_collection_id == template_id).order_by(c.position)
    return rows_of(await tx.rows(query))


async def source_size(tx: Transaction, template_id: UUID) -> int:
    """Bytes of the bodies of a template's pieces."""
    c = TEMPLATE_PIECE.c
    query = select(func.coalesce(func.sum(func.octet_length(c.body)), 0).label("size"))
    row = await tx.row(query.where(c.template_collection_id == template_id))
    return 0 if row is None else int(row["size"])


async def piece_list(tx: Transaction, template_id: UUID) -> list[Row]:
    """All of a template's pieces without their bodies, in order."""
    c = TEMPLATE_PIECE.c
    left_out = {c.template_collection_id.key, c.body.key}
    query = select(*(each for each in c if each.key not in left_out))
    query = query.where(c.template_collection_id == template_id).order_by(c.position)
    return rows_of(await tx.rows(query))


async def current_at(tx: Transaction, family: str, at: datetime) -> UUID | None:
    """The version of a family that was current at a time; None when there was none."""
    c = CURRENT_LOG.c
    row = await tx.row(
        select(c.template_collection_id)
        .where(c.family == family, c.current_from <= at)
        .order_by(c.current_from.desc(), c.current_id.desc())
        .limit(1)
    )
    return None if row is None else row["template_collection_id"]


async def schema(tx: Transaction, digest: str) -> Any:
    """A JSON Schema by which a template judges data, by its digest; None: there is none."""
    c = TEMPLATE_SCHEMA.c
    row = await tx.row(select(c.schema).where(c.schema_digest == digest))
    return None if row is None else row["schema"]


async def schema_digests(tx: Transaction, references: Collection[str]) -> dict[str, str]:
    """The digests of the schemas that templates judge data by now, those that have one."""
    rows = await tx.call_rows("fn_iu_template_resolve", list(references))
    return {row["ref"]: row["schema_digest"] for row in rows if row["schema_digest"] is not None}


def _arguments(parameters: Parameters) -> tuple[str | None, ...]:
    return (parameters.schema, parameters.empty_data_errors)
