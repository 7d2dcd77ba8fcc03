"""The boundary of replay 50000x: three layers shut, and a message that causes nothing."""

import asyncpg

from app.db import replay as db
from tests.support.databases import Database
from tests.support.http import running_service


async def test_three_layers_hold_and_a_message_causes_no_attempt(
    database: Database, owner: asyncpg.Connection
) -> None:
    await db.load_baseline(owner)
    before = await db.surfaces(owner)
    async with running_service(database, owner) as service:
        boundary = (await service.viewer.get("/observability/boundary")).json()
        probe = (await service.operator.post("/observability/boundary/probe")).json()
        cleanup = (await service.admin.post("/retention/cleanup", json={})).json()
        gate = (await service.viewer.get("/gates/retention_enabled")).json()
    assert boundary["internal_only_holds"] is True
    assert boundary["lanes"] == {"closed": True, "live": []}
    assert boundary["routes"] == {"closed": True, "keyed": []}
    assert boundary["gate"] == {
        "closed": True,
        "delivery_enabled": False,
        "delivery_live_routes": [],
    }
    assert probe == {"attempts": 0, "internal_only_holds": True}
    assert (cleanup["dry_run"], len(cleanup["targets"])) == (True, 4)
    assert {(t["rows_eligible"], t["rows_deleted"]) for t in cleanup["targets"]} == {(0, 0)}
    assert gate["state"] == "closed"
    assert await db.surfaces(owner) == before
    for table in ("iu_route_delivery", "iu_route_attempt", "iu_route_dead_letter"):
        assert await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}") == 0
