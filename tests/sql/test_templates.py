"""First and next versions of templates: lists of pieces, and edits to them."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.authoring import (
    AUTHOR,
    AUTHORING,
    chain_of,
    composition_digest_of,
    content,
    create_piece,
    create_template,
    create_version,
    delta,
    digest_of,
    pieces_of,
    row_counts,
)
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates

FAMILY = "tpl:wf:onboarding"


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, open."""
    await open_gates(owner, *AUTHORING)


async def three(connection: asyncpg.Connection) -> dict[str, Any]:
    """A first version with the pieces a, b and c."""
    return await create_template(connection, FAMILY, [content(name, name) for name in "abc"])


async def test_a_first_version_is_current_and_every_digest_can_be_recomputed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    shared = await create_piece(app_conn, "Shared", axes={"DIEU-28": "hr", "DIEU-32": "x"})
    before = await row_counts(owner)
    answer = await create_template(
        app_conn,
        FAMILY,
        [
            {"role": "intro", "unit_id": shared["unit_id"]},
            content("New", "step", axes={"DIEU-28": "it"}),
            content("Shared", "outro"),
        ],
        description="First weeks",
        reason="first",
    )
    collection = answer["template_collection_id"]
    assert answer == {"status": "ok", "template_collection_id": collection, "warnings": []}

    shared_digest, new_digest = digest_of(content("Shared")), digest_of(content("New"))
    row = dict(await one_row(app_conn, "SELECT * FROM iu_core.v_iu_template"))
    made_at = row.pop("marked_at")
    assert row.pop("versioned_at") == made_at
    assert str(row.pop("template_collection_id")) == collection
    assert row == {
        "template_key": f"{FAMILY}/v1",
        "family": FAMILY,
        "version": "v1",
        "version_number": 1,
        "status": "current",
        "template_without_version": False,
        "composition_digest": composition_digest_of(
            [("intro", shared_digest), ("step", new_digest), ("outro", shared_digest)]
        ),
        "piece_count": 3,
        "supersedes": None,
        "schema_digest": None,
        "family_chain_length": 1,
        "digest_drift_from_previous": None,
        "axes": {
            "DIEU-28": {"unit_count": 2, "values": ["hr", "it"]},
            "DIEU-32": {"unit_count": 1, "values": ["x"]},
        },
        "title": "Onboarding",
        "description": "First weeks",
        "chain_revision": 1,
        "marked_by": AUTHOR,
        "versioned_by": AUTHOR,
        "reason": "first",
        "withdrawn_by": None,
        "withdrawn_at": None,
        "withdrawn_reason": None,
    }
    assert await pieces_of(app_conn, f"{FAMILY}/v1") == [
        (1, "intro", "Shared"),
        (2, "step", "New"),
        (3, "outro", "Shared"),
    ]
    assert delta(before, await row_counts(owner)) == {
        "information_unit": 1,
        "iu_composition": 1,
        "iu_composition_piece": 3,
        "iu_composition_axis": 2,
        "iu_piece_collection": 1,
        "iu_piece_membership": 3,
        "iu_collection_template_family": 1,
        "iu_collection_template_registry": 1,
        "iu_collection_template_version": 1,
        "iu_collection_template_current_log": 1,
    }


