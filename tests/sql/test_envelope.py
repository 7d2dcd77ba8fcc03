"""The envelope: axes of units that change, rolled up wherever the units stand."""

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
    create_version,
)
from tests.support.composing import Item, compose_one
from tests.support.interleaving import racing
from tests.support.mutation import take_out
from tests.support.rows import one_row
from tests.support.templates import close_gates, open_gates

ONBOARDING, REPORT = "tpl:wf:onboarding", "tpl:file:status-report"

Envelope = dict[str, tuple[int, list[str]]]

guarded_or_not = pytest.mark.parametrize("guarded", [True, False])


@pytest.fixture(autouse=True)
async def gates(owner: asyncpg.Connection) -> None:
    """The gates of authoring, composing and envelopes, open."""
    await open_gates(owner)
    await open_gates(owner, *AUTHORING, "envelope_refresh_enabled")


@pytest.fixture
async def units(app_conn: asyncpg.Connection) -> dict[str, str]:
    """Three units by title; the first two stand in a template each and together in both."""
    made = {
        name: (await create_piece(app_conn, name, axes=axes))["unit_id"]
        for name, axes in (("a", {"DIEU-28": "hr"}), ("b", {"DIEU-28": "it"}), ("c", None))
    }
    for family, names in ((ONBOARDING, "abc"), (REPORT, "ab")):
        pieces = [{"role": name, "unit_id": made[name]} for name in names]
        assert (await create_template(app_conn, family, pieces))["status"] == "ok"
    return made


async def put(
    connection: asyncpg.Connection, unit_id: str, axes: Any, **more: Any
) -> dict[str, Any]:
    given = {"unit_id": unit_id, "axes": axes, "reason": "test"} | more
    return await call(connection, "fn_iu_unit_axes_put", **given)


async def envelope(connection: asyncpg.Connection, key: str) -> Envelope:
    """The axes of a collection: how many units carry each, and the values."""
    rows = await connection.fetch(
        """SELECT axis, unit_count, axis_values FROM iu_core.v_iu_collection_envelope
            WHERE collection_key = $1 ORDER BY axis""",
        key,
    )
    return {axis: (unit_count, values) for axis, unit_count, values in rows}


async def findings(owner: asyncpg.Connection) -> list[str]:
    """What is not the roll-up of what it should be."""
    rows = await owner.fetch(
        "SELECT subject FROM iu_core.fn_iu_finding_compositions(NULL) WHERE kind = 'axis_mismatch'"
    )
    return [row["subject"] for row in rows]


async def test_changed_axes_are_rolled_up_wherever_the_unit_stands(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    reader_conn: asyncpg.Connection,
    units: dict[str, str],
) -> None:
    await compose_one(app_conn, Item(ONBOARDING, suffix="ada"))
    instance = "tpl-inst:auto:ada"
    before: Envelope = {"DIEU-28": (2, ["hr", "it"])}
    for key in (f"{ONBOARDING}/v1", f"{REPORT}/v1", instance):
        assert await envelope(reader_conn, key) == before

    answer = await put(app_conn, units["b"], {"DIEU-28": "hr", "DIEU-32": ""})
    assert answer == {
        "status": "ok",
        "unit_id": units["b"],
        "changed": True,
        "compositions": 2,
    }
    after: Envelope = {"DIEU-28": (2, ["hr"]), "DIEU-32": (1, [""])}
    for key in (f"{ONBOARDING}/v1", f"{REPORT}/v1", instance):
        assert await envelope(reader_conn, key) == after

    await put(app_conn, units["c"], {"DIEU-35": "x"})
    assert await envelope(app_conn, instance) == {**after, "DIEU-35": (1, ["x"])}
    assert await envelope(app_conn, f"{REPORT}/v1") == after
    for unit in units.values():
        await put(app_conn, unit, {})
    assert await owner.fetch("SELECT * FROM iu_core.v_iu_collection_envelope") == []
    assert await findings(owner) == []


async def test_a_unit_that_stands_twice_counts_once(
    app_conn: asyncpg.Connection, units: dict[str, str]
) -> None:
    pieces = [{"role": role, "unit_id": units["a"]} for role in ("first", "last")]
    await create_template(app_conn, "tpl:wf:twice", pieces)
    assert await envelope(app_conn, "tpl:wf:twice/v1") == {"DIEU-28": (1, ["hr"])}
    await put(app_conn, units["a"], {"DIEU-28": "it"})
    assert await envelope(app_conn, "tpl:wf:twice/v1") == {"DIEU-28": (1, ["it"])}


async def test_every_change_is_kept_and_nothing_but_axes_changes(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, units: dict[str, str]
) -> None:
    unit = UUID(units["a"])
    before = await one_row(owner, "SELECT * FROM iu_core.information_unit WHERE unit_id = $1", unit)
    request = uuid4()
    await put(app_conn, units["a"], {"DIEU-32": "x"}, reason="a better facet", request_id=request)
    row = dict(await one_row(app_conn, "SELECT * FROM iu_core.v_iu_unit_axis_log"))
    assert row == {
        "axis_log_id": row["axis_log_id"],
        "unit_id": unit,
        "axes_before": {"DIEU-28": "hr"},
        "axes_after": {"DIEU-32": "x"},
        "compositions": 2,
        "actor": AUTHOR,
        "principal": "test",
        "reason": "a better facet",
        "request_id": request,
        "occurred_at": row["occurred_at"],
    }
    assert before == await one_row(
        owner, "SELECT * FROM iu_core.information_unit WHERE unit_id = $1", unit
    )


