"""Retention: what the policies let go of attempts, leases and events, and what must stay."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support import events
from tests.support.audit import runs
from tests.support.composing import Item, compose
from tests.support.delivery import (
    claim,
    deliveries,
    facts,
    finish,
    make_route,
    open_boundary,
    replay,
)
from tests.support.gates import BY, LIVE, close, history, lease, open_gate, set_clock
from tests.support.retention import (
    GATE,
    YEARS,
    cleanup,
    count,
    dry_run,
    put_policy,
    rows,
    set_limits,
)
from tests.support.rollback import by_actor
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

TARGETS = ["command_record", "delivery_attempts", "ended_leases", "stored_events"]


@pytest.fixture
async def gate(owner: asyncpg.Connection) -> None:
    """The gate of retention, open."""
    await open_gate(owner, GATE)


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    return await make_template(owner)


# ------------------------------------------------------------------------- the contract's names


async def test_a_dry_run_of_an_untouched_database_names_four_targets_and_nothing_to_delete(
    app_conn: asyncpg.Connection,
) -> None:
    answer = await app_conn.fetchval("SELECT iu_core.fn_iu_core_retention_cleanup('iu-core-x')")
    assert answer["status"] == "ok"
    assert (answer["dry_run"], answer["complete"]) == (True, True)
    assert (answer["rows_eligible"], answer["rows_deleted"]) == (0, 0)
    assert [
        (t["target"], t["enabled"], t["keep_days"], t["rows_eligible"], t["rows_deleted"])
        for t in answer["targets"]
    ] == [
        ("command_record", True, 730, 0, 0),
        ("delivery_attempts", True, 90, 0, 0),
        ("ended_leases", True, 365, 0, 0),
        ("stored_events", True, 365, 0, 0),
    ]


async def test_the_contract_has_two_arguments_and_asks_the_gate(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert await owner.fetchval(
        "SELECT to_regprocedure('iu_core.fn_iu_core_retention_cleanup(text, boolean)') IS NOT NULL"
    )
    sql = "SELECT iu_core.fn_iu_core_retention_cleanup($1, $2)"
    assert await app_conn.fetchval(sql, "iu-core-x", False) == {
        "status": "retention_gate_closed",
        "gate": GATE,
    }
    await lease(owner, GATE, for_actor="iu-core-x")
    assert (await app_conn.fetchval(sql, "iu-core-x", False))["complete"] is True
    assert (await app_conn.fetchval(sql, "iu-core-y", False))["status"] == "retention_gate_closed"
    assert (await app_conn.fetchval(sql, "No Actor", None))["status"] == "invalid_input"
    (run,) = await runs(owner, command="cleanup_retention", outcome="done")
    assert (run["actor"], run["counts"]) == ("iu-core-x", dict.fromkeys(TARGETS, 0))
    assert run["principal"].startswith("sql:")
    assert len(run["lease_ids"]) == 1


async def test_input_that_says_nothing_sensible_is_refused_at_once(
    app_conn: asyncpg.Connection,
) -> None:
    answer = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_retention_cleanup(false, 'x', NULL, E'a\\nb', '', 'test', NULL)"
    )
    assert answer["status"] == "invalid_input"
    assert [error["pointer"] for error in answer["errors"]] == [
        "/plan_digest",
        "/planned_at",
        "/reason",
        "/actor",
    ]


# --------------------------------------------------------------------------------- policies


async def test_a_policy_is_put_and_the_run_tells_what_it_was_before(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert await put_policy(app_conn, "stored_events", 30) == {
        "status": "ok",
        "changed": True,
        "target": "stored_events",
    }
    assert (await put_policy(app_conn, "stored_events", 30))["changed"] is False
    row = await one_row(
        owner, "SELECT * FROM iu_core.v_iu_retention_policy WHERE target = 'stored_events'"
    )
    assert (row["keep_days"], row["enabled"], row["changed_by"], row["revision"]) == (
        30,
        True,
        BY[0],
        2,
    )
    first, second = await runs(owner, command="put_retention_policy")
    assert first["details"] == {
        "target": "stored_events",
        "changed": True,
        "keep_days": 30,
        "enabled": True,
        "reason": "test",
        "before": {"keep_days": 365, "enabled": True},
    }
    assert second["details"]["before"] == {"keep_days": 30, "enabled": True}


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        ({"keep_days": 0}, "/keep_days"),
        ({"keep_days": 36_501}, "/keep_days"),
        ({"keep_days": None}, "/keep_days"),
        ({"keep_days": 1, "enabled": None}, "/enabled"),
        ({"keep_days": 1, "reason": ""}, "/reason"),
    ],
)
async def test_a_policy_that_can_not_be_is_refused(
    app_conn: asyncpg.Connection, arguments: dict[str, Any], pointer: str
) -> None:
    answer = await put_policy(app_conn, "stored_events", **arguments)
    assert (answer["status"], [e["pointer"] for e in answer["errors"]]) == (
        "invalid_input",
        [pointer],
    )


async def test_there_is_no_fifth_target(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert await put_policy(app_conn, "templates", 1) == {
        "status": "retention_policy_not_found",
        "target": "templates",
    }
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("INSERT INTO iu_core.iu_core_retention_policy VALUES ('templates', 1)")


# ----------------------------------------------------------------------------------- leases


async def test_leases_go_once_they_have_been_over_for_long_and_the_history_stays(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    taken = await lease(owner, LIVE, seconds=60)
    told = await history(owner, LIVE)
    over = datetime.fromisoformat(taken["expires_at"])
    await owner.execute("UPDATE iu_core.iu_core_retention_policy SET keep_days = 10")

    for ahead, eligible in ((timedelta(days=10), 0), (timedelta(days=10, seconds=90), 1)):
        await set_clock(owner, ahead)
        plan = await dry_run(app_conn)
        (target,) = [t for t in plan["targets"] if t["target"] == "ended_leases"]
        assert target["rows_eligible"] == eligible
        assert datetime.fromisoformat(target["cutoff"]) == datetime.fromisoformat(
            plan["planned_at"]
        ) - timedelta(days=10)
    assert datetime.fromisoformat(target["oldest"]) == over
    assert await count(owner, "iu_gate_lease") == 1

    assert rows(await cleanup(app_conn)) == {"ended_leases": 1}
    assert await count(owner, "iu_gate_lease") == 0
    assert await history(owner, LIVE) == told


async def test_a_lease_of_which_no_history_tells_stays(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    await owner.execute(
        """INSERT INTO iu_core.iu_gate_lease
                  (gate_key, epoch, opened_by, reason, opened_at, expires_at)
           VALUES ($1, 0, 'x', '', now(), now())""",
        LIVE,
    )
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn)) == {}
    assert await count(owner, "iu_gate_lease") == 1


async def test_a_target_that_is_disabled_is_kept(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    await lease(owner, LIVE, seconds=60)
    await put_policy(app_conn, "ended_leases", 1, enabled=False)
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (answer["rows_eligible"], answer["complete"]) == (0, True)
    assert await count(owner, "iu_gate_lease") == 1


# --------------------------------------------------------------------------------- attempts


@pytest.fixture
async def route(owner: asyncpg.Connection, template: Template, gate: None) -> UUID:
    """An outbound route for everything, all three layers open."""
    await open_boundary(owner)
    return await make_route(owner)


async def test_attempts_go_of_messages_that_have_arrived_and_messages_stay(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await facts(owner, template, 2)
    assert await finish(owner, await claim(owner)) == ["delivered", "delivered"]
    await set_clock(owner, timedelta(days=89))
    assert rows(await cleanup(app_conn)) == {}
    await set_clock(owner, timedelta(days=91))
    assert rows(await cleanup(app_conn)) == {"delivery_attempts": 2}
    assert await count(owner, "iu_route_attempt") == 0
    assert await deliveries(owner) == {"delivered": 2}
    assert await count(owner, "event_outbox") == 2
    # That it was delivered still stands in the way of a rollback.
    assert (await by_actor(owner, "hr-bot"))["status"] == "rollback_blocked"


async def test_attempts_stay_of_messages_that_are_to_be_sent_are_on_the_wire_or_dead(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await facts(owner, template, 3)
    failed, dead, _on_the_wire = await claim(owner, lease_s=86400 * 1000)
    assert await finish(owner, [failed, dead], "failed", 500) == ["pending", "pending"]
    await set_clock(owner, timedelta(minutes=1))
    again = await claim(owner)
    assert await finish(
        owner, [one for one in again if one["outbox_id"] == dead["outbox_id"]], "failed", 410
    ) == ["dead"]
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (answer["rows_eligible"], answer["rows_deleted"]) == (0, 0)
    assert await count(owner, "iu_route_attempt") == 5


async def test_attempts_stay_along_a_route_on_which_it_is_dead_though_it_arrived_along_another(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await open_boundary(owner, "hr", "crm")
    other = await make_route(owner, "crm")
    await facts(owner, template)
    claimed = {one["route_id"]: one for one in await claim(owner)}
    assert await finish(owner, [claimed[route]]) == ["delivered"]
    assert await finish(owner, [claimed[other]], "failed", 500) == ["pending"]
    await set_clock(owner, timedelta(minutes=1))
    assert await finish(owner, await claim(owner), "failed", 410) == ["dead"]
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (answer["rows_eligible"], rows(answer)) == (1, {"delivery_attempts": 1})
    left = await owner.fetch("SELECT DISTINCT route_id FROM iu_core.iu_route_attempt")
    assert [row["route_id"] for row in left] == [other]
    assert await count(owner, "iu_route_attempt") == 2


async def test_the_last_attempt_of_a_dead_letter_stays_also_after_it_was_delivered(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await facts(owner, template)
    (first,) = await claim(owner)
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 10")
    assert await finish(owner, [first], "failed", 500) == ["dead"]
    assert (await replay(owner, route))["due"] == 1
    assert await finish(owner, await claim(owner)) == ["delivered"]
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn)) == {"delivery_attempts": 1}
    assert (
        await owner.fetchval("SELECT attempt_id FROM iu_core.iu_route_attempt")
        == (first["attempt_id"])
    )
    assert await count(owner, "v_iu_route_dead_letter") == 1


async def test_attempts_go_of_what_was_rolled_back_and_its_tombstone_stays(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await facts(owner, template)
    assert await finish(owner, await claim(owner), "not_sent", None) == ["pending"]
    assert (await by_actor(owner, "hr-bot"))["status"] == "ok"
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn)) == {"delivery_attempts": 1}
    assert await count(owner, "iu_instance_tombstone") == 1


async def test_what_is_sent_again_after_the_plan_stays(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, route: UUID
) -> None:
    await facts(owner, template, 2)
    await finish(owner, await claim(owner))
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)
    begun = await cleanup(app_conn)
    assert (rows(begun), begun["complete"]) == ({"delivery_attempts": 1}, False)
    assert (await cleanup(app_conn, begun, dry_run=True))["complete"] is False
    assert (await replay(owner, route, delivered=True))["due"] == 2
    ended = await cleanup(app_conn, begun)
    assert (rows(ended), ended["complete"]) == ({}, True)
    assert rows(ended, "rows_left") == rows(ended, "rows_gone") == {"delivery_attempts": 1}
    assert await count(owner, "iu_route_attempt") == 1
    looked = await cleanup(app_conn, begun, dry_run=True)
    assert (looked["complete"], rows(looked, "rows_left")) == (True, {"delivery_attempts": 1})


# ----------------------------------------------------------------------------------- events


async def taken(owner: asyncpg.Connection, template: Template) -> tuple[Any, dict[str, Any]]:
    """An event that came in and took the route `onboarding`, and its answer."""
    route = await owner.fetchval("SELECT route_id FROM iu_core.v_iu_event_route LIMIT 1")
    if route is None:
        route = await events.make_route(owner, template)
    event = events.an_event(await events.edition(owner), events.a_firing(route, template))
    (answer,) = await events.take(owner, event)
    return event, answer


async def test_events_go_with_what_came_of_them_and_a_redelivery_replays(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, gate: None
) -> None:
    event, answer = await taken(owner, template)
    (result,) = answer["results"]
    assert result["outcome"] == "composed"
    await set_clock(owner, timedelta(days=364))
    assert rows(await cleanup(app_conn)) == {}
    await set_clock(owner, timedelta(days=366))
    assert rows(await cleanup(app_conn)) == {"stored_events": 1}
    assert (await count(owner, "iu_event"), await count(owner, "iu_event_result")) == (0, 0)

    (again,) = await events.take(owner, replace(event, request_id=uuid4()))
    assert again["status"] == "accepted"
    assert [(r["outcome"], r["instance_collection_id"]) for r in again["results"]] == [
        ("replayed", result["instance_collection_id"])
    ]
    assert await count(owner, "iu_auto_instantiate_event_log") == 1


async def test_a_redelivery_of_what_was_rolled_back_does_not_compose(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, gate: None
) -> None:
    event, _ = await taken(owner, template)
    assert (await by_actor(owner, "hr-bot"))["status"] == "ok"
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn)) == {"stored_events": 1}
    assert await count(owner, "iu_instance_tombstone") == 1
    (again,) = await events.take(owner, replace(event, request_id=uuid4()))
    assert [(r["outcome"], r["code"]) for r in again["results"]] == [("refused", "rolled_back")]
    assert await count(owner, "iu_auto_instantiate_event_log") == 0


async def test_an_event_stays_as_long_as_a_route_of_it_can_be_fired_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, gate: None
) -> None:
    await close(owner, "iu_core.composer_enabled")
    _, answer = await taken(owner, template)
    (result,) = answer["results"]
    assert result["outcome"] == "refused"
    await set_clock(owner, YEARS)
    assert (await cleanup(app_conn))["rows_eligible"] == 0

    # Something has come of it now: from this day on it is kept as long as any.
    await open_gate(owner, "iu_core.composer_enabled")
    await owner.execute(
        "UPDATE iu_core.iu_event_result SET outcome = 'composed', fired_at = iu_core.fn_iu_now()"
    )
    assert (await cleanup(app_conn))["rows_eligible"] == 0
    await set_clock(owner, YEARS + timedelta(days=366))
    assert rows(await cleanup(app_conn))["stored_events"] == 1


# ------------------------------------------------------------------------------------ plans


async def test_a_plan_deletes_exactly_what_it_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    await lease(owner, LIVE, seconds=60)
    await set_clock(owner, timedelta(days=200))
    await lease(owner, LIVE, seconds=60)
    await set_clock(owner, timedelta(days=400))
    plan = await dry_run(app_conn)
    assert rows(plan, "rows_eligible") == {"ended_leases": 1}
    assert await owner.fetchval("SELECT count(*) FROM iu_core.iu_gate_lease") == 2

    await set_clock(owner, timedelta(days=600))
    assert rows(await dry_run(app_conn), "rows_eligible")["ended_leases"] == 2
    answer = await cleanup(app_conn, plan)
    assert (rows(answer), answer["complete"]) == ({"ended_leases": 1}, True)
    assert (answer["planned_at"], answer["plan_digest"]) == (
        plan["planned_at"],
        plan["plan_digest"],
    )
    assert await count(owner, "iu_gate_lease") == 1


@pytest.mark.parametrize("moved", ["a row", "a policy", "another time", "a time to come"])
async def test_a_plan_whose_ground_has_moved_deletes_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None, moved: str
) -> None:
    for _ in range(2):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, timedelta(days=400))
    plan = await dry_run(app_conn)
    if moved == "a row":
        await owner.execute(
            """DELETE FROM iu_core.iu_gate_lease
                WHERE lease_id = (SELECT min(lease_id::text)::uuid FROM iu_core.iu_gate_lease)"""
        )
    elif moved == "a policy":
        await put_policy(app_conn, "stored_events", 366)
    else:
        days = 1 if moved == "another time" else 0
        at = datetime.fromisoformat(plan["planned_at"]) - timedelta(days=days)
        plan["planned_at"] = (at if days else at + timedelta(days=900)).isoformat()
    there = await count(owner, "iu_gate_lease")
    assert await cleanup(app_conn, plan) == {"status": "plan_stale"}
    assert await count(owner, "iu_gate_lease") == there


async def test_nobody_can_plan_with_a_time_to_come(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    """The digest can be computed by anybody; what the policies keep is kept all the same."""
    await lease(owner, LIVE, seconds=60)
    plan = await owner.fetchval(
        "SELECT iu_core.fn_iu_retention_plan(iu_core.fn_iu_now() + interval '800 days')"
    )
    assert {t["target"]: t["rows_eligible"] for t in plan["targets"]}["ended_leases"] == 1
    assert await cleanup(app_conn, plan) == {"status": "plan_stale"}
    assert await count(owner, "iu_gate_lease") == 1


async def test_a_plan_that_was_begun_is_not_that_of_another_time(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    for _ in range(2):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)
    begun = await cleanup(app_conn)
    at = datetime.fromisoformat(begun["planned_at"]) - timedelta(seconds=1)
    assert await cleanup(app_conn, {**begun, "planned_at": at.isoformat()}) == {
        "status": "plan_stale"
    }
    assert await count(owner, "iu_gate_lease") == 1


async def test_a_policy_that_is_changed_meanwhile_stops_a_plan(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    for _ in range(2):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)
    begun = await cleanup(app_conn)
    assert (rows(begun), begun["complete"]) == ({"ended_leases": 1}, False)
    await put_policy(app_conn, "ended_leases", 365, enabled=False)
    assert await cleanup(app_conn, begun) == {"status": "plan_stale"}
    assert await count(owner, "iu_gate_lease") == 1
    # As it was planned, so it may go on.
    await put_policy(app_conn, "ended_leases", 365)
    assert rows(await cleanup(app_conn, begun)) == {"ended_leases": 1}


async def test_a_plan_names_so_many_and_says_that_there_are_more(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    for _ in range(5):
        await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    await set_limits(owner, 3, 2)
    first = await cleanup(app_conn)
    assert (rows(first), rows(first, "rows_left"), first["complete"]) == (
        {"ended_leases": 2},
        {"ended_leases": 1},
        False,
    )
    assert rows(first, "more") == {"ended_leases": True}
    second = await cleanup(app_conn, first)
    assert (rows(second), second["complete"]) == ({"ended_leases": 1}, True)
    assert (second["begun_by"], rows(second, "rows_gone")) == (BY[0], {"ended_leases": 2})
    assert await count(owner, "iu_gate_lease") == 2
    third = await cleanup(app_conn)
    assert (rows(third), third["complete"], rows(third, "more")) == (
        {"ended_leases": 2},
        True,
        {},
    )


async def test_a_call_that_comes_twice_is_answered_as_the_first_time(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    plan = await dry_run(app_conn)
    request = uuid4()
    first = await cleanup(app_conn, plan, request_id=request)
    assert rows(first) == {"ended_leases": 1}
    assert await cleanup(app_conn, plan, request_id=request) == first
    later = await cleanup(app_conn, plan)
    assert (rows(later), rows(later, "rows_gone")) == ({}, {"ended_leases": 1})


async def test_what_was_done_and_what_was_only_tried_is_recorded(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, gate: None
) -> None:
    await lease(owner, LIVE, seconds=60)
    await set_clock(owner, YEARS)
    plan = await dry_run(app_conn)
    answer = await cleanup(app_conn, plan, reason="the yearly cleanup")
    tried, done = await runs(owner, command="cleanup_retention")
    assert (tried["outcome"], tried["code"]) == ("dry_run", "ok")
    assert tried["details"] == {k: v for k, v in plan.items() if k != "status"}
    assert (done["outcome"], done["code"], done["actor"]) == ("done", "ok", BY[0])
    assert done["counts"] == {**dict.fromkeys(TARGETS, 0), "ended_leases": 1}
    named = done["details"].pop("plan")
    assert named["plan_digest"] == plan["plan_digest"]
    assert done["details"] == {
        **{k: v for k, v in answer.items() if k != "status"},
        "reason": "the yearly cleanup",
    }


async def test_composing_goes_on_unharmed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, gate: None
) -> None:
    item = Item(template.key)
    await compose(owner, item)
    await set_clock(owner, YEARS)
    await cleanup(app_conn)
    item.request_id = uuid4()
    (again,) = await compose(owner, item)
    assert again["status"] == "idempotent_replay"
