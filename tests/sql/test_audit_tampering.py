"""The audit chain, when somebody who may change every row does so: it is named."""

from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.support.audit import (
    LIST,
    export,
    found,
    let_a_minute_pass,
    record,
    seal,
    sha256,
    verify,
)
from tests.support.gates import open_gate, set_clock


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'somebody-else'",
        "principal = NULL",
        "code = 'no_change'",
        "took_us = took_us + 1",
        "details = '{}'",
        "first_at = first_at - interval '1 microsecond'",
        "occurrences = 2",
        """counts = '{"composed": 3}'""",
        "lease_ids = '{}'",
        "request_id = NULL",
        "subject_id = gen_random_uuid()",
    ],
)
async def test_a_changed_run_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, change: str
) -> None:
    third = await record(owner, 2)
    await owner.execute(
        f"UPDATE iu_core.iu_command_record SET {change} WHERE record_id = $1", third
    )
    assert await found(app_conn) == [("run_edited", f"run {third}")]


async def test_a_removed_run_is_named_and_so_are_its_instances(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    second = await record(owner, 1)
    batch = await owner.fetchval(
        "DELETE FROM iu_core.iu_command_record WHERE record_id = $1 RETURNING subject_id", second
    )
    instances = await owner.fetch(
        """SELECT instance_collection_id FROM iu_core.iu_auto_instantiate_event_log
            WHERE batch_id = $1""",
        batch,
    )
    findings = await found(app_conn)
    assert findings[0] == ("run_removed", f"run {second}")
    assert sorted(findings[1:]) == sorted(
        ("instance_unrecorded", f"instance {row['instance_collection_id']}") for row in instances
    )


async def test_a_run_that_is_put_in_afterwards_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    put_in = await owner.fetchval(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code)
           SELECT gen_random_uuid(), min(last_at), min(last_at) - interval '1 second', 'set_gate',
                  'done', 'ok'
             FROM iu_core.iu_command_record RETURNING record_id"""
    )
    assert await found(app_conn) == [("run_inserted", f"run {put_in}")]


async def test_segments_of_few_and_of_many_runs_are_looked_at_alike(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    """They are planned otherwise, which ends with the call."""
    for minutes, count in ((2, 1), (4, 150), (6, 1)):
        await owner.execute(
            f"""INSERT INTO iu_core.iu_command_record
                       (subject_id, first_at, last_at, command, outcome, code)
                SELECT gen_random_uuid(), t.at, t.at, 'set_gate', 'done', 'ok'
                  FROM iu_core.fn_iu_fact_time() AS t(at), generate_series(1, {count})"""
        )
        await set_clock(owner, timedelta(minutes=minutes))
        assert (await seal(app_conn))["runs"] == count
    edited = [await record(owner, place) for place in (0, 100, 151)]
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET actor = 'x' WHERE record_id = ANY ($1::uuid[])",
        edited,
    )
    assert await found(app_conn) == [("run_edited", f"run {run}") for run in edited]
    async with app_conn.transaction():
        assert (await verify(app_conn, segments=1))["after"] == 1
        for setting, value in (("plan_cache_mode", "auto"), ("enable_seqscan", "on")):
            assert await app_conn.fetchval(f"SHOW {setting}") == value


async def test_a_run_that_was_moved_to_another_time_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    """Out of its own segment, into another."""
    third = await record(owner, 2)
    await owner.execute(
        """UPDATE iu_core.iu_command_record
              SET last_at = (SELECT min(last_at) FROM iu_core.iu_command_record)
                            - interval '1 second'
            WHERE record_id = $1""",
        third,
    )
    assert await found(app_conn) == [
        ("run_inserted", f"run {third}"),
        ("run_removed", f"run {third}"),
    ]


@pytest.mark.parametrize("at", ["-infinity", "infinity", "20000-01-01", "0044-03-15 BC"])
@pytest.mark.parametrize("column", ["first_at", "last_at"])
async def test_a_run_has_a_time_that_can_be_read(
    owner: asyncpg.Connection, sealed: None, column: str, at: str
) -> None:
    """Before the beginning it would not be looked at, and at the end not be sealed, for ever."""
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(f"UPDATE iu_core.iu_command_record SET {column} = '{at}'")


@pytest.mark.parametrize("wrong", ["outcome = 'perhaps'", "occurrences = 0"])
async def test_a_run_has_an_outcome_and_was_at_least_once(
    owner: asyncpg.Connection, sealed: None, wrong: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute(f"UPDATE iu_core.iu_command_record SET {wrong}")


@pytest.mark.parametrize("at", ["infinity", "20000-01-01"])
async def test_a_time_that_nobody_can_read_does_not_keep_from_verifying(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, at: str
) -> None:
    last = await record(owner, 2)
    await owner.execute(
        "ALTER DOMAIN iu_core.iu_command_time DROP CONSTRAINT iu_command_time_check"
    )
    await owner.execute(
        f"UPDATE iu_core.iu_command_record SET last_at = '{at}' WHERE record_id = $1", last
    )
    answer = await verify(app_conn)
    assert [finding["subject"] for finding in answer["findings"]] == [f"run {last}"]
    assert datetime.fromisoformat(answer["unsealed"]["since"]).year == 9999
    await owner.execute(
        f"UPDATE iu_core.iu_audit_segment SET last_at = '{at}' WHERE segment_no = 3"
    )
    answer = await verify(app_conn)
    assert datetime.fromisoformat(answer["sealed_until"]).year == 9999


async def test_a_reordered_list_is_named_with_the_runs_that_it_misplaces(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    for gate in ("composer", "delivery", "lifecycle"):
        await open_gate(app_conn, f"iu_core.{gate}_enabled")
    await let_a_minute_pass(owner)
    await seal(app_conn)
    one, two, three = (await owner.fetchval(LIST, 1)).splitlines(keepends=True)
    await owner.execute("UPDATE iu_core.iu_audit_segment SET sealed_runs = $1", two + one + three)
    assert await found(app_conn) == [
        ("segment_edited", "segment 1"),
        ("run_reordered", f"run {two[66:].strip()}"),
        ("run_reordered", f"run {one[66:].strip()}"),
    ]


async def test_a_run_that_no_list_names_is_not_shown_as_sealed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    """Though its time is within a segment's."""
    for minutes, gate in ((8, "composer"), (8, "lifecycle"), (10, "")):
        await set_clock(owner, timedelta(minutes=minutes))
        if gate:
            await open_gate(app_conn, f"iu_core.{gate}_enabled")
    await seal(app_conn)
    put_in = await owner.fetchval(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code)
           SELECT gen_random_uuid(), first_at, first_at + (last_at - first_at) / 2, 'set_gate',
                  'done', 'ok'
             FROM iu_core.iu_audit_segment WHERE segment_no = 4 RETURNING record_id"""
    )
    rows = await owner.fetch(
        "SELECT record_id, segment_no FROM iu_core.v_iu_command_record ORDER BY last_at, record_id"
    )
    assert [row["segment_no"] for row in rows] == [1, 2, 3, 4, None, 4]
    assert rows[4]["record_id"] == put_in
    assert await found(app_conn) == [("run_inserted", f"run {put_in}")]


@pytest.mark.parametrize("change", ["sealed_runs = 'x'", "runs = 7", "sealed_by = 'else'"])
async def test_a_changed_segment_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, change: str
) -> None:
    await owner.execute(f"UPDATE iu_core.iu_audit_segment SET {change} WHERE segment_no = 2")
    assert ("segment_edited", "segment 2") in await found(app_conn)


async def test_a_segment_that_was_made_anew_does_not_fit_the_next_one(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    await owner.execute(
        """UPDATE iu_core.iu_audit_segment SET sealed_by = 'else' WHERE segment_no = 2;
           UPDATE iu_core.iu_audit_segment AS s
              SET segment_digest = iu_core.fn_iu_sha256(iu_core.fn_iu_audit_head(s))
            WHERE segment_no = 2"""
    )
    assert await found(app_conn) == [("segment_unlinked", "segment 3")]


async def test_a_missing_segment_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    await owner.execute("DELETE FROM iu_core.iu_audit_segment WHERE segment_no = 2")
    assert await found(app_conn) == [("segment_removed", "segment 2")]


@pytest.mark.parametrize("with_its_runs", [True, False])
async def test_a_truncated_chain_is_named(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, with_its_runs: bool
) -> None:
    last = await record(owner, 2)
    await owner.execute("DELETE FROM iu_core.iu_audit_segment WHERE segment_no = 3")
    if with_its_runs:
        await owner.execute("DELETE FROM iu_core.iu_command_record WHERE record_id = $1", last)
    assert await found(app_conn) == [("chain_truncated", "segment 3")]


async def test_a_chain_whose_end_is_gone_is_named_and_not_sealed_on(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    """Otherwise whoever takes the end away could take the last segments with it."""
    last = await record(owner, 2)
    await owner.execute("DELETE FROM iu_core.iu_audit_chain")
    await owner.execute("DELETE FROM iu_core.iu_audit_segment WHERE segment_no = 3")
    await owner.execute("DELETE FROM iu_core.iu_command_record WHERE record_id = $1", last)
    assert await found(app_conn) == [("chain_truncated", "chain")]
    await open_gate(app_conn, "iu_core.lifecycle_enabled")
    assert (await verify(app_conn))["unsealed"]["runs"] == 1
    await let_a_minute_pass(owner, 8)
    with pytest.raises(asyncpg.PostgresError, match="audit_chain_broken") as raised:
        await seal(app_conn)
    assert raised.value.sqlstate == "PF409"


async def test_a_chain_that_was_written_anew_does_not_have_the_head_that_was_kept(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    kept = await export(app_conn)
    head = kept["segment_digest"]
    assert sha256(kept["head"]) == kept["segment_digest"]
    assert await found(app_conn, head=head) == []
    await owner.execute(
        """DELETE FROM iu_core.iu_audit_segment;
           DELETE FROM iu_core.iu_command_record WHERE command = 'set_gate';
           UPDATE iu_core.iu_audit_chain
              SET last_at = '-infinity', segment_no = 0, segment_digest = repeat('0', 64),
                  last_record_id = '00000000-0000-0000-0000-000000000000'"""
    )
    await let_a_minute_pass(owner, 8)
    await seal(app_conn)
    assert await found(app_conn) == []
    assert await found(app_conn, head=head) == [("head_missing", f"head {head}")]


async def test_what_is_wrong_with_the_chain_is_told_before_what_is_with_its_runs(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    first = await record(owner, 0)
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET code = 'x' WHERE record_id = $1", first
    )
    await owner.execute(
        """UPDATE iu_core.iu_audit_segment SET sealed_by = 'else' WHERE segment_no = 2;
           DELETE FROM iu_core.iu_audit_segment WHERE segment_no = 3"""
    )
    head = "0" * 64
    answer = await verify(app_conn, head=head)
    assert [(finding["kind"], finding["subject"]) for finding in answer["findings"]] == [
        ("chain_truncated", "segment 3"),
        ("head_missing", f"head {head}"),
        ("segment_edited", "segment 2"),
        ("run_edited", f"run {first}"),
    ]
    assert (answer["about_chain"], answer["truncated"]) == (3, False)


async def test_what_is_wrong_with_the_chain_is_told_however_many_runs_are_wrong(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None
) -> None:
    await owner.execute(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code)
           SELECT gen_random_uuid(), first_at, first_at - interval '1 microsecond', 'set_gate',
                  'done', 'ok'
             FROM iu_core.iu_audit_segment, generate_series(1, 150) WHERE segment_no = 1;
           UPDATE iu_core.iu_audit_segment SET sealed_by = 'else' WHERE segment_no = 1"""
    )
    answer = await verify(app_conn)
    kinds = [finding["kind"] for finding in answer["findings"]]
    assert kinds == ["segment_edited"] + ["run_inserted"] * 99
    assert (answer["about_chain"], answer["truncated"], answer["after"]) == (1, True, 1)
