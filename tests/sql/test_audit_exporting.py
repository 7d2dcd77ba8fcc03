"""Giving the head of the audit chain away, and retiring segments that were."""

from datetime import timedelta

import asyncpg
import pytest

from tests.support.audit import (
    export,
    found,
    let_a_minute_pass,
    record,
    retire,
    seal,
    verify,
)
from tests.support.gates import set_clock


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE iu_core.iu_audit_segment SET sealed_by = 'else' WHERE segment_no = 3",
        "UPDATE iu_core.iu_audit_segment SET segment_digest = runs_digest WHERE segment_no = 3",
        """UPDATE iu_core.iu_audit_segment SET sealed_by = 'else' WHERE segment_no = 3;
           UPDATE iu_core.iu_audit_segment AS s
              SET segment_digest = iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(s))
            WHERE segment_no = 3""",
        "DELETE FROM iu_core.iu_audit_segment WHERE segment_no = 3",
        "DELETE FROM iu_core.iu_audit_segment",
        "DELETE FROM iu_core.iu_audit_chain",
        "UPDATE iu_core.iu_audit_chain SET segment_digest = repeat('0', 64)",
    ],
)
async def test_the_head_of_a_broken_chain_is_not_given_away(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, change: str
) -> None:
    """Whoever kept it could prove by it what was forged."""
    await owner.execute(change)
    with pytest.raises(asyncpg.PostgresError, match="audit_chain_broken") as raised:
        await export(app_conn)
    assert raised.value.sqlstate == "PF409"
    marked = await owner.fetchval("SELECT count(exported_at) FROM iu_core.iu_audit_segment")
    assert marked == 0


async def test_an_export_marks_its_segments_once(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    first = await export(app_conn)
    assert (first["status"], first["segment_no"]) == ("ok", 3)
    before = await owner.fetch("SELECT exported_at FROM iu_core.iu_audit_segment")
    await set_clock(owner, timedelta(minutes=9))
    await seal(app_conn)  # the export's own run
    await export(app_conn)
    after = await owner.fetch(
        "SELECT exported_at FROM iu_core.iu_audit_segment ORDER BY segment_no LIMIT 3"
    )
    assert {row["exported_at"] for row in before} == {row["exported_at"] for row in after}
    assert await found(app_conn) == []


async def test_an_empty_chain_has_no_head(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert await export(app_conn) == {"status": "nothing_sealed"}
    assert await owner.fetchval("SELECT code FROM iu_core.iu_command_record") == "nothing_sealed"


async def test_a_chain_whose_oldest_segments_are_retired_holds(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    """Their rows are gone, and what the others say is looked at as before."""
    await export(app_conn)
    second = await record(owner, 1)
    await retire(owner, 1)
    answer = await verify(app_conn)
    assert answer["findings"] == []
    assert (answer["segments"], answer["retired"], answer["runs"]) == (3, 1, 2)
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET code = 'x' WHERE record_id = $1", second
    )
    assert await found(app_conn) == [("run_edited", f"run {second}")]


async def test_what_is_still_there_of_a_retired_segment_is_looked_at(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    await export(app_conn)
    first = await record(owner, 0)
    await retire(owner, 1, deleting=False)
    assert await found(app_conn) == []
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET actor = 'else' WHERE record_id = $1", first
    )
    assert await found(app_conn) == [("run_edited", f"run {first}")]


MARK = "UPDATE iu_core.iu_audit_segment SET "
BY_HAND = "retired_at = now(), retired_by = {} WHERE segment_no = 2"


@pytest.mark.parametrize("by", ["gen_random_uuid()", "exported_by"])
async def test_a_segment_that_was_retired_by_hand_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, by: str
) -> None:
    """Otherwise the mark alone would make anything of its runs invisible."""
    await export(app_conn)
    await retire(owner, 1)
    await owner.execute(MARK + BY_HAND.format(by))
    assert await found(app_conn) == [("retirement_unrecorded", "segment 2")]
    await owner.execute(
        MARK + "retired_by = (SELECT retired_by FROM iu_core.iu_audit_segment"
        " WHERE segment_no = 1) WHERE segment_no = 2"
    )
    assert await found(app_conn) == [("retirement_unrecorded", "segment 2")]


async def test_an_export_of_which_there_is_no_run_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    """Nobody has that head, and what was exported may be retired."""
    await owner.execute(
        MARK + "exported_at = now(), exported_by = gen_random_uuid() WHERE segment_no = 1"
    )
    assert await found(app_conn) == [("export_unrecorded", "segment 1")]
    await owner.execute(MARK + "exported_at = NULL, exported_by = NULL")
    await export(app_conn)
    await let_a_minute_pass(owner, 9)
    await seal(app_conn)
    await owner.execute(
        MARK + "exported_at = now(), exported_by = (SELECT exported_by"
        " FROM iu_core.iu_audit_segment WHERE segment_no = 3) WHERE segment_no = 4"
    )
    assert await found(app_conn) == [("export_unrecorded", "segment 4")]


async def test_what_was_not_exported_is_not_retired(
    owner: asyncpg.Connection, sealed: None
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(
            "UPDATE iu_core.iu_audit_segment SET retired_at = now(), retired_by = last_record_id"
        )
