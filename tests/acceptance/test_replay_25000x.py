"""Replay 25000x, row by row, with the absolute numbers of the requirement."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.db import replay as db
from app.replay import story_25000x, telling
from app.replay.verdicts import Report
from tests.support.databases import Database, Server, cloned_database
from tests.support.http import client_of, running_service

SURFACES = {
    "information_unit": (174, 175),
    "iu_piece_collection": (10, 24),
    "iu_piece_membership": (43, 118),
    "iu_collection_template_instance_lineage": (4, 17),
    "iu_auto_instantiate_event_log": (0, 13),
    "iu_collection_template_registry": (3, 4),
    "iu_collection_template_version": (2, 4),
    "iu_lifecycle_log": (146, 146),
    "iu_vector_sync_point": (152, 152),
    "units with axis DIEU-28": (27, 27),
    "units with axis DIEU-32": (23, 23),
    "units with axis DIEU-35": (36, 36),
    "write gates open": (0, 0),
}

TEMPLATES = {
    "tpl:file:status-report/v1": ("v1", "superseded", 0, 0, 0, False),
    "tpl:file:status-report/v2": ("v2", "current", 4, 4, 0, False),
    "tpl:wf:onboarding/v1": ("v1", "superseded", 1, 1, 0, False),
    "tpl:wf:onboarding/v2": ("v2", "current", 12, 12, 0, False),
}

LIVE, COMPOSER = "iu_core.auto_instantiate_enabled", "iu_core.composer_enabled"

PROBES: dict[str, dict[str, Any]] = {
    "C1": {"status": "invalid_input"},
    "C2": {"status": "invalid_emit_mode"},
    "C3": {"status": "live_gate_closed", "gate": LIVE},
    "C4": {"status": "composer_gate_closed", "gate": COMPOSER},
    "C5": {"status": "template_not_marked"},
    "C6": {"status": "template_collection_not_found"},
    "C7": {"status": "ok", "pieces_attached": 5, "digest_matches_template": True},
    "C9": {"status": "ok", "pieces_attached": 5, "digest_matches_template": True},
    "C10": {
        "status": "ok",
        "dry_run": True,
        "instances": 1,
        "lineage_rows": 1,
        "log_rows": 1,
    },
    "C11": {"log_rows": 0},
    "C12": {LIVE: "closed", COMPOSER: "closed"},
}


@pytest.fixture(scope="module")
async def told(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Report]:
    """The report of one telling, on a database of its own."""
    async with cloned_database(server, maintenance) as database:
        yield await _tell(database)


async def _tell(database: Database) -> Report:
    owner = await db.connect(database.owner_url)
    try:
        secret = await telling.prepare(owner)
        async with (
            running_service(database, owner) as running,
            client_of(running.app, secret) as client,
        ):
            return await story_25000x.replay(owner, client)
    finally:
        await owner.close()


@pytest.mark.parametrize("probe", PROBES)
def test_each_probe_answers_what_it_must(told: Report, probe: str) -> None:
    (row,) = [row for row in told.probes if row.name.split()[0] == probe]
    assert row.actual == PROBES[probe]
    assert row.agrees


def test_the_same_key_twice_answers_the_first_instance(told: Report) -> None:
    (row,) = [row for row in told.probes if row.name.startswith("C8 ")]
    assert row.actual["status"] == "idempotent_replay"
    assert row.agrees
    assert len(told.probes) == 12


@pytest.mark.parametrize("surface", SURFACES)
def test_each_surface_has_its_absolute_numbers(told: Report, surface: str) -> None:
    (row,) = [row for row in told.surfaces if row.name == surface]
    assert (row.before, row.after) == SURFACES[surface]
    assert row.agrees


@pytest.mark.parametrize(("domain", "added"), [("iu", 13), ("system", 0)])
def test_each_live_instance_writes_one_outbox_row(told: Report, domain: str, added: int) -> None:
    (row,) = [row for row in told.surfaces if row.name == f"event_outbox, domain {domain}"]
    assert row.before > 0, "the baseline has messages of its own"
    assert row.after - row.before == added


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_template_row_is_as_required(told: Report, template: str) -> None:
    (row,) = [row for row in told.templates if row.name == template]
    assert row.actual == TEMPLATES[template]


def test_everything_else_holds_too(told: Report) -> None:
    found: dict[str, Any] = {row.name: row.actual for row in told.checks}
    assert all(row.agrees for row in told.checks), found
    assert found["log rows"] == found["of them live"] == found["of them matching"] == 13
    assert found["actors in the log"] == ["iu-core-25000x", "iu-core-25000x-bulk"]
    assert found["audit log: all is sealed"] is True
    assert found["audit log: findings"] == found["integrity findings"] == []
    assert told.agrees
