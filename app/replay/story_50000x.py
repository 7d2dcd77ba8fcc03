"""Replay 50000x, on top of 25000x: twenty instances, dry runs, and the boundary."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import asyncpg
import httpx

from app.db import replay as db
from app.replay.telling import ok, order, picked, read, template_verdicts, verify
from app.replay.verdicts import Report, Verdict, matrix

RELEASE = "50000x"
ACTOR = "iu-core-50000x-bulk"
COMPOSED_TYPE = "iu.template.instance_auto_composed"

EXPECTED_SURFACES: dict[str, tuple[int | None, int]] = {
    "iu_collection_template_instance_lineage": (17, 20),
    "iu_auto_instantiate_event_log": (13, 20),
    "iu_piece_collection": (24, 20),
    "iu_piece_membership": (118, 105),
    "information_unit": (175, 0),
    "iu_collection_template_registry": (4, 0),
    "iu_collection_template_version": (4, 0),
    "iu_lifecycle_log": (146, 0),
    "iu_vector_sync_point": (152, 0),
    "event_type_registry": (None, 0),
    "dot_iu_command_catalog": (None, 0),
    "iu_core_retention_policy": (4, 0),
    "units with axis DIEU-28": (27, 0),
    "units with axis DIEU-32": (23, 0),
    "units with axis DIEU-35": (36, 0),
    "event_outbox, domain iu": (None, 20),
    "event_outbox, domain system": (None, 0),
    "iu_route_delivery": (0, 0),
    "iu_route_attempt": (0, 0),
    "iu_route_dead_letter": (0, 0),
    "write gates open": (0, 0),
}
"""Per surface: rows before (None: as many as there are), and how many the story adds."""

EXPECTED_TEMPLATES: dict[str, tuple[Any, ...]] = {
    "tpl:file:status-report/v1": ("v1", "superseded", 5, 5, 0, False),
    "tpl:file:status-report/v2": ("v2", "current", 9, 9, 0, False),
    "tpl:wf:onboarding/v1": ("v1", "superseded", 6, 6, 0, False),
    "tpl:wf:onboarding/v2": ("v2", "current", 17, 17, 0, False),
}

_SUPERSEDED = [key for key, row in EXPECTED_TEMPLATES.items() if row[1] == "superseded"]
_COUNTS = {"total": 20, "composed": 20, "replayed": 0, "dry_runs": 0}
_WINDOWS = {
    "iu_core.auto_instantiate_enabled": ["window"],
    "iu_core.composer_enabled": ["window"],
}
_ROLLBACK = {
    "dry_run": True,
    "actor": ACTOR,
    "instances": 20,
    "lineage_rows": 20,
    "log_rows": 20,
    "blockers": [],
    "rollback_operation_id": None,
}
_NOTHING = {"dry_run": True, "rows_eligible": 0, "rows_deleted": 0}
_NOTHING_OF_IT = {"rows_eligible": 0, "rows_deleted": 0}


async def replay(owner: asyncpg.Connection, client: httpx.AsyncClient) -> Report:
    """Tell the story where 25000x has been told, and compare; arguments as there."""
    before = await db.surfaces(owner)
    known = await _history(client)
    bulk = await _tell(client)
    report = Report(RELEASE)
    report.checks = [*_bulk_verdicts(bulk), await _windows(client, known)]
    report.dry_runs = await _dry_runs(client)
    report.boundary = await _boundary(client)
    rows = (await read(client, "/observability/templates"))["items"]
    report.templates = template_verdicts(rows, EXPECTED_TEMPLATES)
    # Only now, since neither a dry run nor a probe may have changed anything.
    report.surfaces = matrix(before, await db.surfaces(owner), EXPECTED_SURFACES)
    report.checks += await _look(owner, client)
    return report


async def _tell(client: httpx.AsyncClient) -> Any:
    """The story: five instances of each version, in one transaction that opens its own gates."""
    items = [
        order(RELEASE, key, f"bulk-{key.split(':')[1]}-{version}-{n:03}", ACTOR)
        for key, (version, *_) in EXPECTED_TEMPLATES.items()
        for n in range(1, 6)
    ]
    return (
        await ok(client.post("/instances/bulk?atomic=true&gate_window=true", json=items))
    ).json()


def _bulk_verdicts(bulk: Any) -> list[Verdict]:
    items = bulk["items"]
    warned = [item["template_key"] for item in items if "template_superseded" in item["warnings"]]
    return [
        Verdict("bulk", _COUNTS, picked(bulk, _COUNTS)),
        Verdict(
            "bulk: instances of each template",
            dict.fromkeys(EXPECTED_TEMPLATES, 5),
            _tally(item["template_key"] for item in items),
        ),
        Verdict("bulk: pieces attached", 105, sum(item["pieces_attached"] for item in items)),
        Verdict(
            "bulk: template_superseded warnings", dict.fromkeys(_SUPERSEDED, 5), _tally(warned)
        ),
    ]


def _tally(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


async def _history(client: httpx.AsyncClient) -> dict[str, list[Any]]:
    """What has been done to each gate, the newest first."""
    gates = (await read(client, "/gates"))["items"]
    return {
        gate["gate"]: (await read(client, f"/gates/{gate['gate']}/history", limit=200))["items"]
        for gate in gates
    }


async def _windows(client: httpx.AsyncClient, known: dict[str, list[Any]]) -> Verdict:
    """That gates were open inside the transaction only: nothing else was done to any of them."""
    since = {
        gate: [entry["action"] for entry in entries if entry not in known[gate]]
        for gate, entries in (await _history(client)).items()
    }
    done = {gate: actions for gate, actions in since.items() if actions}
    return Verdict("gates: opened in the bulk's transaction only", _WINDOWS, done)


async def _dry_runs(client: httpx.AsyncClient) -> list[Verdict]:
    rollback = await ok(client.post("/rollback/by-actor", json={"actor": ACTOR, "dry_run": True}))
    left = await read(client, "/instances", actor=ACTOR, limit=200)
    cleanup = (await ok(client.post("/retention/cleanup", json={"dry_run": True}))).json()
    gate = await read(client, "/gates/retention_enabled")
    return [
        Verdict("rollback by actor", _ROLLBACK, picked(rollback.json(), _ROLLBACK)),
        Verdict("rollback: instances that are left", 20, len(left["items"])),
        Verdict("retention", _NOTHING, picked(cleanup, _NOTHING)),
        Verdict("retention: targets", 4, len(cleanup["targets"])),
        *(
            Verdict(
                f"retention: {target['target']}", _NOTHING_OF_IT, picked(target, _NOTHING_OF_IT)
            )
            for target in cleanup["targets"]
        ),
        Verdict("retention: its gate", "closed", gate["state"]),
    ]


async def _boundary(client: httpx.AsyncClient) -> list[Verdict]:
    composed = await read(client, f"/event-types/{COMPOSED_TYPE}")
    boundary = await read(client, "/observability/boundary")
    probe = (await ok(client.post("/observability/boundary/probe"))).json()
    gate = {"closed": True, "delivery_enabled": False, "delivery_live_routes": []}
    return [
        Verdict("internal_only_holds", True, boundary["internal_only_holds"]),
        Verdict(f"layer 1: lane of {COMPOSED_TYPE}", "delayed", composed["delivery_lane"]),
        Verdict("layer 1: lanes of all types", {"closed": True, "live": []}, boundary["lanes"]),
        Verdict("layer 2: routes keyed to it", {"closed": True, "keyed": []}, boundary["routes"]),
        Verdict("layer 3: gate and setting", gate, boundary["gate"]),
        Verdict(
            "a message, written and undone", {"attempts": 0, "internal_only_holds": True}, probe
        ),
        Verdict("attempts", [], (await read(client, "/delivery/attempts"))["items"]),
        Verdict("dead letters", [], (await read(client, "/delivery/dead-letters"))["items"]),
    ]


async def _look(owner: asyncpg.Connection, client: httpx.AsyncClient) -> list[Verdict]:
    log = {row.pop("actor"): row for row in await db.log_by_actor(owner)}
    verified = await verify(owner, client)
    runs = (await read(client, "/commands/runs", actor=ACTOR, outcome="done"))["items"]
    return [
        Verdict("log of the actor", {"rows": 20, "live": 20, "matching": 20}, log.get(ACTOR)),
        *verified,
        Verdict("audit log: what the actor's runs composed", [20], _composed(runs)),
    ]


def _composed(runs: Any) -> list[int | None]:
    return [(run["counts"] or {}).get("composed") for run in runs]
