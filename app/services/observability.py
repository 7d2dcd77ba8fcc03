"""What an operator looks at: templates, events, refusals, integrity, and all of it at a glance."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import app
from app.db import instances_read as instances_db
from app.db import observability_read as db
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.db.observability_read import Overview, RefusalFilters, Row
from app.paging import Keyset
from app.schemas.observability import (
    EventList,
    EventSummary,
    IntegrityReport,
    LoggedEvent,
    LoggedEventPage,
    ModeTotals,
    RecordedRefusal,
    RecordedRefusalPage,
    RefusalList,
    TemplateList,
    TemplateModeSummary,
    TemplateState,
    TemplateStatePage,
)
from app.schemas.overview import (
    Attention,
    Counts,
    Drift,
    FactoryOverview,
    GateNow,
    GatesNow,
    Health,
    LastIntegrityCheck,
    Rates,
    RefusalRate,
    Unversioned,
)
from app.security import Caller
from app.services.instances_read import filters_of, template_walk, token_after

_TEMPLATES = Keyset("observed templates", (str,))
_EVENTS = Keyset("events", (datetime, UUID))
_REFUSALS = Keyset("refusals", (datetime, UUID))

_checks: WeakKeyDictionary[Database, asyncio.Task[IntegrityReport]] = WeakKeyDictionary()


async def observe_templates(database: Database, query: TemplateList) -> TemplateStatePage:
    """One page of templates, by key."""
    within = {"family": query.family}
    position = _TEMPLATES.position(query.page_token, within)
    rows = await database.run(
        lambda transaction: db.list_templates(transaction, query.family, position, query.limit)
    )
    found = _TEMPLATES.page(rows, query.limit, lambda row: (row["template_key"],), within)
    return TemplateStatePage(
        items=[TemplateState(**row) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def observe_events(database: Database, caller: Caller, query: EventList) -> LoggedEventPage:
    """One page of the event log, newest first.

    Refuses with `template_collection_not_found` or `template_not_marked` for a filter that names
    nothing.
    """

    async def work(transaction: Transaction) -> LoggedEventPage:
        walk = await template_walk(transaction, _EVENTS, query.template, query)
        items, after = await instances_db.list_instances(
            transaction,
            list(LoggedEvent.model_fields),
            filters_of(caller, query, walk.pinned or None, events_only=True),
            walk.position,
            query.limit,
        )
        return LoggedEventPage(
            items=[LoggedEvent(**item) for item in items],
            next_page_token=walk.token_after(after),
        )

    return await database.run(work)


async def summarise_events(database: Database) -> EventSummary:
    """The rollup per template and mode."""
    rows = await database.run(db.summary)
    events: Counter[str] = Counter()
    for row in rows:
        events[row["emit_mode"]] += row["events"]
    return EventSummary(
        totals=ModeTotals(
            live=events["live"],
            dry_run=events["dry_run"],
            matches=sum(row["matches"] or 0 for row in rows),
            diverges=sum(row["diverges"] or 0 for row in rows),
        ),
        by_template=[TemplateModeSummary(**row) for row in rows],
    )


async def check_integrity(database: Database) -> IntegrityReport:
    """Looks at every row. Who asks while a check runs shares it: it takes a bulk's time."""
    check = _checks.get(database)
    if check is None or check.done():
        check = _checks[database] = asyncio.ensure_future(_check_integrity(database))
        # Read, because nobody else may be left to: those who asked may all have gone.
        check.add_done_callback(lambda task: None if task.cancelled() else task.exception())
    return await asyncio.shield(check)


async def _check_integrity(database: Database) -> IntegrityReport:
    answer = await database.run(db.verify_integrity, limits=BULK, repeatable=True)
    return IntegrityReport(**{name: answer[name] for name in IntegrityReport.model_fields})


async def observe_refusals(database: Database, query: RefusalList) -> RecordedRefusalPage:
    """One page of what was refused, the last refused first."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _REFUSALS.position(query.page_token, within)
    filters = RefusalFilters(code=query.code, actor=query.actor, since=query.since)
    items, after = await database.run(
        lambda transaction: db.list_refusals(transaction, filters, position, query.limit)
    )
    return RecordedRefusalPage(
        items=[RecordedRefusal(**item) for item in items],
        next_page_token=token_after(_REFUSALS, after, within),
    )


async def get_overview(database: Database) -> FactoryOverview:
    """Everything at a glance, at a cost that does not grow with the number of instances."""
    seen = await database.run(db.overview)
    drifting = [row["template_key"] for row in seen.troubled if row["diverges"]]
    unversioned = [row["template_key"] for row in seen.troubled if row["template_without_version"]]
    integrity = seen.integrity
    return FactoryOverview(
        observed_at=seen.activity["observed_at"],
        health=_health(seen),
        gates=_gates(seen.gates),
        counts=Counts(**_only(seen.totals, Counts)),
        rates=Rates(**_only(seen.activity, Rates)),
        refusals=[RefusalRate(**row) for row in seen.refusals],
        drift=Drift(instances=seen.totals["diverging"], templates=drifting),
        unversioned=Unversioned(templates=seen.totals["unversioned"], keys=unversioned),
        orphans=None if integrity is None else integrity["counts"].get("orphan_instance", 0),
        integrity=(
            None
            if integrity is None
            else LastIntegrityCheck(**_only(integrity, LastIntegrityCheck))
        ),
    )


def _health(seen: Overview) -> Health:
    attention: list[Attention] = []
    if seen.totals["diverging"]:
        attention.append("digest_drift")
    if seen.integrity is not None and not seen.integrity["holds"]:
        attention.append("integrity")
    if seen.totals["unversioned"]:
        attention.append("unversioned_template")
    return Health(
        status="attention" if attention else "ok",
        attention=attention,
        schema_revision=seen.schema["revision"],
        program=app.__version__,
    )


def _gates(rows: Sequence[Row]) -> GatesNow:
    states = Counter(row["state"] for row in rows)
    return GatesNow(
        open=states["open"],
        leased=states["leased"],
        closed=states["closed"],
        sealed=sum(row["sealed_at"] is not None for row in rows),
        not_simply_closed=[
            GateNow(
                gate=row["gate_key"],
                state=row["state"],
                leases_end_at=row["leases_end_at"],
                sealed=row["sealed_at"] is not None,
                reason=row["reason"],
            )
            for row in rows
            if row["state"] != "closed" or row["sealed_at"] is not None
        ],
    )


def _only(row: Row, model: Any) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}
