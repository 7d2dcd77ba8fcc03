"""`/retention/…`: exact JSON, and who may."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import ANY

import asyncpg
import httpx
import pytest

from tests.support.gates import LIVE, lease, open_gate, set_clock
from tests.support.http import Service, problem
from tests.support.interleaving import wait_until
from tests.support.retention import GATE, YEARS, count, rows, set_limits
from tests.support.retention import cleanup as clean_up

DAYS = {
    "command_record": 730,
    "delivery_attempts": 90,
    "ended_leases": 365,
    "stored_events": 365,
}


@pytest.fixture
async def leases(owner: asyncpg.Connection) -> None:
    """Three leases that may go, two a call, and the gate open."""
    await open_gate(owner, GATE)
    for _ in range(3):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 2)


def refusal(response: httpx.Response, code: str, **members: Any) -> Any:
    """The problem document that a response must be."""
    request_id = response.headers["x-request-id"]
    return problem(code, request_id, response.request.url.path, **members)


def refused_at(response: httpx.Response) -> list[str]:
    """The places for which an order is refused."""
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    return [error["pointer"] for error in response.json()["errors"]]


async def cleanup(client: httpx.AsyncClient, **members: Any) -> dict[str, Any]:
    """What a cleanup is answered."""
    answer = await client.post("/retention/cleanup", json=members)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def plan_of(document: dict[str, Any]) -> dict[str, Any]:
    """What names a plan."""
    return {name: document[name] for name in ("plan_digest", "planned_at")}


async def test_the_policies_are_listed_with_who_made_them(service: Service) -> None:
    answer = await service.viewer.get("/retention/policies")
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {
                "target": target,
                "keep_days": days,
                "enabled": True,
                "changed_at": ANY,
                "changed_by": "iu-core-migration",
                "reason": "kept for long by default",
            }
            for target, days in DAYS.items()
        ],
        "next_page_token": None,
    }
    first = (await service.viewer.get("/retention/policies", params={"limit": 3})).json()
    assert [item["target"] for item in first["items"]] == list(DAYS)[:3]
    rest = await service.viewer.get(
        "/retention/policies", params={"page_token": first["next_page_token"]}
    )
    assert [item["target"] for item in rest.json()["items"]] == list(DAYS)[3:]


async def test_a_policy_is_put(service: Service) -> None:
    path = "/retention/policies/stored_events"
    order = {"keep_days": 30, "enabled": False, "reason": "brokers keep a week"}
    answer = await service.admin.put(path, json=order)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "target": "stored_events",
            **order,
            "changed_at": ANY,
            "changed_by": "admin-bot",
            "changed": True,
        },
    )
    assert (await service.admin.put(path, json=order)).json()["changed"] is False
    listed = (await service.viewer.get("/retention/policies")).json()["items"]
    assert [item["keep_days"] for item in listed] == [730, 90, 365, 30]


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        ({"keep_days": 0, "reason": "x"}, "/keep_days"),
        ({"keep_days": 36_501, "reason": "x"}, "/keep_days"),
        ({"keep_days": 1}, "/reason"),
        ({"reason": "x"}, "/keep_days"),
        ({"keep_days": 1, "reason": "x", "target": "y"}, "/target"),
    ],
)
async def test_a_policy_that_can_not_be_is_refused_with_its_place(
    service: Service, order: dict[str, Any], pointer: str
) -> None:
    answer = await service.admin.put("/retention/policies/stored_events", json=order)
    assert refused_at(answer) == [pointer]


async def test_a_dry_run_is_the_default_and_needs_no_gate(service: Service) -> None:
    answer = await service.admin.post("/retention/cleanup", json={})
    assert answer.status_code == 200
    document = answer.json()
    at = datetime.fromisoformat(document["planned_at"])
    assert document == {
        "dry_run": True,
        "planned_at": ANY,
        "plan_digest": ANY,
        "complete": True,
        "begun_at": None,
        "begun_by": None,
        "rows_eligible": 0,
        "rows_deleted": 0,
        "segments_retired": [],
        "targets": [
            {
                "target": target,
                "enabled": True,
                "keep_days": days,
                "cutoff": (at - timedelta(days=days)).isoformat().replace("+00:00", "Z"),
                "oldest": None,
                "rows_eligible": 0,
                "rows_deleted": 0,
                "rows_gone": 0,
                "rows_left": 0,
                "more": False,
                "held": {},
            }
            for target, days in DAYS.items()
        ],
    }


async def test_a_plan_is_applied_call_by_call(
    service: Service, owner: asyncpg.Connection, leases: None
) -> None:
    plan = await cleanup(service.admin)
    assert (plan["rows_eligible"], plan["complete"]) == (3, False)
    first = await cleanup(service.admin, dry_run=False, reason="yearly", **plan_of(plan))
    assert first == {
        **plan,
        "dry_run": False,
        "rows_deleted": 2,
        "targets": [
            {**target, "rows_deleted": 2, "rows_left": 1}
            if target["target"] == "ended_leases"
            else target
            for target in plan["targets"]
        ],
    }
    second = await cleanup(service.admin, dry_run=False, **plan_of(plan))
    assert second == {
        **first,
        "complete": True,
        "begun_at": ANY,
        "begun_by": "admin-bot",
        "rows_deleted": 1,
        "targets": [
            {**target, "rows_deleted": 1, "rows_gone": 2, "rows_left": 0}
            if target["target"] == "ended_leases"
            else target
            for target in first["targets"]
        ],
    }
    assert await count(owner, "iu_gate_lease") == 0


async def test_two_who_apply_the_same_plan_at_once_delete_each_row_once(
    service: Service, owner: asyncpg.Connection, leases: None
) -> None:
    await set_limits(owner, 10, 10)
    plan = plan_of(await cleanup(service.admin))
    answers = await asyncio.gather(
        *(cleanup(service.admin, dry_run=False, **plan) for _ in range(2))
    )
    first, second = sorted(answers, key=lambda answer: -answer["rows_deleted"])
    assert [answer["rows_deleted"] for answer in (first, second)] == [3, 0]
    assert (first["begun_by"], second["begun_by"]) == (None, "admin-bot")
    assert [target["rows_gone"] for target in second["targets"]] == [0, 0, 3, 0]
    assert first["complete"] is second["complete"] is True


async def test_a_plan_of_which_a_row_went_otherwise_is_stale(
    service: Service, owner: asyncpg.Connection, leases: None
) -> None:
    plan = plan_of(await cleanup(service.admin))
    await cleanup(service.admin, dry_run=False)
    answer = await service.admin.post("/retention/cleanup", json={"dry_run": False, **plan})
    assert answer.status_code == 412
    assert answer.json() == refusal(answer, "plan_stale")
    assert await count(owner, "iu_gate_lease") == 1


async def test_a_closed_gate_is_said_with_how_to_open_it(
    service: Service, owner: asyncpg.Connection
) -> None:
    answer = await service.admin.post("/retention/cleanup", json={"dry_run": False})
    assert answer.status_code == 409
    assert answer.json() == refusal(
        answer, "retention_gate_closed", gate=GATE, resolve=f"/gates/{GATE}"
    )


@pytest.mark.parametrize(
    ("order", "pointer"),
    [
        ({"plan_digest": "0" * 64}, ""),
        ({"planned_at": "2026-03-06T17:00:00Z"}, ""),
        ({"plan_digest": "x", "planned_at": "2026-03-06T17:00:00Z"}, "/plan_digest"),
        ({"dry_run": "perhaps"}, "/dry_run"),
        ({"reason": "a\nb"}, "/reason"),
        ({"targets": []}, "/targets"),
    ],
)
async def test_an_order_that_says_nothing_sensible_is_refused_with_its_place(
    service: Service, order: dict[str, Any], pointer: str
) -> None:
    assert refused_at(await service.admin.post("/retention/cleanup", json=order)) == [pointer]


async def test_an_actor_that_the_key_may_not_use_is_refused(service: Service) -> None:
    for method, path, order in (
        ("POST", "/retention/cleanup", {}),
        ("PUT", "/retention/policies/stored_events", {"keep_days": 1, "reason": "x"}),
    ):
        answer = await service.admin.request(method, path, json={**order, "actor": "ops-anna"})
        assert (answer.status_code, answer.json()["code"]) == (403, "actor_not_allowed")


@pytest.mark.parametrize("what", ["a cleanup", "a policy"])
async def test_whoever_comes_second_waits_as_long_as_a_large_call_takes(
    what: str,
    service: Service,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    leases: None,
) -> None:
    """Longer than an ordinary call waits for a lock: a large plan is made within its call."""
    plan = plan_of(await cleanup(service.admin))
    order = {"dry_run": False, **plan, "reason": "x"}
    transaction = owner.transaction()
    await transaction.start()
    assert rows(await clean_up(owner, plan)) == {"ended_leases": 2}
    if what == "a cleanup":
        late = asyncio.create_task(service.admin.post("/retention/cleanup", json=order))
    else:
        policy = {"keep_days": 400, "reason": "x"}
        late = asyncio.create_task(
            service.admin.put("/retention/policies/ended_leases", json=policy)
        )

    async def waits_for_long() -> bool:
        assert not late.done(), late.result().text
        waits: bool = await observer.fetchval(
            """SELECT EXISTS (SELECT FROM pg_locks
                               WHERE NOT granted
                                 AND clock_timestamp() - waitstart > interval '2.5 seconds')"""
        )
        return waits

    await wait_until(waits_for_long, "it waits")
    await transaction.commit()
    answer = await late
    assert answer.status_code == 200, answer.text
    if what == "a cleanup":
        (taken,) = [t for t in answer.json()["targets"] if t["target"] == "ended_leases"]
        assert (taken["rows_gone"], taken["rows_deleted"]) == (2, 1)
        assert answer.json()["begun_by"] == "ops-anna"
