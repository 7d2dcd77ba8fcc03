"""Reads for whoever looks after the factory: templates, refusals, the summary, the overview."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Integer,
    RowMapping,
    Select,
    Text,
    Uuid,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.db.engine import Transaction
from app.db.examined import examined_page, examined_page_query
from app.db.gates import GATE
from app.db.keyset import page_query

Row = dict[str, Any]

_TIME = DateTime(timezone=True)

LISTED_IN_OVERVIEW = 100
"""How many templates the overview names at most; it counts them all."""

TEMPLATE = table(
    "v_iu_template_observability",
    column("template_key", Text),
    column("family", Text),
    column("version", Text),
    column("status", Text),
    column("instances", BigInteger),
    column("matches", BigInteger),
    column("diverges", BigInteger),
    column("template_without_version", Boolean),
    column("family_chain_length", BigInteger),
    column("digest_drift_from_previous", Boolean),
    column("dry_runs", BigInteger),
    column("template_collection_id", Uuid),
    column("composition_digest", Text),
    column("piece_count", Integer),
    schema="iu_core",
)
SUMMARY = table(
    "v_iu_auto_instantiate_event_summary",
    column("template_collection_id", Uuid),
    column("template_key", Text),
    column("emit_mode", Text),
    column("events", BigInteger),
    column("matches", BigInteger),
    column("diverges", BigInteger),
    column("first_at", _TIME),
    column("last_at", _TIME),
    schema="iu_core",
)
COMMAND_RECORD = table(
    "v_iu_command_record",
    column("record_id", Uuid),
    column("subject_id", Uuid),
    column("command", Text),
    column("outcome", Text),
    column("code", Text),
    column("template_collection_id", Uuid),
    column("template_key", Text),
    column("actor", Text),
    column("principal", Text),
    column("request_id", Uuid),
    column("first_at", _TIME),
    column("last_at", _TIME),
    column("occurrences", BigInteger),
    column("details", JSONB),
    column("took_us", BigInteger),
    column("counts", JSONB),
    column("lease_ids", ARRAY(Uuid)),
    column("instances_digest", Text),
    column("segment_no", BigInteger),
    schema="iu_core",
)
_OF_RUNS_ONLY = frozenset(
    {"outcome", "took_us", "counts", "lease_ids", "instances_digest", "segment_no"}
)
REFUSAL_BY_CODE = table(
    "v_iu_refusal_by_code",
    column("code", Text),
    column("last_hour", BigInteger),
    column("last_day", BigInteger),
    column("last_at", _TIME),
    schema="iu_core",
)
ACTIVITY = table(
    "v_iu_activity",
    column("observed_at", _TIME),
    column("composed_last_minute", BigInteger),
    column("composed_last_hour", BigInteger),
    column("is_capped", Boolean),
    schema="iu_core",
)
INTEGRITY_CHECK = table(
    "v_iu_integrity_check",
    column("checked_at", _TIME),
    column("holds", Boolean),
    column("counts", JSONB),
    column("examined", JSONB),
    schema="iu_core",
)
SCHEMA_VERSION = table(
    "v_iu_schema_version",
    column("revision", Text),
    column("schema_release", Integer),
    column("migrated_by", Text),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class RefusalFilters:
    """Which refusals a list shows; None is no filter. `since` is included."""

    code: str | None = None
    actor: str | None = None
    since: datetime | None = None


async def list_templates(
    transaction: Transaction, family: str | None, position: tuple[Any, ...] | None, limit: int
) -> Sequence[RowMapping]:
    """One page of templates by key, and one row more if there are more."""
    query = select(TEMPLATE)
    if family is not None:
        query = query.where(TEMPLATE.c.family == family)
    return await transaction.rows(page_query(query, [TEMPLATE.c.template_key], position, limit))


async def summary(transaction: Transaction) -> Sequence[RowMapping]:
    """The rollup per template and mode; templates that do not exist come last."""
    order = (SUMMARY.c.template_key.nulls_last(), SUMMARY.c.template_collection_id)
    return await transaction.rows(select(SUMMARY).order_by(*order, SUMMARY.c.emit_mode))


async def list_refusals(
    transaction: Transaction,
    filters: RefusalFilters,
    position: tuple[Any, ...] | None,
    limit: int,
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """One page of refusals, newest first, and where the next page begins."""
    c = COMMAND_RECORD.c
    # Written out, so that it is seen to be what the index of refusals is about.
    driven_by: list[ColumnElement[bool]] = [c.outcome == literal_column("'refused'")]
    if filters.since is not None:
        driven_by.append(c.last_at >= filters.since)
    kept_if: list[ColumnElement[bool]] = []
    if filters.code is not None:
        kept_if.append(c.code == filters.code)
    if filters.actor is not None:
        kept_if.append(c.actor == filters.actor)
    order = [c.last_at, c.record_id]
    rows = await transaction.rows(
        examined_page_query(
            [every for every in c if every.name not in _OF_RUNS_ONLY],
            order,
            driven_by=driven_by,
            kept_if=kept_if,
            position=position,
            limit=limit,
        )
    )
    return examined_page(rows, limit, order)


async def verify_integrity(transaction: Transaction) -> dict[str, Any]:
    """Everything, looked at (fn_iu_verify_integrity)."""
    answer: dict[str, Any] = await transaction.call("fn_iu_verify_integrity")
    return answer


@dataclass(frozen=True, slots=True)
class Overview:
    """What the overview is made of, each part as it comes from its view."""

    totals: Row
    troubled: list[Row]
    gates: list[Row]
    activity: Row
    refusals: list[Row]
    integrity: Row | None
    schema: Row


async def overview(transaction: Transaction) -> Overview:
    """All of it; nothing here looks at every instance."""
    c = TEMPLATE.c
    troubled = (
        select(c.template_key, c.diverges, c.template_without_version)
        .where(or_(c.diverges != 0, c.template_without_version))
        .order_by(c.template_key)
        .limit(LISTED_IN_OVERVIEW)
    )
    refusals = select(REFUSAL_BY_CODE).order_by(REFUSAL_BY_CODE.c.code)
    (totals,) = await _rows(transaction, _totals())
    (activity,) = await _rows(transaction, select(ACTIVITY))
    (schema,) = await _rows(transaction, select(SCHEMA_VERSION))
    checks = await _rows(transaction, select(INTEGRITY_CHECK))
    return Overview(
        totals=totals,
        troubled=await _rows(transaction, troubled),
        gates=await _rows(transaction, select(GATE).order_by(GATE.c.gate_key)),
        activity=activity,
        refusals=await _rows(transaction, refusals),
        integrity=checks[0] if checks else None,
        schema=schema,
    )


async def _rows(transaction: Transaction, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in await transaction.rows(query)]


def _totals() -> Select[Any]:
    c = TEMPLATE.c
    totals: list[ColumnElement[Any]] = [
        func.count().label("templates"),
        func.count(c.family.distinct()).label("families"),
        func.coalesce(func.sum(c.instances), 0).cast(BigInteger).label("instances"),
        func.coalesce(func.sum(c.diverges), 0).cast(BigInteger).label("diverging"),
        func.coalesce(func.sum(c.dry_runs), 0).cast(BigInteger).label("dry_runs"),
        func.count().filter(c.template_without_version).label("unversioned"),
    ]
    return select(*totals).select_from(TEMPLATE)
