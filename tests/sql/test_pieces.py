"""Units: content that never changes, and the life that does."""

import itertools
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHOR,
    AUTHORING,
    call,
    content,
    create_piece,
    create_template,
    delta,
    digest_of,
    row_counts,
)
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


async def revise(connection: asyncpg.Connection, unit_id: str, **more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("media_type", "title", "body", "axes", "reason"))
    return await call(connection, "fn_iu_piece_revise", unit_id=unit_id, **nothing | more)


async def step(connection: asyncpg.Connection, unit_id: str, to_life: str) -> dict[str, Any]:
    return await call(
        connection, "fn_iu_unit_lifecycle", unit_id=unit_id, to_life=to_life, reason="test"
    )


async def test_a_unit_is_born_with_its_content_its_axes_and_no_step_of_life(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    before = await row_counts(owner)
    answer = await create_piece(
        app_conn, "Welcome", media_type="Text/Markdown; charset=UTF-8", axes={"DIEU-28": "hr"}
    )
    assert answer == {
        "status": "ok",
        "unit_id": answer["unit_id"],
        "known": False,
        "warnings": [],
    }
    row = dict(await one_row(app_conn, "SELECT * FROM iu_core.v_iu_piece"))
    row.pop("created_at")
    assert row == {
        "unit_id": UUID(answer["unit_id"]),
        "content_digest": digest_of(content("Welcome")),
        "media_type": "text/markdown",
        "title": "Welcome",
        "body": "Welcome",
        "life": "active",
        "supersedes_unit_id": None,
        "superseded_by_unit_id": None,
        "axes": {"DIEU-28": "hr"},
        "created_by": AUTHOR,
    }
    assert delta(before, await row_counts(owner)) == {"information_unit": 1}


async def test_known_content_is_answered_with_the_unit_that_is_there_also_at_a_closed_gate(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    first = await create_piece(app_conn, "Welcome", life="draft", axes={"a": "1"})
    await close_gates(owner)
    before = await row_counts(owner)
    assert await create_piece(app_conn, "Welcome", life="draft", axes={"a": "1"}) == first | {
        "known": True
    }
    assert await create_piece(app_conn, "Welcome", axes={"a": "2"}) == first | {
        "known": True,
        "warnings": ["life_differs", "axes_differ"],
    }
    assert await row_counts(owner) == before


MALFORMED: list[tuple[dict[str, Any], str, str]] = [
    ({"media_type": "markdown"}, "/media_type", "media_type"),
    ({"media_type": "text/mark down"}, "/media_type", "media_type"),
    ({"media_type": None}, "/media_type", "media_type"),
    ({"title": "two\nlines"}, "/title", "title"),
    ({"title": "two\rlines"}, "/title", "title"),
    ({"title": "x" * 501}, "/title", "title"),
    ({"title": None}, "/title", "title"),
    ({"body": None}, "/body", "missing"),
    ({"life": "retired"}, "/life", "life"),
    ({"life": None}, "/life", "life"),
    ({"axes": ["DIEU-28"]}, "/axes", "object"),
    ({"axes": {"a/b ~": "x"}}, "/axes/a~1b ~0", "axis"),
    ({"axes": {"DIEU-28": 28}}, "/axes/DIEU-28", "axis"),
]


async def test_content_that_can_not_be_digested_is_refused(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    before = await row_counts(owner)
    for given, pointer, rule in MALFORMED:
        answer = await create_piece(app_conn, "Welcome", **given)
        assert answer["status"] == "invalid_input", given
        found = [(error["pointer"], error["rule"]) for error in answer["errors"]]
        assert found == [(pointer, rule)], given
    assert delta(before, await row_counts(owner)) == {"iu_command_record": len(MALFORMED)}


async def test_everything_that_is_wrong_is_said_at_once(app_conn: asyncpg.Connection) -> None:
    answer = await create_piece(
        app_conn, "x", media_type="?", title="a\nb", body=None, axes={"": "x"}, life="old"
    )
    assert [error["pointer"] for error in answer["errors"]] == [
        "/media_type",
        "/title",
        "/body",
        "/axes/",
        "/life",
    ]


async def test_a_closed_gate_refuses_new_content_and_is_recorded(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await close_gates(owner)
    assert await create_piece(app_conn, "Welcome") == {
        "status": "piece_write_gate_closed",
        "gate": "iu_core.piece_write_enabled",
    }
    record = await one_row(
        owner, "SELECT command, outcome, code, actor, principal FROM iu_core.iu_command_record"
    )
    assert tuple(record) == ("create_piece", "refused", "piece_write_gate_closed", AUTHOR, "test")
    assert await owner.fetchval("SELECT count(*) FROM iu_core.information_unit") == 0


async def test_a_revision_supersedes_and_keeps_what_it_does_not_say(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    old = (await create_piece(app_conn, "Welcome", axes={"a": "1"}))["unit_id"]
    before = await row_counts(owner)
    answer = await revise(app_conn, old, body="Welcome, all.", reason="warmer")
    new = answer["unit_id"]
    assert answer == {"status": "ok", "unit_id": new, "supersedes_unit_id": old}
    rows = await app_conn.fetch(
        """SELECT unit_id, title, body, life, axes, supersedes_unit_id, superseded_by_unit_id
             FROM iu_core.v_iu_piece ORDER BY created_at"""
    )
    assert [tuple(row) for row in rows] == [
        (UUID(old), "Welcome", "Welcome", "superseded", {"a": "1"}, None, UUID(new)),
        (UUID(new), "Welcome", "Welcome, all.", "active", {"a": "1"}, UUID(old), None),
    ]
    log = await one_row(
        owner, "SELECT unit_id, from_life, to_life, actor, reason FROM iu_core.iu_lifecycle_log"
    )
    assert tuple(log) == (UUID(old), "active", "superseded", AUTHOR, "warmer")
    assert delta(before, await row_counts(owner)) == {"information_unit": 1, "iu_lifecycle_log": 1}


async def test_a_draft_is_revised_to_a_draft(app_conn: asyncpg.Connection) -> None:
    old = (await create_piece(app_conn, "Welcome", life="draft"))["unit_id"]
    new = (await revise(app_conn, old, title="Hello", axes={"b": "2"}))["unit_id"]
    row = await one_row(
        app_conn, "SELECT title, life, axes FROM iu_core.v_iu_piece WHERE unit_id = $1", new
    )
    assert tuple(row) == ("Hello", "draft", {"b": "2"})


async def test_a_revision_is_refused_where_it_makes_no_sense(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    one = (await create_piece(app_conn, "One"))["unit_id"]
    two = (await create_piece(app_conn, "Two"))["unit_id"]
    before = await row_counts(owner)
    unknown = str(uuid4())
    assert await revise(app_conn, unknown, body="x") == {
        "status": "unit_not_found",
        "units": [unknown],
    }
    assert await revise(app_conn, one) == {"status": "no_change"}
    assert await revise(app_conn, one, title="One", media_type="TEXT/markdown") == {
        "status": "no_change"
    }
    assert await revise(app_conn, one, title="Two", body="Two") == {
        "status": "already_exists",
        "key": digest_of(content("Two")),
    }
    assert (await revise(app_conn, one, title="a\nb"))["status"] == "invalid_input"
    await close_gates(owner)
    assert (await revise(app_conn, one, body="x"))["status"] == "piece_write_gate_closed"
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 6}

    await open_gates(owner, *AUTHORING)
    await step(app_conn, two, "retired")
    assert await revise(app_conn, two, body="x") == {
        "status": "operation_state",
        "state": "retired",
        "allowed": [],
    }


ALLOWED = {
    "draft": ["active", "retired"],
    "active": ["retired"],
    "superseded": ["retired"],
    "retired": [],
}


async def test_life_goes_one_way_and_each_step_is_logged(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    unit = (await create_piece(app_conn, "Welcome", life="draft"))["unit_id"]
    for from_life, to_life in itertools.product(ALLOWED, ALLOWED):
        await owner.execute("UPDATE iu_core.information_unit SET life = $1", from_life)
        await owner.execute("DELETE FROM iu_core.iu_lifecycle_log")
        answer = await step(app_conn, unit, to_life)
        rows = await owner.fetch("SELECT from_life, to_life, reason FROM iu_core.iu_lifecycle_log")
        logged = [tuple(row) for row in rows]
        if to_life in ALLOWED[from_life]:
            assert answer == {
                "status": "ok",
                "unit_id": unit,
                "from_life": from_life,
                "to_life": to_life,
            }
            assert logged == [(from_life, to_life, "test")]
        else:
            assert answer == {
                "status": "operation_state",
                "state": from_life,
                "allowed": ALLOWED[from_life],
            }
            assert logged == []


async def test_a_step_of_life_needs_a_unit_a_life_and_an_open_gate(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    unit = (await create_piece(app_conn, "Welcome"))["unit_id"]
    unknown = str(uuid4())
    assert (await step(app_conn, unit, "dead"))["status"] == "invalid_input"
    assert await step(app_conn, unknown, "retired") == {
        "status": "unit_not_found",
        "units": [unknown],
    }
    await close_gates(owner)
    assert await step(app_conn, unit, "retired") == {
        "status": "lifecycle_gate_closed",
        "gate": "iu_core.lifecycle_enabled",
    }


async def test_a_unit_that_a_current_or_an_unversioned_template_uses_is_not_retired(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    unit = (await create_piece(app_conn, "Shared"))["unit_id"]
    piece = {"role": "shared", "unit_id": unit}
    await create_template(app_conn, "tpl:wf:one", [piece])
    await create_template(app_conn, "tpl:wf:two", [piece, content("Two", "two")])
    await owner.execute(
        """DELETE FROM iu_core.iu_collection_template_current_log;
           DELETE FROM iu_core.iu_collection_template_version
            WHERE template_collection_id = (SELECT template_collection_id
                   FROM iu_core.v_iu_template WHERE template_key = 'tpl:wf:two/v1')"""
    )
    assert await step(app_conn, unit, "retired") == {
        "status": "unit_in_use",
        "templates": ["tpl:wf:one/v1", "tpl:wf:two/v1"],
    }
    await owner.execute("UPDATE iu_core.iu_collection_template_version SET status = 'superseded'")
    await owner.execute(
        "DELETE FROM iu_core.iu_collection_template_registry WHERE template_key = 'tpl:wf:two/v1'"
    )
    assert (await step(app_conn, unit, "retired"))["status"] == "ok"


async def test_where_a_unit_is_used(app_conn: asyncpg.Connection) -> None:
    unit = (await create_piece(app_conn, "Shared"))["unit_id"]
    pieces = [
        {"role": "intro", "unit_id": unit},
        content("Middle", "middle"),
        {"role": "outro", "unit_id": unit},
    ]
    made = await create_template(app_conn, "tpl:wf:one", pieces)
    rows = await app_conn.fetch(
        "SELECT * FROM iu_core.v_iu_piece_use WHERE unit_id = $1 ORDER BY position", UUID(unit)
    )
    place = {
        "unit_id": UUID(unit),
        "collection_id": UUID(made["template_collection_id"]),
        "collection_key": "tpl:wf:one/v1",
        "template_key": "tpl:wf:one/v1",
        "status": "current",
    }
    assert [dict(row) for row in rows] == [
        {**place, "position": 1, "role": "intro"},
        {**place, "position": 3, "role": "outro"},
    ]
