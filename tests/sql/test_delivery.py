"""What leaves, when, and what becomes of it."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.delivery import (
    COMPOSED,
    ROLLED_BACK,
    claim,
    deliveries,
    facts,
    finish,
    lane,
    make_route,
    open_boundary,
    put_route,
    replay,
)
from tests.support.gates import set_clock
from tests.support.rollback import Selectors, apply, by_actor, plan
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template

PAUSES = ["5 s", "5 min", "30 min", "2 h", "5 h", "10 h", "14 h", "20 h", "24 h"]


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, all three layers open for the route `hr`."""
    await open_boundary(owner)
    return await make_template(owner)


async def attempts(owner: asyncpg.Connection) -> list[tuple[int, str | None]]:
    """Every attempt: which of its message it is, and its outcome."""
    rows = await owner.fetch(
        "SELECT attempt, outcome FROM iu_core.iu_route_attempt ORDER BY started_at, attempt"
    )
    return [(row["attempt"], row["outcome"]) for row in rows]


async def test_a_message_is_claimed_with_all_that_it_takes_to_send_it(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    (instance,) = await facts(owner, template)
    (claimed,) = await claim(app_conn)
    message = await owner.fetchrow("SELECT * FROM iu_core.event_outbox")
    assert message is not None
    assert claimed == {
        "subject_id": instance,
        "outbox_id": message["outbox_id"],
        "route_id": route,
        "attempt_id": claimed["attempt_id"],
        "attempt": 1,
        "sequence": 1,
        "event_type": COMPOSED,
        "created_at": message["created_at"],
        "payload": message["payload"],
        "depth": 1,
        "route_name": "hr",
        "endpoint": "https://hr.example/hook",
        "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    }
    assert await attempts(owner) == [(1, None)]
    assert await claim(app_conn) == []
    assert await finish(app_conn, [claimed]) == ["delivered"]
    assert await attempts(owner) == [(1, "delivered")]
    assert await owner.fetchval("SELECT delivered_at IS NOT NULL FROM iu_core.event_outbox")
    assert await finish(app_conn, [claimed]) == [None]


@pytest.mark.parametrize("closed", ["lane", "enabled", "live", "gate"])
async def test_one_closed_layer_keeps_everything_inside(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template, closed: str
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template)
    boundary = await owner.fetchval("SELECT iu_core.fn_iu_boundary()")
    assert (boundary["internal_only_holds"], boundary["pending"]) == (False, 1)
    match closed:
        case "lane":
            await owner.execute("UPDATE iu_core.event_type_registry SET delivery_lane = 'delayed'")
        case "enabled":
            await put_route(app_conn, route_id=route, enabled=False)
        case "live":
            await open_boundary(owner, "another")
        case "gate":
            await close_gates(owner)
    assert await claim(app_conn) == []
    assert (await owner.fetchval("SELECT iu_core.fn_iu_boundary()"))["internal_only_holds"] is True
    assert await attempts(owner) == []


async def test_a_lease_opens_the_gate_of_delivery_for_a_while(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    await close_gates(owner)
    lease = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_gate_lease('iu_core.delivery_enabled', NULL, NULL, 60, 'test',"
        " 'ops-anna', 'test', gen_random_uuid())"
    )
    assert lease["status"] == "ok"
    (claimed,) = await claim(app_conn)
    assert await finish(app_conn, [claimed]) == ["delivered"]


async def test_a_route_gets_what_is_committed_after_it_was_enabled(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await facts(owner, template)
    route = await make_route(app_conn)
    (second,) = await facts(owner, template)
    assert await deliveries(owner) == {"pending": 1}
    await put_route(app_conn, route_id=route, enabled=False)
    await facts(owner, template)
    assert await deliveries(owner) == {"pending": 1}
    await put_route(app_conn, route_id=route, enabled=True)
    assert await claim(app_conn) == [], "what is from before it was enabled is replayed, or stays"
    (fourth,) = await facts(owner, template)
    assert [one["subject_id"] for one in await claim(app_conn)] == [fourth]
    assert second != fourth


async def test_a_route_gets_the_types_that_it_is_for(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    for name, pattern in (("a", COMPOSED), ("b", "iu.template.*"), ("c", "iu.unit.*"), ("d", "*")):
        await make_route(app_conn, name, pattern=pattern)
    await open_boundary(owner, "a", "b", "c", "d")
    await facts(owner, template)
    assert sorted(one["route_name"] for one in await claim(app_conn)) == ["a", "b", "d"]


async def test_what_fails_is_tried_ten_times_over_three_days_and_is_a_dead_letter_then(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    ahead = timedelta()
    for number, pause in enumerate(PAUSES, start=1):
        (claimed,) = await claim(app_conn)
        assert claimed["attempt"] == number
        assert await finish(app_conn, [claimed], "failed", None, "timed_out") == ["pending"]
        shortest = await owner.fetchval("SELECT $1::text::interval", pause)
        wait = await owner.fetchval(
            "SELECT due_at - iu_core.fn_iu_now() FROM iu_core.iu_route_delivery"
        )
        assert shortest - timedelta(seconds=5) < wait <= shortest * 1.2
        ahead += shortest * 1.2
        await set_clock(owner, ahead)
    (last,) = await claim(app_conn)
    assert await finish(app_conn, [last], "failed", 503, "answered") == ["dead"]
    assert timedelta(days=3) < ahead < timedelta(days=4)
    letter = await owner.fetchrow("SELECT * FROM iu_core.v_iu_route_dead_letter")
    assert letter is not None
    assert (letter["attempts"], letter["http_status"], letter["answer"]) == (10, 503, "an answer")
    assert await claim(app_conn) == []


async def test_an_endpoint_may_ask_for_more_time_up_to_a_day(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 2)
    hour, ages = await claim(app_conn)
    await finish(app_conn, [hour], "failed", 429, "answered", retry_after_s=3600)
    await finish(app_conn, [ages], "failed", 429, "answered", retry_after_s=10**8)
    rows = await owner.fetch(
        "SELECT due_at - iu_core.fn_iu_now() AS wait FROM iu_core.iu_route_delivery ORDER BY 1"
    )
    assert [round(row["wait"] / timedelta(hours=1)) for row in rows] == [1, 24]


async def test_an_endpoint_that_is_gone_disables_its_route(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 2)
    (gone,) = await claim(app_conn, most=1)
    assert await finish(app_conn, [gone], "failed", 410, "answered") == ["dead"]
    route = await owner.fetchrow("SELECT * FROM iu_core.v_iu_outbound_route")
    assert route is not None
    assert (route["enabled"], route["reason"]) == (False, "its endpoint answered 410 Gone")
    assert route["disabled_by_answer"] is not None
    assert await claim(app_conn) == []


async def test_an_attempt_that_nothing_was_heard_of_is_abandoned_and_made_again(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    (lost,) = await claim(app_conn, lease_s=60)
    await set_clock(owner, timedelta(seconds=61))
    (again,) = await claim(app_conn, worker="another")
    assert (again["outbox_id"], again["attempt"]) == (lost["outbox_id"], 2)
    assert await attempts(owner) == [(1, "abandoned"), (2, None)]
    # The first comes back after all: it is written down, and decides nothing.
    assert await finish(app_conn, [lost], "failed", 500, "answered") == [None]
    assert await attempts(owner) == [(1, "failed"), (2, None)]
    assert await finish(app_conn, [again]) == ["delivered"]


async def test_a_route_has_no_more_on_the_wire_than_it_may(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    slow = await make_route(app_conn, "slow")
    await make_route(app_conn, "fast")
    await open_boundary(owner, "slow", "fast")
    await facts(owner, template, 6)
    first = await claim(app_conn, per_route=2)
    assert Counter(one["route_name"] for one in first) == {"slow": 2, "fast": 2}
    second = await claim(app_conn, per_route=2, busy={slow: 2})
    assert Counter(one["route_name"] for one in second) == {"fast": 2}
    assert len(await claim(app_conn, most=3)) == 3


async def test_chains_of_events_are_counted(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    event = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_event
                  (event_id, received_at, rules_revision, depth, source, cloudevent_id, event_type,
                   is_inert, channel, actor, principal, content_digest, content, travelled)
           VALUES ($1, now(), 1, 3, '/f', '1', 't', false, 'http', 'hr', 'test', '', '{}', '{}')""",
        event,
    )
    await compose(owner, Item(template.key, event_id=event))
    assert [one["depth"] for one in await claim(app_conn)] == [4]


async def test_an_instance_that_is_composed_again_goes_on_counting(
    owner: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    await compose(owner, item)
    for _ in range(2):
        await by_actor(owner, "hr-bot", release_keys=True)
        await compose(owner, replace(item, request_id=uuid4()))
    rows = await owner.fetch(
        "SELECT sequence, event_type FROM iu_core.event_outbox ORDER BY sequence"
    )
    assert [(row["sequence"], row["event_type"]) for row in rows] == [
        (1, COMPOSED),
        (2, ROLLED_BACK),
        (3, COMPOSED),
        (4, ROLLED_BACK),
        (5, COMPOSED),
    ]


async def test_a_rollback_keeps_what_is_unsent_inside_and_tells_of_itself(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    answer = await by_actor(app_conn, "hr-bot")
    assert answer["status"] == "ok", answer
    assert await deliveries(owner) == {"cancelled": 1, "pending": 1}
    (told,) = await claim(app_conn)
    assert (told["event_type"], told["sequence"]) == (ROLLED_BACK, 2)


@pytest.mark.parametrize("how", ["on the wire", "failed", "delivered"])
async def test_a_message_that_may_have_left_stands_against_a_rollback(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template, how: str
) -> None:
    await make_route(app_conn)
    (instance,) = await facts(owner, template)
    (claimed,) = await claim(app_conn)
    if how != "on the wire":
        await finish(app_conn, [claimed], how)
    selectors = Selectors(actor="hr-bot")
    planned = await plan(app_conn, selectors)
    blocked = await apply(app_conn, selectors, planned)
    assert (blocked["status"], blocked["blockers"]) == (
        "rollback_blocked",
        [{"instance_collection_id": str(instance), "reason": "delivered"}],
    )
    before = await deliveries(owner)
    assert before == {"delivered" if how == "delivered" else "pending": 1}
    removed = await apply(app_conn, selectors, planned, acknowledge_delivered=True)
    assert removed["deleted"] == 1
    if how == "on the wire":
        assert await finish(app_conn, [claimed]) == [None]
        assert await attempts(owner) == [(1, "delivered")]
    assert [one["sequence"] for one in await claim(app_conn)] == [2]


async def test_what_can_not_have_left_does_not_stand_against_a_rollback(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    (claimed,) = await claim(app_conn)
    await finish(app_conn, [claimed], "not_sent", None, "connect_failed")
    assert (await by_actor(app_conn, "hr-bot"))["status"] == "ok"


async def test_without_routes_nothing_is_to_be_delivered(
    owner: asyncpg.Connection, template: Template
) -> None:
    await facts(owner, template, 3)
    assert await deliveries(owner) == {}
    assert await owner.fetchval("SELECT count(*) FROM iu_core.event_outbox") == 3


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_probe_tells_what_a_message_would_cause_and_leaves_nothing(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template, is_open: bool
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    if not is_open:
        await close_gates(owner)
    before = await deliveries(owner)
    probe = await app_conn.fetchval("SELECT iu_core.fn_iu_boundary_probe()")
    assert probe == {"attempts": int(is_open), "internal_only_holds": not is_open}
    assert await deliveries(owner) == before
    assert await attempts(owner) == []
    assert await owner.fetchval("SELECT count(*) FROM iu_core.event_outbox") == 1


async def test_a_route_sends_nothing_that_it_is_for_no_more(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template)
    await put_route(app_conn, route_id=route, pattern=ROLLED_BACK)
    assert await claim(app_conn) == []
    assert (await owner.fetchval("SELECT iu_core.fn_iu_boundary()"))["pending"] == 1


async def test_what_a_killed_worker_had_can_be_replayed_after_its_route_was_enabled_anew(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template)
    (lost,) = await claim(app_conn, lease_s=60)
    for enabled in (False, True):
        await put_route(app_conn, route_id=route, enabled=enabled)
    assert await claim(app_conn) == []
    assert (await replay(app_conn, route))["due"] == 0, "it is on the wire"
    await set_clock(owner, timedelta(seconds=61))
    assert (await replay(app_conn, route))["due"] == 1
    (again,) = await claim(app_conn)
    assert (again["outbox_id"], again["attempt"]) == (lost["outbox_id"], 1)
    assert await attempts(owner) == [(1, "abandoned"), (1, None)]


async def test_what_is_lost_is_on_the_wire_no_more_also_while_the_gate_is_closed(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 2)
    await claim(app_conn, lease_s=60)
    await close_gates(owner)
    assert await owner.fetchval("SELECT iu_core.fn_iu_delivery_on_the_wire()") == 2
    await set_clock(owner, timedelta(seconds=61))
    assert await owner.fetchval("SELECT iu_core.fn_iu_delivery_on_the_wire()") == 0
    assert await claim(app_conn) == []
    assert await attempts(owner) == [(1, "abandoned")] * 2


async def test_a_probe_is_not_lost_in_a_crowd(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template, 5)
    await lane(owner, COMPOSED, "delayed")
    probe = await app_conn.fetchval("SELECT iu_core.fn_iu_boundary_probe()")
    assert probe == {"attempts": 1, "internal_only_holds": False}


async def test_an_endpoint_that_was_left_does_not_disable_the_one_that_came_after_it(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template)
    (old,) = await claim(app_conn)
    await put_route(app_conn, route_id=route, endpoint="https://new.example/hook")
    assert await finish(app_conn, [old], "failed", 410, "answered") == ["dead"]
    assert await owner.fetchval("SELECT enabled FROM iu_core.v_iu_outbound_route")


async def test_the_boundary_counts_what_may_still_leave(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn)
    await facts(owner, template, 3)
    boundary = await owner.fetchval("SELECT iu_core.fn_iu_boundary()")
    assert (boundary["pending"], boundary["routes"]["closed"], boundary["gate"]["closed"]) == (
        3,
        False,
        False,
    )
    await put_route(app_conn, route_id=route, enabled=False)
    await close_gates(owner)
    boundary = await owner.fetchval("SELECT iu_core.fn_iu_boundary()")
    assert (boundary["pending"], boundary["routes"]["closed"], boundary["gate"]["closed"]) == (
        0,
        True,
        True,
    )


async def test_what_was_rolled_back_leaves_by_no_replay(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    first, second = await make_route(app_conn, "a"), await make_route(app_conn, "b")
    await open_boundary(owner, "a", "b")
    await facts(owner, template)
    one, other = sorted(await claim(app_conn), key=lambda each: str(each["route_name"]))
    await finish(app_conn, [one])
    await finish(app_conn, [other], "failed", 410, "answered")
    await put_route(app_conn, "b", route_id=second, enabled=True)
    selectors = Selectors(actor="hr-bot")
    planned = await plan(app_conn, selectors)
    await apply(app_conn, selectors, planned, acknowledge_delivered=True)
    for route in (first, second):
        assert (await replay(app_conn, route, delivered=True))["due"] == 0
    letters = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_dead_letters_replay($1, NULL, NULL, NULL, 100, false, 'test', 'ops',"
        " 'test', gen_random_uuid())",
        second,
    )
    assert (letters["letters"], letters["due"]) == (0, 0)
    assert await owner.fetch("SELECT FROM iu_core.v_iu_route_dead_letter") == []
    assert {one["sequence"] for one in await claim(app_conn)} == {2}


async def test_what_is_lost_ten_times_is_a_dead_letter(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    for number in range(1, 11):
        assert [one["attempt"] for one in await claim(app_conn, lease_s=60)] == [number]
        await set_clock(owner, timedelta(seconds=61 * number))
    assert await claim(app_conn) == []
    assert await deliveries(owner) == {"dead": 1}
    assert await attempts(owner) == [(number, "abandoned") for number in range(1, 11)]
    assert await owner.fetchval("SELECT attempts FROM iu_core.v_iu_route_dead_letter") == 10


async def test_earlier_attempts_keep_what_came_of_them(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    await finish(app_conn, await claim(app_conn), "failed", 500, "answered")
    await set_clock(owner, timedelta(seconds=10))
    await claim(app_conn, lease_s=60)
    await set_clock(owner, timedelta(seconds=71))
    await claim(app_conn)
    assert await attempts(owner) == [(1, "failed"), (2, "abandoned"), (3, None)]


async def test_what_was_delivered_has_left_also_when_it_was_given_up_before(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await make_route(app_conn)
    await facts(owner, template)
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 9")
    claimed = await claim(app_conn, lease_s=0)
    assert await claim(app_conn) == []
    assert await finish(app_conn, claimed) == [None]
    left = await one_row(owner, "SELECT delivered_at FROM iu_core.event_outbox")
    assert left["delivered_at"] is not None
