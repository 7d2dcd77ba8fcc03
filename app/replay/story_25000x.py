"""Replay 25000x: the twelve probes, the story over HTTP, and what must come out."""

from typing import Any

import asyncpg
import httpx

from app.db import replay as db
from app.replay.telling import TELLER, ok, order, read, template_verdicts, verify
from app.replay.verdicts import Report, Verdict, matrix

RELEASE = "25000x"
ACTOR = TELLER
BULK_ACTOR = f"{ACTOR}-bulk"

EXPECTED_SURFACES: dict[str, tuple[int | None, int]] = {
    "information_unit": (174, 1),
    "iu_piece_collection": (10, 14),
    "iu_piece_membership": (43, 75),
    "iu_collection_template_instance_lineage": (4, 13),
    "iu_auto_instantiate_event_log": (0, 13),
    "iu_collection_template_registry": (3, 1),
    "iu_collection_template_version": (2, 2),
    "iu_lifecycle_log": (146, 0),
    "iu_vector_sync_point": (152, 0),
    "units with axis DIEU-28": (27, 0),
    "units with axis DIEU-32": (23, 0),
    "units with axis DIEU-35": (36, 0),
    "event_outbox, domain iu": (None, 13),
    "event_outbox, domain system": (None, 0),
    "write gates open": (0, 0),
}
"""Per surface: rows before (None: as many as there are), and how many the story adds."""

EXPECTED_TEMPLATES: dict[str, tuple[Any, ...]] = {
    "tpl:file:status-report/v1": ("v1", "superseded", 0, 0, 0, False),
    "tpl:file:status-report/v2": ("v2", "current", 4, 4, 0, False),
    "tpl:wf:onboarding/v1": ("v1", "superseded", 1, 1, 0, False),
    "tpl:wf:onboarding/v2": ("v2", "current", 12, 12, 0, False),
}

EXECUTIVE_SUMMARY = {
    "role": "executive_summary",
    "title": "Executive summary",
    "media_type": "text/markdown",
    "body": "What a reader with one minute has to know: where we stand, what changed, what we ask.",
}


async def replay(owner: asyncpg.Connection, client: httpx.AsyncClient) -> Report:
    """Run the probes and the story on a prepared database, and compare.

    Takes a connection of the owner's role, and an authenticated client of the service on the same
    database.
    """
    before = await db.surfaces(owner)
    report = Report(RELEASE, probes=await _probe(client))
    await _tell(client)
    report.surfaces = matrix(before, await db.surfaces(owner), EXPECTED_SURFACES)
    report.templates, report.checks = await _look(owner, client)
    return report


async def _probe(client: httpx.AsyncClient) -> list[Verdict]:
    report = (await ok(client.post("/observability/probes"))).json()
    return [
        Verdict(f"{row['probe']} {row['given']}", row["expected"], row["actual"])
        for row in report["probes"]
    ]


async def _tell(client: httpx.AsyncClient) -> None:
    """The story: a second version, one instance, twelve more in one transaction."""
    for gate in ("template_authoring_enabled", "piece_write_enabled"):
        await _lease(client, gate)
    await ok(
        client.post(
            "/templates/tpl:file:status-report@v1/register-version",
            json={"reason": "the chain begins"},
        )
    )
    family = await ok(client.get("/templates/tpl:file:status-report"))
    await ok(
        client.post(
            "/templates/families/tpl:file:status-report/versions",
            headers={"If-Match": family.headers["etag"]},
            json={
                "reason": "readers with one minute",
                "edits": [{"op": "insert", "position": 1, "piece": EXECUTIVE_SUMMARY}],
            },
        )
    )
    for gate in ("composer_enabled", "auto_instantiate_enabled"):
        await _lease(client, gate, uses=1)
    one = order(RELEASE, "tpl:wf:onboarding/v2", "wf-001", ACTOR)
    await ok(client.post("/instances/from-event", json=one))
    items = [
        *(
            order(RELEASE, "tpl:wf:onboarding/v2", f"bulk-wf-{n:03}", BULK_ACTOR)
            for n in range(1, 9)
        ),
        *(
            order(RELEASE, "tpl:file:status-report/v2", f"bulk-file-{n:03}", BULK_ACTOR)
            for n in range(1, 5)
        ),
    ]
    await ok(client.post("/instances/bulk?atomic=true&gate_window=true", json=items))
    await ok(client.post("/gates/close-all", json={"reason": "the story is told"}))


async def _look(
    owner: asyncpg.Connection, client: httpx.AsyncClient
) -> tuple[list[Verdict], list[Verdict]]:
    rows = (await read(client, "/observability/templates"))["items"]
    log = await db.log_by_actor(owner)
    checks = [
        Verdict(
            "templates", sorted(EXPECTED_TEMPLATES), sorted(row["template_key"] for row in rows)
        ),
        Verdict(
            "family_chain_length",
            dict.fromkeys(EXPECTED_TEMPLATES, 2),
            {row["template_key"]: row["family_chain_length"] for row in rows},
        ),
        Verdict(
            "digest_drift_from_previous, v2",
            [True, True],
            [row["digest_drift_from_previous"] for row in rows if row["version"] == "v2"],
        ),
        Verdict("log rows", 13, sum(row["rows"] for row in log)),
        Verdict("of them live", 13, sum(row["live"] for row in log)),
        Verdict("of them matching", 13, sum(row["matching"] for row in log)),
        Verdict("actors in the log", [ACTOR, BULK_ACTOR], [row["actor"] for row in log]),
        *await verify(owner, client),
    ]
    return template_verdicts(rows, EXPECTED_TEMPLATES), checks


async def _lease(client: httpx.AsyncClient, gate: str, uses: int | None = None) -> None:
    lease = {"seconds": 300, "reason": f"replay {RELEASE}", "uses": uses}
    await ok(client.post(f"/gates/{gate}/leases", json=lease))