async def test_the_axes_that_a_unit_has_change_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, units: dict[str, str]
) -> None:
    answer = await put(app_conn, units["a"], {"DIEU-28": "hr"})
    assert answer == {
        "status": "ok",
        "unit_id": units["a"],
        "changed": False,
        "compositions": 0,
    }
    assert await owner.fetch("SELECT * FROM iu_core.iu_unit_axis_log") == []


async def test_composing_touches_no_envelope(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, units: dict[str, str]
) -> None:
    tables = ("iu_unit_axis", "iu_composition_axis", "iu_unit_axis_log")

    async def rows() -> list[Any]:
        return [
            await owner.fetch(f"SELECT ctid, xmin, t.* FROM iu_core.{table} AS t ORDER BY 3, 4")
            for table in tables
        ]

    before = await rows()
    await close_gates(owner)
    await open_gates(owner)
    assert (await compose_one(app_conn, Item(ONBOARDING)))["status"] == "ok"
    assert await rows() == before


@pytest.mark.parametrize(
    ("axes", "pointer", "rule"),
    [
        (None, "/axes", "object"),
        (["DIEU-28"], "/axes", "object"),
        ({"a b": "x"}, "/axes/a b", "axis"),
        ({"DIEU-28": 28}, "/axes/DIEU-28", "axis"),
    ],
)
async def test_axes_that_are_none_are_refused(
    app_conn: asyncpg.Connection, units: dict[str, str], axes: Any, pointer: str, rule: str
) -> None:
    answer = await put(app_conn, units["a"], axes)
    assert answer["status"] == "invalid_input"
    assert [(error["pointer"], error["rule"]) for error in answer["errors"]] == [(pointer, rule)]


async def test_a_unit_that_is_not_there_has_no_axes(app_conn: asyncpg.Connection) -> None:
    nowhere = str(uuid4())
    assert await put(app_conn, nowhere, {"a": "x"}) == {
        "status": "unit_not_found",
        "units": [nowhere],
    }


@pytest.mark.parametrize("gate", ["piece_write", "envelope_refresh"])
async def test_both_gates_guard_axes(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, units: dict[str, str], gate: str
) -> None:
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET config_value = 'false' WHERE config_key = $1",
        f"iu_core.{gate}_enabled",
    )
    assert await put(app_conn, units["a"], {}) == {
        "status": f"{gate}_gate_closed",
        "gate": f"iu_core.{gate}_enabled",
    }
    assert await envelope(app_conn, f"{REPORT}/v1") == {"DIEU-28": (2, ["hr", "it"])}


# ------------------------------------------------------------------------------------- races


@guarded_or_not
async def test_two_units_of_one_composition_change_at_the_same_time(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    units: dict[str, str],
) -> None:
    if not guarded:
        await take_out(owner, "fn_iu_envelope_refresh", " FOR NO KEY UPDATE;", ";")
    for name in "ab":
        await put(app_conn, units[name], {"x": "1"})
    transaction = app_conn.transaction()
    await transaction.start()
    await put(app_conn, units["a"], {})
    async with racing(observer, second, put(second, units["b"], {})) as late:
        await late.blocked(by=app_conn)
        await transaction.commit()
        assert (await late.result())["changed"] is True
    if guarded:
        assert await envelope(owner, f"{REPORT}/v1") == {}
        assert await findings(owner) == []
    else:
        assert await findings(owner) != []


@guarded_or_not
async def test_a_template_takes_a_unit_in_while_its_axes_change(
    guarded: bool,
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
    units: dict[str, str],
) -> None:
    if not guarded:
        await take_out(
            owner,
            "fn_iu_unit_axes_put",
            "WHERE u.unit_id = p_unit_id FOR NO KEY UPDATE;",
            "WHERE u.unit_id = p_unit_id;",
        )
    transaction = app_conn.transaction()
    await transaction.start()
    await put(app_conn, units["c"], {"x": "1"})
    insert = {"op": "insert", "position": 1, "piece": {"role": "c", "unit_id": units["c"]}}
    async with racing(observer, second, create_version(second, REPORT, edits=[insert])) as late:
        if guarded:
            await late.blocked(by=app_conn)
        else:
            assert (await late.result())["status"] == "ok"
        await transaction.commit()
    if guarded:
        assert (await envelope(owner, f"{REPORT}/v2"))["x"] == (1, ["1"])
        assert await findings(owner) == []
    else:
        assert await findings(owner) != []


async def test_composing_waits_for_no_envelope(
    app_conn: asyncpg.Connection, second: asyncpg.Connection, units: dict[str, str]
) -> None:
    await second.execute("SET lock_timeout = '1ms'")
    async with app_conn.transaction():
        await put(app_conn, units["a"], {"x": "1"})
        assert (await compose_one(second, Item(ONBOARDING)))["status"] == "ok"


async def test_new_content_in_a_template_brings_its_axes(app_conn: asyncpg.Connection) -> None:
    piece = content("New", "step", axes={"DIEU-28": "it"})
    await create_template(app_conn, "tpl:wf:new", [piece])
    assert await envelope(app_conn, "tpl:wf:new/v1") == {"DIEU-28": (1, ["it"])}
