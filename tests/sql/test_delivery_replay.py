"""Who sent something again, and why: one record for each replay that is no dry run."""

from uuid import UUID

import asyncpg
import pytest

from tests.support.delivery import claim, facts, finish, make_route, open_boundary
from tests.support.rows import one_row
from tests.support.templates import Template, make_template

MESSAGES = (
    "SELECT iu_core.fn_iu_delivery_replay($1, '2020-01-01Z', 'infinity', NULL, true, NULL, NULL, 2,"
    " $2, 'the portal lost them', 'ops-anna', 'anna', gen_random_uuid())"
)
LETTERS = (
    "SELECT iu_core.fn_iu_dead_letters_replay($1, NULL, '2020-01-01Z', NULL, 2, $2,"
    " 'the portal lost them', 'ops-anna', 'anna', gen_random_uuid())"
)
RECORDS = "SELECT * FROM iu_core.v_iu_command_record WHERE command LIKE 'replay%'"


@pytest.fixture
async def route(owner: asyncpg.Connection, app_conn: asyncpg.Connection) -> UUID:
    """A route whose three messages are dead letters."""
    await open_boundary(owner)
    route = await make_route(app_conn)
    template: Template = await make_template(owner)
    await facts(owner, template, 3)
    await owner.execute("UPDATE iu_core.iu_route_delivery SET attempts = 9")
    assert await finish(app_conn, await claim(app_conn), "failed", 500, "answered") == ["dead"] * 3
    return route


async def test_a_replay_of_messages_is_recorded_with_who_why_what_and_how_many(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, route: UUID
) -> None:
    assert (await app_conn.fetchval(MESSAGES, route, False))["due"] == 2
    record = await one_row(owner, RECORDS)
    assert (record["command"], record["outcome"], record["code"]) == (
        "replay_messages",
        "done",
        "ok",
    )
    assert (record["actor"], record["principal"]) == ("ops-anna", "anna")
    assert record["request_id"] is not None
    assert record["details"] == {
        "route": str(route),
        "reason": "the portal lost them",
        "from": "2020-01-01T00:00:00+00:00",
        "to": "infinity",
        "event_type": None,
        "delivered": True,
        "after_at": None,
        "messages": 2,
        "due": 2,
    }


async def test_a_replay_of_dead_letters_is_recorded_with_who_why_what_and_how_many(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, route: UUID
) -> None:
    assert (await app_conn.fetchval(LETTERS, route, False))["due"] == 2
    record = await one_row(owner, RECORDS)
    assert (record["command"], record["outcome"], record["code"]) == (
        "replay_dead_letters",
        "done",
        "ok",
    )
    assert (record["actor"], record["principal"]) == ("ops-anna", "anna")
    assert record["request_id"] is not None
    assert record["details"] == {
        "route": str(route),
        "reason": "the portal lost them",
        "from": "2020-01-01T00:00:00+00:00",
        "to": None,
        "messages": None,
        "letters": 3,
        "due": 2,
    }


@pytest.mark.parametrize("replay", [MESSAGES, LETTERS], ids=["messages", "dead letters"])
@pytest.mark.parametrize("dry_run", [True, None])
async def test_a_dry_run_leaves_no_record(
    app_conn: asyncpg.Connection,
    owner: asyncpg.Connection,
    route: UUID,
    replay: str,
    dry_run: bool | None,
) -> None:
    assert (await app_conn.fetchval(replay, route, dry_run))["due"] == 2
    assert await owner.fetch(RECORDS) == []


async def test_what_was_sent_again_is_no_refusal(
    app_conn: asyncpg.Connection, owner: asyncpg.Connection, route: UUID
) -> None:
    await app_conn.fetchval(MESSAGES, route, False)
    assert await owner.fetch("SELECT * FROM iu_core.v_iu_refusal_by_code") == []
