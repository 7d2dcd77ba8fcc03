"""Events are stored once, with what came of each route, or refused and not stored."""

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.support.events import SOURCE, TYPE, a_firing, an_event, edition, make_route, take
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, the intake's among them."""
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "event_intake_enabled")
    return await make_template(owner)


async def stored(owner: asyncpg.Connection) -> list[str]:
    """The ids of the stored events."""
    rows = await owner.fetch("SELECT cloudevent_id FROM iu_core.iu_event ORDER BY 1")
    return [row["cloudevent_id"] for row in rows]


async def refusals(owner: asyncpg.Connection) -> list[tuple[str, str]]:
    """What the command record has of refused events: command and code."""
    rows = await owner.fetch(
        "SELECT command, code FROM iu_core.iu_command_record WHERE outcome = 'refused'"
        " ORDER BY first_at, code"
    )
    return [(row["command"], row["code"]) for row in rows]


def outcomes(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    """Of each route what became of it, with its code."""
    return [(result["outcome"], result["code"]) for result in answer["results"]]


async def test_an_event_composes_along_each_route_that_it_takes(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    first = await make_route(app_conn, template, "a")
    second = await make_route(app_conn, template, "b")
    event = an_event(
        await edition(app_conn), a_firing(second, template, suffix="b"), a_firing(first, template)
    )
    (answer,) = await take(app_conn, event)
    assert answer["status"] == "accepted"
    assert [
        (result["route_key"], result["outcome"], result["suffix"], result["template"])
        for result in answer["results"]
    ] == [("a", "composed", "", template.key), ("b", "composed", "b", template.key)]
    made = await owner.fetch(
        "SELECT instance_collection_id, event_id, actor, reason"
        " FROM iu_core.iu_auto_instantiate_event_log ORDER BY suffix"
    )
    assert [UUID(result["instance_collection_id"]) for result in answer["results"]] == [
        row["instance_collection_id"] for row in made
    ]
    assert {(row["event_id"], row["actor"], row["reason"]) for row in made} == {
        (event.event_id, "hr-bot", "route onboarding")
    }


async def test_an_event_that_is_sent_again_is_answered_as_it_was(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn, template)
    event = an_event(await edition(app_conn), a_firing(route, template), cloudevent_id="1")
    (first,) = await take(app_conn, event)
    await close_gates(owner)
    (again,) = await take(
        app_conn, an_event(event.rules_revision, a_firing(route, template), cloudevent_id="1")
    )
    assert again == {**first, "status": "known"}
    (retried,) = await take(app_conn, event)
    assert retried == first
    assert await stored(owner) == ["1"]


async def test_another_event_with_the_same_id_is_a_conflict_that_names_what_differs(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    revision = await edition(app_conn)
    await take(app_conn, an_event(revision, cloudevent_id="1", data={"name": "Ada"}))
    (answer,) = await take(app_conn, an_event(revision, cloudevent_id="1", data={"name": "Grace"}))
    assert answer["status"] == "event_conflict"
    assert answer["details"]["fields"] == ["data"]
    assert await refusals(owner) == [("post_events", "event_conflict")]


async def test_a_closed_intake_stores_nothing(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    (answer,) = await take(app_conn, an_event(await edition(app_conn)))
    assert answer["status"] == "event_intake_gate_closed"
    assert await stored(owner) == []
    assert await refusals(owner) == [("post_events", "event_intake_gate_closed")]


async def test_a_refused_event_is_recorded_under_the_command_that_its_channel_stands_for(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    revision = await edition(app_conn)
    channels = ("http", "nats", "event-source:github", "kafka", "http")
    await take(app_conn, *(an_event(revision, channel=channel) for channel in channels))
    recorded = await owner.fetch(
        "SELECT command, sum(occurrences)::integer FROM iu_core.iu_command_record GROUP BY command"
    )
    assert {row[0]: row[1] for row in recorded} == {
        "post_events": 2,
        "receive_webhook": 1,
        "consume_events": 2,
    }


async def test_a_closed_composer_keeps_the_event_with_its_refusal(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    await close_gates(owner)
    await open_gates(owner, "event_intake_enabled")
    route = await make_route(app_conn, template)
    (answer,) = await take(
        app_conn, an_event(await edition(app_conn), a_firing(route, template), cloudevent_id="1")
    )
    assert answer["status"] == "accepted"
    assert outcomes(answer) == [("refused", "live_gate_closed")]
    assert await stored(owner) == ["1"]


async def test_what_the_rules_turn_away_is_recorded_and_not_stored(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    refusal = json.dumps({"code": "event_chain_too_deep", "depth": 9, "limit": 8})
    (answer,) = await take(app_conn, an_event(await edition(app_conn), refusal=refusal))
    assert (answer["status"], answer["details"]) == (
        "event_chain_too_deep",
        {"depth": 9, "limit": 8},
    )
    assert await stored(owner) == []
    assert await refusals(owner) == [("post_events", "event_chain_too_deep")]


async def test_a_known_event_is_told_to_who_may_see_it(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    revision = await edition(app_conn)
    await take(app_conn, an_event(revision, cloudevent_id="1", actor="hr-eu"))
    (answer,) = await take(app_conn, an_event(revision, cloudevent_id="1", allowed_actors="hr-us"))
    assert (answer["status"], answer["results"], answer["details"]) == (
        "actor_not_allowed",
        [],
        {},
    )


async def test_each_event_of_a_call_stands_for_itself(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    route = await make_route(app_conn, template)
    revision = await edition(app_conn)
    refusal = json.dumps({"code": "event_type_not_found", "event_type": TYPE})
    answers = await take(
        app_conn,
        an_event(revision, a_firing(route, template), cloudevent_id="1"),
        an_event(revision, cloudevent_id="2", refusal=refusal),
        an_event(revision, a_firing(route, template), cloudevent_id="1"),
        an_event(revision, a_firing(route, template), cloudevent_id="1", data={"other": True}),
        an_event(revision, a_firing(route, "tpl:wf:none/v1"), cloudevent_id="3"),
        an_event(revision, a_firing(route, template), cloudevent_id="0"),
    )
    assert [(answer["status"], *outcomes(answer)) for answer in answers] == [
        ("accepted", ("composed", None)),
        ("event_type_not_found",),
        ("known", ("composed", None)),
        ("event_conflict",),
        ("accepted", ("refused", "template_collection_not_found")),
        ("accepted", ("composed", None)),
    ]
    assert await stored(owner) == ["0", "1", "3"]


async def test_two_routes_to_one_instance_compose_it_once(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    first = await make_route(app_conn, template, "a")
    second = await make_route(app_conn, template, "b")
    (answer,) = await take(
        app_conn,
        an_event(await edition(app_conn), a_firing(first, template), a_firing(second, template)),
    )
    assert outcomes(answer) == [("composed", None), ("replayed", None)]
    one, other = answer["results"]
    assert one["instance_collection_id"] == other["instance_collection_id"]


async def test_events_judged_by_rules_that_are_over_are_not_taken(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    revision = await edition(app_conn)
    await make_route(app_conn, template)
    (answer,) = await take(app_conn, an_event(revision))
    assert answer["status"] == "rules_changed"
    assert await stored(owner) == []


@pytest.mark.parametrize("value", ["refuse", "inert"])
async def test_what_is_done_with_unknown_types_belongs_to_the_edition(
    app_conn: asyncpg.Connection, value: str
) -> None:
    before = await edition(app_conn)
    await app_conn.fetchval(
        "SELECT iu_core.fn_iu_setting_put('iu_core.unknown_event_types', to_jsonb($1::text),"
        " 'test', 'ops', 'test', gen_random_uuid())",
        value,
    )
    assert await edition(app_conn) - before == (value == "refuse")


async def test_the_same_source_and_id_are_one_event_whoever_sends_them_first(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, template: Template
) -> None:
    (answer,) = await take(app_conn, an_event(await edition(app_conn), cloudevent_id="1"))
    row = await owner.fetchrow("SELECT * FROM iu_core.v_iu_event")
    assert row is not None
    assert (row["event_id"], row["source"], row["content"], row["travelled"]) == (
        answer["event_id"],
        SOURCE,
        '{"data":{},"id":"1","source":"/hr/eu","type":"hr.employee.hired"}',
        '{"specversion":"1.0"}',
    )
