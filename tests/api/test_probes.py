"""`POST /observability/probes` over HTTP."""

import asyncpg

from tests.support.contents import contents
from tests.support.gates import LIVE, close
from tests.support.http import Service
from tests.support.mutation import take_out


async def test_twelve_probes_are_told_and_leave_nothing(
    service: Service, owner: asyncpg.Connection
) -> None:
    before = await contents(owner)
    answer = await service.operator.post("/observability/probes")
    assert answer.status_code == 200
    document = answer.json()
    assert document["verdict"] == "holds"
    assert [row["probe"] for row in document["probes"]] == [f"C{n}" for n in range(1, 13)]
    assert document["probes"][2] == {
        "probe": "C3",
        "given": "live, its gate closed",
        "expected": {"status": "live_gate_closed", "gate": LIVE},
        "actual": {"status": "live_gate_closed", "gate": LIVE},
        "verdict": "holds",
        "note": None,
    }
    assert await contents(owner) == before


async def test_what_differs_goes_before_what_was_not_run(
    service: Service, owner: asyncpg.Connection
) -> None:
    await close(owner, LIVE, seal=True)
    sealed = (await service.operator.post("/observability/probes")).json()
    assert sealed["verdict"] == "not_run"
    await take_out(
        owner, "fn_iu_compose_prepare", "THEN 'invalid_emit_mode' END", "THEN 'invalid_input' END"
    )
    broken = (await service.operator.post("/observability/probes")).json()
    assert broken["verdict"] == "differs"
    assert {row["verdict"] for row in broken["probes"]} == {"holds", "differs", "not_run"}
