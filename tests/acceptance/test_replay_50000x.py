"""Replay 50000x on top of 25000x, row by row, with the absolute numbers of the requirement."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.db import replay as db
from app.replay import story_25000x, story_50000x, telling
from app.replay.verdicts import Report
from tests.support.databases import Database, Server, cloned_database
from tests.support.http import client_of, running_service

SURFACES = {
    "iu_collection_template_instance_lineage": (17, 37),
    "iu_auto_instantiate_event_log": (13, 33),
    "iu_piece_collection": (24, 44),
    "iu_piece_membership": (118, 223),
    "information_unit": (175, 175),
    "iu_collection_template_registry": (4, 4),
    "iu_collection_template_version": (4, 4),
    "iu_core_retention_policy": (4, 4),
    "iu_lifecycle_log": (146, 146),
    "iu_vector_sync_point": (152, 152),
    "units with axis DIEU-28": (27, 27),
    "units with axis DIEU-32": (23, 23),
    "units with axis DIEU-35": (36, 36),
    "iu_route_delivery": (0, 0),
    "iu_route_attempt": (0, 0),
    "iu_route_dead_letter": (0, 0),
    "write gates open": (0, 0),
}

DELTAS = {
    "event_outbox, domain iu": 20,
    "event_outbox, domain system": 0,
    "event_type_registry": 0,
    "dot_iu_command_catalog": 0,
}

TEMPLATES = {
    "tpl:file:status-report/v1": ("v1", "superseded", 5, 5, 0, False),
    "tpl:file:status-report/v2": ("v2", "current", 9, 9, 0, False),
    "tpl:wf:onboarding/v1": ("v1", "superseded", 6, 6, 0, False),
    "tpl:wf:onboarding/v2": ("v2", "current", 17, 17, 0, False),
}

DRY_RUNS: dict[str, Any] = {
    "rollback by actor": {
        "dry_run": True,
        "actor": "iu-core-50000x-bulk",
        "instances": 20,
        "lineage_rows": 20,
        "log_rows": 20,
        "blockers": [],
        "rollback_operation_id": None,
    },
    "rollback: instances that are left": 20,
    "retention": {"dry_run": True, "rows_eligible": 0, "rows_deleted": 0},
    "retention: targets": 4,
    "retention: command_record": {"rows_eligible": 0, "rows_deleted": 0},
    "retention: delivery_attempts": {"rows_eligible": 0, "rows_deleted": 0},
    "retention: ended_leases": {"rows_eligible": 0, "rows_deleted": 0},
    "retention: stored_events": {"rows_eligible": 0, "rows_deleted": 0},
    "retention: its gate": "closed",
}

BOUNDARY: dict[str, Any] = {
    "internal_only_holds": True,
    "layer 1: lane of iu.template.instance_auto_composed": "delayed",
    "layer 1: lanes of all types": {"closed": True, "live": []},
    "layer 2: routes keyed to it": {"closed": True, "keyed": []},
    "layer 3: gate and setting": {
        "closed": True,
        "delivery_enabled": False,
        "delivery_live_routes": [],
    },
    "a message, written and undone": {"attempts": 0, "internal_only_holds": True},
    "attempts": [],
    "dead letters": [],
}

CHECKS: dict[str, Any] = {
    "bulk": {"total": 20, "composed": 20, "replayed": 0, "dry_runs": 0},
    "bulk: instances of each template": dict.fromkeys(TEMPLATES, 5),
    "bulk: pieces attached": 105,
    "bulk: template_superseded warnings": {
        "tpl:file:status-report/v1": 5,
        "tpl:wf:onboarding/v1": 5,
    },
    "gates: opened in the bulk's transaction only": {
        "iu_core.auto_instantiate_enabled": ["window"],
        "iu_core.composer_enabled": ["window"],
    },
    "log of the actor": {"rows": 20, "live": 20, "matching": 20},
    "integrity findings": [],
    "audit log: all is sealed": True,
    "audit log: runs not sealed": 0,
    "audit log: findings": [],
    "audit log: what the actor's runs composed": [20],
}

SPOILED = {
    "a type that is live": (
        """UPDATE iu_core.event_type_registry SET delivery_lane = 'live'
            WHERE event_type = 'iu.template.instance_auto_composed'""",
        {"layer 1: lane of iu.template.instance_auto_composed", "layer 1: lanes of all types"},
    ),
    "a gate that is open": (
        """UPDATE iu_core.iu_core_config SET config_value = 'true'
            WHERE config_key = 'iu_core.retention_enabled'""",
        {"write gates open", "retention: its gate"},
    ),
    "leases that are long over": (
        """UPDATE iu_core.iu_gate_lease SET expires_at = expires_at - interval '10 years',
                  opened_at = opened_at - interval '10 years';
           UPDATE iu_core.iu_core_config_history SET occurred_at = occurred_at - interval '10 years'
            WHERE action = 'lease'""",
        {"retention", "retention: ended_leases"},
    ),
    "an instance that is gone without a trace": (
        """DELETE FROM iu_core.iu_collection_template_instance_lineage
            WHERE instance_collection_id = (
                  SELECT instance_collection_id FROM iu_core.iu_auto_instantiate_event_log
                   WHERE suffix = '25000x-bulk-wf-003')""",
        {
            "iu_collection_template_instance_lineage",
            "iu_auto_instantiate_event_log",
            "integrity findings",
            "audit log: findings",
        },
    ),
    "an instance of nobody": (
        """WITH made AS (
               INSERT INTO iu_core.iu_piece_collection
                      (collection_id, created_at, is_instance, collection_key, composition_digest)
               SELECT md5('forged')::uuid, c.created_at, true, 'tpl-inst:manual:forged',
                      c.composition_digest
                 FROM iu_core.iu_piece_collection AS c
                WHERE c.collection_key = 'tpl-inst:manual:25000x-wf-001'
               RETURNING collection_id, composition_digest)
           INSERT INTO iu_core.iu_collection_template_instance_lineage
                  (instance_collection_id, template_collection_id, composed_at, composition_digest)
           SELECT m.collection_id, r.template_collection_id, now(), m.composition_digest
             FROM made AS m
             JOIN iu_core.iu_collection_template_registry AS r USING (composition_digest)""",
        {
            "iu_piece_collection",
            "iu_piece_membership",
            "iu_collection_template_instance_lineage",
            "integrity findings",
            "audit log: findings",
        },
    ),
}
"""What the owner did between the stories, and the rows that tell of it."""


@pytest.fixture(scope="module")
async def told(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[tuple[Report, Report]]:
    """The reports of one telling of both, on a database of its own."""
    async with cloned_database(server, maintenance) as database:
        yield await _tell(database)


async def _tell(database: Database, between: str | None = None) -> tuple[Report, Report]:
    owner = await db.connect(database.owner_url)
    try:
        secret = await telling.prepare(owner)
        async with (
            running_service(database, owner) as running,
            client_of(running.app, secret) as client,
        ):
            first = await story_25000x.replay(owner, client)
            if between is not None:
                await owner.execute(between)
            return first, await story_50000x.replay(owner, client)
    finally:
        await owner.close()


def test_what_it_stands_on_agrees(told: tuple[Report, Report]) -> None:
    assert (told[0].release, told[0].agrees) == ("25000x", True)


def test_each_surface_has_its_absolute_numbers(told: tuple[Report, Report]) -> None:
    surfaces = told[1].surfaces
    found = {row.name: (row.before, row.after) for row in surfaces if row.name not in DELTAS}
    assert found == SURFACES
    assert {row.name: row.delta for row in surfaces if row.name in DELTAS} == DELTAS
    assert all(row.before > 0 for row in surfaces if row.name in DELTAS)


def test_five_instances_came_to_each_template(told: tuple[Report, Report]) -> None:
    assert {row.name: row.actual for row in told[1].templates} == TEMPLATES


def test_dry_runs_count_and_delete_nothing(told: tuple[Report, Report]) -> None:
    assert {row.name: row.actual for row in told[1].dry_runs} == DRY_RUNS


def test_three_layers_hold_and_a_message_causes_nothing(told: tuple[Report, Report]) -> None:
    assert {row.name: row.actual for row in told[1].boundary} == BOUNDARY


def test_everything_else_holds_too(told: tuple[Report, Report]) -> None:
    assert {row.name: row.actual for row in told[1].checks} == CHECKS
    assert (told[1].release, told[1].agrees) == ("50000x", True)
    assert told[1].probes == []


@pytest.mark.parametrize("spoiled", SPOILED)
async def test_whatever_is_spoiled_in_between_disagrees_by_name(
    database: Database, spoiled: str
) -> None:
    statement, rows = SPOILED[spoiled]
    _, report = await _tell(database, between=statement)
    assert {row.name for row in report.rows if not row.agrees} == rows
    assert not report.agrees