async def test_templates_with_the_same_pieces_share_one_composition(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await three(app_conn)
    before = await row_counts(owner)
    await create_template(app_conn, "tpl:wf:twin", [content(name, name) for name in "abc"])
    counts = delta(before, await row_counts(owner))
    assert "iu_composition" not in counts
    assert "information_unit" not in counts
    assert counts["iu_piece_membership"] == 3


async def test_a_first_version_is_refused_with_nothing_written(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await three(app_conn)
    draft = (await create_piece(app_conn, "Draft", life="draft"))["unit_id"]
    unknown = str(uuid4())
    before = await row_counts(owner)
    assert await three(app_conn) == {"status": "already_exists", "key": FAMILY}
    assert await create_template(
        app_conn,
        "tpl:wf:new",
        [content("never made", "one"), {"role": "two", "unit_id": draft}],
    ) == {"status": "unit_not_active", "units": [draft]}
    assert await create_template(
        app_conn, "tpl:wf:new", [content("never made", "one"), content("Draft", "two")]
    ) == {"status": "unit_not_active", "units": [draft]}
    assert await create_template(
        app_conn,
        "tpl:wf:new",
        [content("never made", "one"), {"role": "two", "unit_id": unknown}],
    ) == {"status": "unit_not_found", "units": [unknown]}
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 4}


def errors_of(answer: dict[str, Any]) -> list[tuple[str, str]]:
    assert answer["status"] == "invalid_input"
    return [(error["pointer"], error["rule"]) for error in answer["errors"]]


MALFORMED_PIECES: list[tuple[Any, list[tuple[str, str]]]] = [
    ([], [("/pieces", "pieces")]),
    ({}, [("/pieces", "pieces")]),
    ("none", [("/pieces", "pieces")]),
    ([1], [("/pieces/0", "object")]),
    (
        [{"role": "a"}],
        [
            ("/pieces/0/media_type", "media_type"),
            ("/pieces/0/title", "title"),
            ("/pieces/0/body", "missing"),
        ],
    ),
    ([content("x", "Intro")], [("/pieces/0/role", "role")]),
    (
        [content("x", "a"), content("y", "b", unit_id=str(uuid4()))],
        [("/pieces/1", "either")],
    ),
    ([{"role": "a", "unit_id": "7"}], [("/pieces/0/unit_id", "uuid")]),
    ([content("x", "a", axes={"": "x"})], [("/pieces/0/axes/", "axis")]),
]


async def test_malformed_pieces_are_named_by_where_they_stand(
    app_conn: asyncpg.Connection,
) -> None:
    for pieces, expected in MALFORMED_PIECES:
        assert errors_of(await create_version(app_conn, FAMILY, pieces=pieces)) == expected
        if pieces:
            assert errors_of(await create_template(app_conn, FAMILY, pieces)) == expected


async def test_a_family_has_a_key_of_its_own_form(app_conn: asyncpg.Connection) -> None:
    for family in (
        "onboarding",
        "tpl:wf:onboarding/v1",
        "tpl:wf:Onboarding",
        "tpl:wf:" + "x" * 210,
    ):
        assert errors_of(await create_template(app_conn, family)) == [("/family", "key")]


async def test_new_content_in_a_template_needs_the_gate_of_pieces_too(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await create_piece(app_conn, "Known")
    await close_gates(owner)
    assert (await create_template(app_conn, FAMILY, [content("New", "a")]))["status"] == (
        "template_authoring_gate_closed"
    )
    await open_gates(owner, "template_authoring_enabled")
    assert await create_template(app_conn, FAMILY, [content("New", "a")]) == {
        "status": "piece_write_gate_closed",
        "gate": "iu_core.piece_write_enabled",
    }
    assert (await create_template(app_conn, FAMILY, [content("Known", "a")]))["status"] == "ok"


async def test_a_next_version_by_edits_supersedes_by_itself(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await three(app_conn)
    before = await row_counts(owner)
    answer = await create_version(
        app_conn,
        FAMILY,
        expected_revisions=[7, 1],
        edits=[
            {"op": "insert", "position": 4, "piece": content("d", "d")},  # a b c d
            {"op": "move", "position": 1, "to": 3},  # b c a d
            {"op": "remove", "position": 2},  # b a d
            {"op": "replace", "position": 2, "piece": content("A", "a")},  # b A d
            {"op": "insert", "position": 1, "piece": content("c", "c")},  # c b A d
        ],
    )
    assert answer == {
        "status": "ok",
        "template_collection_id": answer["template_collection_id"],
        "supersedes": f"{FAMILY}/v1",
        "parameters_changed": False,
        "warnings": [],
    }
    assert await pieces_of(app_conn, f"{FAMILY}/v2") == [
        (1, "c", "c"),
        (2, "b", "b"),
        (3, "a", "A"),
        (4, "d", "d"),
    ]
    assert await chain_of(app_conn, FAMILY) == {
        "v1": ("superseded", None),
        "v2": ("current", "v1"),
    }
    row = await one_row(
        app_conn,
        """SELECT family_chain_length, digest_drift_from_previous, chain_revision
             FROM iu_core.v_iu_template WHERE status = 'current'""",
    )
    assert tuple(row) == (2, True, 2)
    assert delta(before, await row_counts(owner)) == {
        "information_unit": 2,
        "iu_composition": 1,
        "iu_composition_piece": 4,
        "iu_piece_collection": 1,
        "iu_piece_membership": 4,
        "iu_collection_template_registry": 1,
        "iu_collection_template_version": 1,
        "iu_collection_template_current_log": 1,
    }


async def test_a_next_version_by_its_whole_list(app_conn: asyncpg.Connection) -> None:
    await three(app_conn)
    answer = await create_version(app_conn, FAMILY, pieces=[content("c", "c"), content("a", "x")])
    assert answer["status"] == "ok"
    assert await pieces_of(app_conn, f"{FAMILY}/v2") == [(1, "c", "c"), (2, "x", "a")]


@pytest.mark.parametrize("dry_run", [True, None])
async def test_a_dry_run_shows_what_would_be_and_writes_only_its_record(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, dry_run: bool | None
) -> None:
    await three(app_conn)
    edits = [
        {"op": "remove", "position": 1},
        {"op": "insert", "position": 3, "piece": content("d", "d")},
    ]
    unit_ids = {
        row["title"]: str(row["unit_id"])
        for row in await app_conn.fetch("SELECT title, unit_id FROM iu_core.v_iu_piece")
    }
    before = await row_counts(owner)
    answer = await create_version(app_conn, FAMILY, edits=edits, dry_run=dry_run)
    would_be = {
        "template_key": f"{FAMILY}/v2",
        "version": "v2",
        "composition_digest": composition_digest_of(
            [(name, digest_of(content(name))) for name in "bcd"]
        ),
        "piece_count": 3,
        "schema_digest": None,
        "supersedes": f"{FAMILY}/v1",
    }
    assert answer == {
        "status": "ok",
        "warnings": [],
        "chain_revision": 1,
        "parameters_changed": False,
        "supersedes": f"{FAMILY}/v1",
        "would_be": would_be,
        "pieces": [
            {
                "position": at,
                "role": name,
                "unit_id": unit_ids.get(name),
                "life": "active",
                "content_digest": digest_of(content(name)),
                "media_type": "text/markdown",
                "title": name,
            }
            for at, name in enumerate("bcd", start=1)
        ],
    }
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 1}
    record = await one_row(
        owner,
        "SELECT command, outcome, code, actor, details FROM iu_core.iu_command_record"
        " WHERE outcome <> 'done'",
    )
    assert tuple(record) == ("create_template_version", "dry_run", "ok", AUTHOR, would_be)

    await create_version(app_conn, FAMILY, edits=edits)
    digest = await app_conn.fetchval(
        "SELECT composition_digest FROM iu_core.v_iu_template WHERE status = 'current'"
    )
    assert digest == would_be["composition_digest"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_next_version_is_refused_with_nothing_written(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, dry_run: bool
) -> None:
    await three(app_conn)
    before = await row_counts(owner)

    async def refused(**given: Any) -> dict[str, Any]:
        family = given.pop("family", FAMILY)
        return await create_version(app_conn, family, dry_run=dry_run, **given)

    remove = [{"op": "remove", "position": 1}]
    assert await refused(family="tpl:wf:other", edits=remove) == {
        "status": "template_family_not_found",
        "family": "tpl:wf:other",
    }
    assert await refused(edits=remove, expected_revisions=[2]) == {
        "status": "precondition_failed",
        "etag": '"1"',
    }
    assert await refused(edits=remove, expected_revisions=[]) == {
        "status": "precondition_failed",
        "etag": '"1"',
    }
    no_change = {"status": "no_change", "template_key": f"{FAMILY}/v1"}
    assert await refused(pieces=[content(name, name) for name in "abc"]) == no_change
    assert await refused(edits=[{"op": "move", "position": 2, "to": 2}]) == no_change
    unknown = str(uuid4())
    assert await refused(
        edits=[{"op": "insert", "position": 1, "piece": {"role": "x", "unit_id": unknown}}]
    ) == {"status": "unit_not_found", "units": [unknown]}
    await close_gates(owner)
    assert await refused(edits=remove) == {
        "status": "template_authoring_gate_closed",
        "gate": "iu_core.template_authoring_enabled",
    }
    assert delta(before, await row_counts(owner)) == {"iu_command_record": 7}


MALFORMED_EDITS: list[tuple[Any, list[tuple[str, str]]]] = [
    ([], [("/edits", "edits")]),
    ({}, [("/edits", "edits")]),
    ([1], [("/edits/0/op", "op")]),
    ([{"op": "swap"}], [("/edits/0/op", "op")]),
    ([{"op": "remove"}], [("/edits/0/position", "position")]),
    ([{"op": "remove", "position": 0}], [("/edits/0/position", "position")]),
    ([{"op": "remove", "position": 1.5}], [("/edits/0/position", "position")]),
    (
        [{"op": "move", "position": 1}, {"op": "insert", "position": 1}],
        [("/edits/0/to", "position"), ("/edits/1/piece", "object")],
    ),
    ([{"op": "remove", "position": 4}], [("/edits/0/position", "position")]),
    ([{"op": "move", "position": 1, "to": 4}], [("/edits/0/to", "position")]),
    (
        [{"op": "insert", "position": 5, "piece": content("d", "d")}],
        [("/edits/0/position", "position")],
    ),
    (
        [{"op": "remove", "position": 1}, {"op": "remove", "position": 3}],
        [("/edits/1/position", "position")],
    ),
    ([{"op": "remove", "position": 1}] * 3, [("/edits", "pieces")]),
]


async def test_malformed_edits_are_named_by_where_they_stand(
    app_conn: asyncpg.Connection,
) -> None:
    await three(app_conn)
    for edits, expected in MALFORMED_EDITS:
        assert errors_of(await create_version(app_conn, FAMILY, edits=edits)) == expected, edits


async def test_a_next_version_says_either_its_pieces_or_edits(
    app_conn: asyncpg.Connection,
) -> None:
    both = {"pieces": [content("x", "x")], "edits": [{"op": "remove", "position": 1}]}
    for said in ({}, both):
        assert errors_of(await create_version(app_conn, FAMILY, **said)) == [("", "either")]


async def test_entering_units_are_active_and_kept_ones_may_be_superseded(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await three(app_conn)
    old = (await create_piece(app_conn, "old"))["unit_id"]
    await owner.execute(
        "UPDATE iu_core.information_unit SET life = 'superseded' WHERE title IN ('a', 'old')"
    )
    assert await create_version(
        app_conn,
        FAMILY,
        edits=[{"op": "insert", "position": 1, "piece": {"role": "x", "unit_id": old}}],
    ) == {"status": "unit_not_active", "units": [old]}

    answer = await create_version(app_conn, FAMILY, edits=[{"op": "remove", "position": 3}])
    assert (answer["status"], answer["warnings"]) == ("ok", ["unit_superseded"])
    answer = await create_version(app_conn, FAMILY, edits=[{"op": "remove", "position": 1}])
    assert (answer["status"], answer["warnings"]) == ("ok", [])
    # It has left the template, so it can't enter it again.
    answer = await create_version(app_conn, FAMILY, pieces=[content("a", "a")])
    assert answer["status"] == "unit_not_active"


async def test_a_family_may_run_out_of_numbers(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await three(app_conn)
    await owner.execute(
        "UPDATE iu_core.iu_collection_template_registry SET template_key = $1",
        f"{FAMILY}/v999999999",
    )
    answer = await create_version(app_conn, FAMILY, edits=[{"op": "remove", "position": 1}])
    assert answer["status"] == "operation_state"


def positions(longest: int) -> st.SearchStrategy[int]:
    return st.integers(min_value=1, max_value=longest)


@st.composite
def edited_lists(draw: st.DrawFn) -> tuple[list[str], list[dict[str, Any]], list[str]]:
    """A list, edits that fit it, and what Python's own list makes of them."""
    before = [f"old-{n}" for n in range(draw(st.integers(0, 6)))]
    after = list(before)
    edits: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 8))):
        op = draw(st.sampled_from(["insert", "replace", "remove", "move"])) if after else "insert"
        new = f"new-{number}"
        if op == "insert":
            at = draw(positions(len(after) + 1))
            after.insert(at - 1, new)
            edits.append({"op": op, "position": at, "piece": {"role": new}})
            continue
        at = draw(positions(len(after)))
        edit: dict[str, Any] = {"op": op, "position": at}
        if op == "replace":
            after[at - 1] = new
            edit["piece"] = {"role": new}
        elif op == "remove":
            del after[at - 1]
        else:
            edit["to"] = draw(positions(len(after)))
            after.insert(edit["to"] - 1, after.pop(at - 1))
        edits.append(edit)
    return before, edits, after


async def test_edits_do_what_the_same_steps_do_to_a_list(owner: asyncpg.Connection) -> None:
    cases: list[tuple[list[str], list[dict[str, Any]], list[str]]] = []

    @settings(max_examples=150, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(edited_lists())
    def collect(case: tuple[list[str], list[dict[str, Any]], list[str]]) -> None:
        cases.append(case)

    collect()
    for before, edits, after in cases:
        brought = [edit["piece"]["role"] for edit in edits if "piece" in edit]
        if not after:
            continue
        row = await owner.fetchrow(
            "SELECT * FROM iu_core.fn_iu_piece_list_edit($1, $2, $3, $4, $5)",
            before,
            [f"digest of {name}" for name in before],
            edits,
            brought,
            [f"digest of {name}" for name in brought],
        )
        assert row is not None
        assert row["roles"] == after
        assert row["digests"] == [f"digest of {name}" for name in after]
