"""Replay 25000x: the baseline, the twelve probes, the story over HTTP, and what must come out."""

from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from app.authentication import NewApiKey
from app.db import replay as db
from app.replay.verdicts import Report, Verdict, matrix

ACTOR = "iu-core-25000x"
BULK_ACTOR = "iu-core-25000x-bulk"

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

TEMPLATE_COLUMNS = (
    "version",
    "status",
    "instances",
    "matches",
    "diverges",
    "template_without_version",
)

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


class NotToldError(Exception):
    """An operation of the story was refused; the message says which, and how."""


async def prepare(owner: asyncpg.Connection) -> str:
    """Load the baseline, and make the key that the story is told with; its secret."""
    await db.load_baseline(owner)
    key = NewApiKey.make()
    await db.create_key(owner, key.key_id, key.sha256, ACTOR, [f"{ACTOR}-"])
    return key.secret


async def replay(owner: asyncpg.Connection, client: httpx.AsyncClient) -> Report:
    """Run the probes and the story on a prepared database, and compare.

    Takes a connection of the owner's role, and an authenticated client of the service on the same
    database.
    """
    before = await db.surfaces(owner)
    report = Report(probes=await _probe(client))
    await _tell(client)
    report.surfaces = matrix(before, await db.surfaces(owner), EXPECTED_SURFACES)
    report.templates, report.checks = await _look(owner, client)
    return report


async def _probe(client: httpx.AsyncClient) -> list[Verdict]:
    report = (await _ok(client.post("/observability/probes"))).json()
    return [
        Verdict(f"{row['probe']} {row['given']}", row["expected"], row["actual"])
        for row in report["probes"]
    ]


async def _tell(client: httpx.AsyncClient) -> None:
    """The story: a second version, one instance, twelve more in one transaction."""
    for gate in ("template_authoring_enabled", "piece_write_enabled"):
        await _lease(client, gate)
    await _ok(
        client.post(
            "/templates/tpl:file:status-report@v1/register-version",
            json={"reason": "the chain begins"},
        )
    )
    family = await _ok(client.get("/templates/tpl:file:status-report"))
    await _ok(
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
    await _ok(
        client.post(
            "/instances/from-event", json=_order("tpl:wf:onboarding/v2", "25000x-wf-001", ACTOR)
        )
    )
    items = [
        *(
            _order("tpl:wf:onboarding/v2", f"25000x-bulk-wf-{n:03}", BULK_ACTOR)
            for n in range(1, 9)
        ),
        *(
            _order("tpl:file:status-report/v2", f"25000x-bulk-file-{n:03}", BULK_ACTOR)
            for n in range(1, 5)
        ),
    ]
    await _ok(client.post("/instances/bulk?atomic=true&gate_window=true", json=items))
    await _ok(client.post("/gates/close-all", json={"reason": "the story is told"}))


async def _look(
    owner: asyncpg.Connection, client: httpx.AsyncClient
) -> tuple[list[Verdict], list[Verdict]]:
    rows = (await _ok(client.get("/observability/templates"))).json()["items"]
    by_key = {row["template_key"]: row for row in rows}
    templates = [
        Verdict(key, expected, tuple(by_key.get(key, {}).get(name) for name in TEMPLATE_COLUMNS))
        for key, expected in EXPECTED_TEMPLATES.items()
    ]
    integrity = (await _ok(client.get("/observability/integrity"))).json()
    log = await db.log_by_actor(owner)
    checks = [
        Verdict("templates", sorted(EXPECTED_TEMPLATES), sorted(by_key)),
        Verdict(
            "family_chain_length",
            dict.fromkeys(EXPECTED_TEMPLATES, 2),
            {key: row["family_chain_length"] for key, row in by_key.items()},
        ),
        Verdict(
            "digest_drift_from_previous, v2",
            [True, True],
            [row["digest_drift_from_previous"] for row in rows if row["version"] == "v2"],
        ),
        Verdict("integrity findings", [], integrity["findings"]),
        Verdict("log rows", 13, sum(row["rows"] for row in log)),
        Verdict("of them live", 13, sum(row["live"] for row in log)),
        Verdict("of them matching", 13, sum(row["matching"] for row in log)),
        Verdict("actors in the log", [ACTOR, BULK_ACTOR], [row["actor"] for row in log]),
    ]
    return templates, checks


def _order(template: str, suffix: str, actor: str) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "event_type": "iu.replay.25000x",
        "template": template,
        "suffix": suffix,
        "actor": actor,
        "reason": "replay 25000x",
    }


async def _lease(client: httpx.AsyncClient, gate: str, uses: int | None = None) -> None:
    order = {"seconds": 300, "reason": "replay 25000x", "uses": uses}
    await _ok(client.post(f"/gates/{gate}/leases", json=order))


async def _ok(request: Any) -> httpx.Response:
    answer: httpx.Response = await request
    if answer.is_error:
        raise NotToldError(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer
