"""The version chain: marking, registering, withdrawing, and what was current when."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.authoring import (
    AUTHOR,
    AUTHORING,
    call,
    chain_of,
    content,
    create_piece,
    create_template,
    create_version,
    delta,
    row_counts,
)
from tests.support.composing import Item, compose_one
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates

FAMILY = "tpl:file:status-report"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """The gates of authoring, open; whatever was done then, the chains hold."""
    await open_gates(owner, *AUTHORING)
    yield
    answer = await owner.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert "version_chain_mismatch" not in answer["counts"], answer["findings"]


async def mark(connection: asyncpg.Connection, collection_id: str, key: str) -> dict[str, Any]:
    return await call(
        connection,
        "fn_iu_template_mark",
        collection_id=collection_id,
        template_key=key,
        reason="kept",
    )


async def register(connection: asyncpg.Connection, ref: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "ref": ref,
        "title": "Status report",
        "description": "",
        "expected_revisions": None,
        "reason": "late",
    }
    return await call(connection, "fn_iu_template_register_version", **given | more)


async def withdraw(connection: asyncpg.Connection, ref: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"ref": ref, "expected_revisions": None, "reason": "wrong"}
    return await call(connection, "fn_iu_template_withdraw", **given | more)


async def plain_collection(owner: asyncpg.Connection, *names: str, instance: bool = False) -> str:
    """A collection that no operation makes: pieces with these names, inserted as the owner."""
    units = [(await create_piece(owner, name))["unit_id"] for name in names]
    collection_id = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, is_instance, collection_key, composition_digest)
           SELECT $1, now(), $4, 'col:notes',
                  iu_core.fn_iu_composition_store($2, $3, now())""",
        collection_id,
        ["note"] * len(units),
        units,
        instance,
    )
    return str(collection_id)


async def edit(connection: asyncpg.Connection, name: str) -> str:
    """A next version with one more piece; answers its collection."""
    answer = await create_version(
        connection, FAMILY, edits=[{"op": "insert", "position": 1, "piece": content(name, "new")}]
    )
    assert answer["status"] == "ok"
    collection: str = answer["template_collection_id"]
    return collection


async def current_log(owner: asyncpg.Connection) -> list[tuple[str | None, str]]:
    rows = await owner.fetch(
        "SELECT template_key, reason FROM iu_core.v_iu_template_current_log ORDER BY current_id"
    )
    return [tuple(row) for row in rows]


async def integrity_findings(owner: asyncpg.Connection) -> list[str]:
    rows = await owner.fetch("SELECT kind FROM iu_core.fn_iu_finding_templates() ORDER BY kind")
    return [row["kind"] for row in rows]


async def test_a_marked_collection_is_a_template_without_a_version(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    collection = await plain_collection(owner, "one", "two")
    before = await row_counts(owner)
    assert await mark(app_conn, collection, f"{FAMILY}@v1") == {
        "status": "ok",
        "template_collection_id": collection,
        "warnings": [],
    }
    row = await one_row(
        app_conn,
        """SELECT template_key, version_number, status, template_without_version,
                  piece_count, family_chain_length, chain_revision, marked_by, reason
             FROM iu_core.v_iu_template""",
    )
    assert tuple(row) == (f"{FAMILY}/v1", 1, None, True, 2, 0, None, AUTHOR, "kept")
    assert delta(before, await row_counts(owner)) == {"iu_collection_template_registry": 1}
    assert await integrity_findings(owner) == ["template_without_version"]
    # It keeps its pieces in use, and can be composed from.
    unit = await app_conn.fetchval("SELECT unit_id FROM iu_core.v_iu_piece WHERE title = 'one'")
    answer = await call(
        app_conn, "fn_iu_unit_lifecycle", unit_id=unit, to_life="retired", reason=None
    )
    assert answer == {"status": "unit_in_use", "templates": [f"{FAMILY}/v1"]}
    await open_gates(owner)
    assert (await compose_one(app_conn, Item(f"{FAMILY}/v1")))["status"] == "ok"


async def test_what_can_not_be_marked(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    marked = await plain_collection(owner, "one")
    other = await plain_collection(owner, "two")
    assert (await mark(app_conn, marked, f"{FAMILY}/v1"))["status"] == "ok"
    instance = await plain_collection(owner, "one", instance=True)
    draft = await plain_collection(owner, "draft")
    await owner.execute("UPDATE iu_core.information_unit SET life = 'draft' WHERE title = 'draft'")
    drafted = await owner.fetchval("SELECT unit_id FROM iu_core.v_iu_piece WHERE title = 'draft'")
    unknown = str(uuid4())
    before = await row_counts(owner)

    assert await mark(app_conn, unknown, f"{FAMILY}/v2") == {
        "status": "template_collection_not_found",
        "template": unknown,
    }
    answer = await mark(app_conn, instance, f"{FAMILY}/v2")
    assert (answer["status"], answer["errors"][0]["pointer"]) == (
        "invalid_input",
        "/collection_id",
    )
    assert await mark(app_conn, marked, f"{FAMILY}/v2") == {
        "status": "already_exists",
        "key": f"{FAMILY}/v1",
    }
    assert await mark(app_conn, other, f"{FAMILY}/v1") == {
        "status": "already_exists",
        "key": f"{FAMILY}/v1",
    }
    assert await mark(app_conn, draft, f"{FAMILY}/v2") == {
        "status": "unit_not_active",
        "units": [str(drafted)],
    }
    for key in (FAMILY, f"{FAMILY}/v0", f"{FAMILY}/2", "status-report/v1"):
        assert (await mark(app_conn, other, key))["status"] == "invalid_input"
    await close_gates(owner)
    assert (await mark(app_conn, other, f"{FAMILY}/v2"))["status"] == (
        "template_authoring_gate_closed"
    )
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 10}


async def test_a_marked_template_with_a_superseded_piece_says_so(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    collection = await plain_collection(owner, "one", "two")
    await owner.execute(
        "UPDATE iu_core.information_unit SET life = 'superseded' WHERE title = 'one'"
    )
    assert (await mark(app_conn, collection, f"{FAMILY}/v1"))["warnings"] == ["unit_superseded"]


async def test_registering_the_first_version_makes_the_family(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    collection = await plain_collection(owner, "one")
    await mark(app_conn, collection, f"{FAMILY}/v1")
    before = await row_counts(owner)
    assert await register(app_conn, f"{FAMILY}/v1") == {
        "status": "ok",
        "template_collection_id": collection,
        "warnings": [],
    }
    row = await one_row(
        app_conn,
        """SELECT status, template_without_version, title, chain_revision, versioned_by,
                  reason FROM iu_core.v_iu_template""",
    )
    assert tuple(row) == ("current", False, "Status report", 1, AUTHOR, "late")
    assert await current_log(owner) == [(f"{FAMILY}/v1", "late")]
    assert delta(before, await row_counts(owner)) == {
        "iu_collection_template_family": 1,
        "iu_collection_template_version": 1,
        "iu_collection_template_current_log": 1,
    }
    assert await integrity_findings(owner) == []


async def test_a_registered_version_takes_the_place_that_its_number_says(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    for number in (1, 5, 3, 9):
        collection = await plain_collection(owner, f"piece {number}")
        await mark(app_conn, collection, f"{FAMILY}/v{number}")
    ref = {number: f"{FAMILY}/v{number}" for number in (1, 3, 5, 9)}

    await register(app_conn, ref[5])
    assert await chain_of(app_conn, FAMILY) == {
        "v1": (None, None),
        "v3": (None, None),
        "v5": ("current", None),
        "v9": (None, None),
    }
    await register(app_conn, ref[1])
    await register(app_conn, ref[9], expected_revisions=[2])
    await register(app_conn, ref[3].replace("/", "@"))
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("superseded", None),
        "v3": ("superseded", "v1"),
        "v5": ("superseded", "v3"),
        "v9": ("current", "v5"),
    }
    assert await current_log(owner) == [(ref[5], "late"), (ref[9], "late")]
    assert await owner.fetchval("SELECT DISTINCT chain_revision FROM iu_core.v_iu_template") == 4
    assert await integrity_findings(owner) == []
    # The next number is above every other.
    assert await edit(app_conn, "new")
    assert (await chain_of(app_conn, FAMILY))["v10"] == ("current", "v9")


async def test_what_can_not_be_registered(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    plain = await plain_collection(owner, "one")
    await create_template(app_conn, FAMILY)
    marked = await plain_collection(owner, "two")
    await mark(app_conn, marked, f"{FAMILY}/v2")
    before = await row_counts(owner)
    for ref in ("tpl:no:such/v1", "tpl:no:such", str(uuid4()), "no reference", f"{FAMILY}/v3"):
        assert await register(app_conn, ref) == {
            "status": "template_collection_not_found",
            "template": ref,
        }
    assert await register(app_conn, plain) == {"status": "template_not_marked"}
    for ref in (FAMILY, f"{FAMILY}/v1"):
        assert await register(app_conn, ref) == {
            "status": "already_exists",
            "key": f"{FAMILY}/v1",
        }
    assert await register(app_conn, marked, expected_revisions=[7]) == {
        "status": "precondition_failed",
        "etag": '"1"',
    }
    await close_gates(owner)
    assert (await register(app_conn, marked))["status"] == "template_authoring_gate_closed"
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 10}


async def test_a_condition_on_a_chain_that_is_not_there_fails(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await mark(app_conn, await plain_collection(owner, "one"), f"{FAMILY}/v1")
    assert await register(app_conn, f"{FAMILY}/v1", expected_revisions=[1]) == {
        "status": "precondition_failed"
    }


async def test_the_predecessor_of_a_withdrawn_version_is_current_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY)
    wrong = await edit(app_conn, "wrong")
    before = await row_counts(owner)
    assert await withdraw(app_conn, FAMILY, expected_revisions=[2]) == {
        "status": "ok",
        "template_collection_id": wrong,
        "current": f"{FAMILY}/v1",
        "warnings": [],
    }
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("current", None),
        "v2": ("withdrawn", "v1"),
    }
    row = await one_row(
        app_conn,
        """SELECT withdrawn_by, withdrawn_reason, family_chain_length, chain_revision
             FROM iu_core.v_iu_template WHERE version_number = 2""",
    )
    assert tuple(row) == (AUTHOR, "wrong", 1, 3)
    assert delta(before, await row_counts(owner)) == {"iu_collection_template_current_log": 1}

    await edit(app_conn, "right")
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("superseded", None),
        "v2": ("withdrawn", "v1"),
        "v3": ("current", "v1"),
    }
    assert [key for key, _ in await current_log(owner)] == [
        f"{FAMILY}/v1",
        f"{FAMILY}/v2",
        f"{FAMILY}/v1",
        f"{FAMILY}/v3",
    ]
    assert await integrity_findings(owner) == []
    await open_gates(owner)
    assert (await compose_one(app_conn, Item(wrong)))["status"] == "template_withdrawn"


async def test_a_superseded_version_is_withdrawn_out_of_the_middle(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY)
    await edit(app_conn, "wrong")
    await edit(app_conn, "right")
    answer = await withdraw(app_conn, f"{FAMILY}/v2")
    assert (answer["status"], answer["current"]) == ("ok", f"{FAMILY}/v3")
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("superseded", None),
        "v2": ("withdrawn", "v1"),
        "v3": ("current", "v1"),
    }
    assert len(await current_log(owner)) == 3
    assert (await withdraw(app_conn, FAMILY))["current"] == f"{FAMILY}/v1"
    assert await integrity_findings(owner) == []


async def test_a_family_may_be_left_without_a_version_and_get_one_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY)
    answer = await withdraw(app_conn, FAMILY)
    assert (answer["status"], answer["current"], answer["warnings"]) == ("ok", None, [])
    assert await integrity_findings(owner) == []
    assert await create_template(app_conn, FAMILY) == {"status": "already_exists", "key": FAMILY}
    assert (await withdraw(app_conn, FAMILY))["status"] == "template_collection_not_found"
    await edit(app_conn, "again")
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("withdrawn", None),
        "v2": ("current", None),
    }
    assert [key for key, _ in await current_log(owner)] == [
        f"{FAMILY}/v1",
        None,
        f"{FAMILY}/v2",
    ]


async def test_withdrawing_warns_of_what_became_of_the_predecessors_pieces(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY, [content("old", "old"), content("kept", "kept")])
    await create_version(app_conn, FAMILY, edits=[{"op": "remove", "position": 1}])
    unit = await app_conn.fetchval("SELECT unit_id FROM iu_core.v_iu_piece WHERE title = 'old'")
    answer = await call(
        app_conn, "fn_iu_unit_lifecycle", unit_id=unit, to_life="retired", reason=None
    )
    assert answer["status"] == "ok"
    assert (await withdraw(app_conn, FAMILY))["warnings"] == ["unit_retired"]
    # Nor can a next version keep it.
    assert await create_version(
        app_conn, FAMILY, edits=[{"op": "move", "position": 1, "to": 2}]
    ) == {"status": "unit_not_active", "units": [str(unit)]}


async def test_what_can_not_be_withdrawn(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY)
    plain = await plain_collection(owner, "one")
    marked = await plain_collection(owner, "two")
    await mark(app_conn, marked, f"{FAMILY}/v7")
    await open_gates(owner)
    assert (await compose_one(app_conn, Item(FAMILY)))["status"] == "ok"
    assert (await compose_one(app_conn, Item(FAMILY, emit_mode="dry_run")))["status"] == "ok"
    before = await row_counts(owner)

    assert (await withdraw(app_conn, FAMILY, reason=""))["status"] == "invalid_input"
    assert (await withdraw(app_conn, FAMILY, reason=None))["status"] == "invalid_input"
    assert await withdraw(app_conn, "tpl:no:such/v1") == {
        "status": "template_collection_not_found",
        "template": "tpl:no:such/v1",
    }
    assert await withdraw(app_conn, plain) == {"status": "template_not_marked"}
    assert await withdraw(app_conn, marked) == {
        "status": "operation_state",
        "state": "unversioned",
        "allowed": [],
    }
    assert await withdraw(app_conn, FAMILY, expected_revisions=[2]) == {
        "status": "precondition_failed",
        "etag": '"1"',
    }
    assert await withdraw(app_conn, FAMILY) == {
        "status": "template_in_use",
        "template_key": f"{FAMILY}/v1",
        "instances": 1,
    }
    await edit(app_conn, "next")
    assert (await withdraw(app_conn, f"{FAMILY}/v8"))["status"] == "ok"
    assert (await withdraw(app_conn, f"{FAMILY}/v8"))["state"] == "withdrawn"
    await close_gates(owner)
    assert (await withdraw(app_conn, FAMILY))["status"] == "template_authoring_gate_closed"
    assert delta(before, await row_counts(owner))["iu_command_record"] == 9


async def test_a_dry_run_does_not_count_as_an_instance(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_template(app_conn, FAMILY)
    await open_gates(owner)
    assert (await compose_one(app_conn, Item(FAMILY, emit_mode="dry_run")))["status"] == "ok"
    assert (await withdraw(app_conn, FAMILY))["status"] == "ok"


async def test_the_story_of_replay_25000x_touches_what_the_matrix_says(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    collection = await plain_collection(owner, *(f"piece {number}" for number in range(1, 6)))
    await mark(app_conn, collection, f"{FAMILY}/v1")
    before = await row_counts(owner)
    await register(app_conn, f"{FAMILY}/v1")
    await create_version(
        app_conn,
        FAMILY,
        edits=[
            {
                "op": "insert",
                "position": 1,
                "piece": content("Executive summary", "executive_summary"),
            }
        ],
    )
    changed = delta(before, await row_counts(owner))
    assert changed == {
        "information_unit": 1,
        "iu_composition": 1,
        "iu_composition_piece": 6,
        "iu_piece_collection": 1,
        "iu_piece_membership": 6,
        "iu_collection_template_family": 1,
        "iu_collection_template_registry": 1,
        "iu_collection_template_version": 2,
        "iu_collection_template_current_log": 2,
    }
