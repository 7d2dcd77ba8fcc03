"""The audit chain: what is sealed when, and that whatever is done to it afterwards is named."""

import asyncio
import hashlib
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from tests.support.audit import export, found, let_a_minute_pass, retire, seal, verify
from tests.support.composing import Item, compose
from tests.support.gates import close, open_gate, set_clock
from tests.support.interleaving import wait_until
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

LIST = "SELECT sealed_runs FROM iu_core.iu_audit_segment WHERE segment_no = $1"
HEAD = "SELECT iu_core.fn_iu_audit_head(s) FROM iu_core.iu_audit_segment AS s WHERE segment_no = $1"
RECORD = (
    "SELECT record_id FROM iu_core.iu_command_record ORDER BY last_at, record_id OFFSET $1 LIMIT 1"
)


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    template = await make_template(owner)
    await open_gates(owner)
    return template


@pytest.fixture
async def sealed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Three segments, of one run each: of two composing calls, and of a closed gate."""
    for minutes in (2, 4):
        await compose(app_conn, Item(template.key), Item(template.key))
        await let_a_minute_pass(owner, minutes)
        assert (await seal(app_conn))["segments"] == 1
    await close(app_conn, "iu_core.delivery_enabled")
    await let_a_minute_pass(owner, 6)
    assert (await seal(app_conn))["segment_no"] == 3


async def test_a_chain_can_be_computed_by_anybody(owner: asyncpg.Connection, sealed: None) -> None:
    before = "0" * 64
    for number in (1, 2, 3):
        segment = await one_row(
            owner, "SELECT * FROM iu_core.iu_audit_segment WHERE segment_no = $1", number
        )
        rows = await owner.fetch(
            """SELECT d.record_id, iu_core.fn_iu_run_text(d) AS run_text
                 FROM iu_core.iu_command_record AS d
                WHERE d.last_at BETWEEN $1 AND $2 ORDER BY d.last_at, d.record_id""",
            segment["first_at"],
            segment["last_at"],
        )
        listed = "".join(f"{sha256(row['run_text'])}  {row['record_id']}\n" for row in rows)
        assert listed == segment["sealed_runs"]
        assert segment["runs"] == len(rows) == 1
        utc = [
            f"{segment[at]:%Y-%m-%dT%H:%M:%S.%fZ}" for at in ("first_at", "last_at", "sealed_at")
        ]
        head = (
            f"segment {number}\nruns 1\nfrom {utc[0]}\nto {utc[1]} {rows[0]['record_id']}\n"
            f"sealed {utc[2]}\nruns_sha256 {sha256(listed)}\nprevious_sha256 {before}\n"
            "sealed_by tester\n"
        )
        assert await owner.fetchval(HEAD, number) == head
        assert segment["segment_digest"] == sha256(head)
        before = segment["segment_digest"]


async def test_a_whole_chain_holds(app_conn: asyncpg.Connection, sealed: None) -> None:
    answer = await verify(app_conn)
    assert answer["findings"] == []
    assert (answer["segments"], answer["runs"], answer["segment_no"]) == (3, 3, 3)
    assert answer["unsealed"] == {"runs": 0, "since": None, "more": False}
    assert answer["after"] is None


async def test_a_chain_is_verified_in_portions(app_conn: asyncpg.Connection, sealed: None) -> None:
    first = await verify(app_conn, 0, 2)
    assert (first["segments"], first["after"]) == (2, 2)
    assert "unsealed" not in first
    rest = await verify(app_conn, first["after"], 2)
    assert (rest["segments"], rest["after"]) == (1, None)


# ------------------------------------------------------------------------------------ sealing


async def test_only_what_is_from_before_the_last_whole_minute_is_sealed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gate(app_conn, "iu_core.delivery_enabled")
    answer = await seal(app_conn)
    assert (answer["segments"], answer["segment_no"], answer["more"]) == (0, 0, False)
    assert (await verify(app_conn))["unsealed"]["runs"] == 1
    looked = await owner.fetchval("SELECT looked_at FROM iu_core.iu_audit_chain")
    assert looked is None  # where nothing is old enough, nothing is written


async def test_what_is_still_being_written_is_waited_for(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, second: asyncpg.Connection
) -> None:
    """A run whose transaction began before must not come behind those that are sealed."""
    slow = second.transaction()
    await slow.start()
    await open_gate(second, "iu_core.delivery_enabled")
    await open_gate(app_conn, "iu_core.composer_enabled")
    await let_a_minute_pass(owner)
    waiting = await seal(app_conn)
    assert (waiting["segments"], waiting["more"]) == (0, True)
    await slow.commit()
    answer = await seal(app_conn)
    assert (answer["runs"], answer["more"]) == (2, False)
    assert await found(app_conn) == []


async def test_what_was_prepared_is_waited_for_though_no_process_has_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, second: asyncpg.Connection
) -> None:
    prepared = f"'{uuid4()}'"
    await second.execute("BEGIN")
    await open_gate(second, "iu_core.delivery_enabled")
    await second.execute(f"PREPARE TRANSACTION {prepared}")
    try:
        await second.close()
        await open_gate(app_conn, "iu_core.composer_enabled")
        await let_a_minute_pass(owner)
        waiting = await seal(app_conn)
    finally:
        await app_conn.execute(f"COMMIT PREPARED {prepared}")
    assert (waiting["segments"], waiting["more"]) == (0, True)
    answer = await seal(app_conn)
    assert (answer["runs"], answer["more"]) == (2, False)
    assert await found(app_conn) == []


async def test_what_was_prepared_in_another_database_is_not_waited_for(
    app_conn: asyncpg.Connection, maintenance: asyncpg.Connection
) -> None:
    prepared = f"'{uuid4()}'"
    await maintenance.execute("BEGIN")
    number = await maintenance.fetchval("SELECT pg_current_xact_id()::text")
    await maintenance.execute(f"PREPARE TRANSACTION {prepared}")
    try:
        running = await app_conn.fetchval("SELECT running FROM iu_core.fn_iu_fact_horizon()")
    finally:
        await maintenance.execute(f"ROLLBACK PREPARED {prepared}")
    assert number not in running


async def test_writers_that_never_pause_do_not_keep_it_from_sealing(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    third: asyncpg.Connection,
) -> None:
    """Of those who were writing at one look nobody is at the next, though somebody else is."""
    await open_gate(app_conn, "iu_core.composer_enabled")
    one, other = second.transaction(), third.transaction()
    await one.start()
    await open_gate(second, "iu_core.delivery_enabled")
    await let_a_minute_pass(owner)
    assert (await seal(app_conn))["runs"] == 0
    await other.start()
    await open_gate(third, "iu_core.lifecycle_enabled")
    await one.commit()
    answer = await seal(app_conn)
    assert (answer["runs"], answer["more"]) == (2, False)
    await other.commit()


async def test_two_sealers_seal_each_run_once(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    observer: asyncpg.Connection,
) -> None:
    await open_gate(app_conn, "iu_core.composer_enabled")
    await let_a_minute_pass(owner)
    first = app_conn.transaction()
    await first.start()
    assert (await seal(app_conn))["runs"] == 1
    other = asyncio.create_task(seal(second))

    async def waits() -> bool:
        blocked: bool = await observer.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))",
            app_conn.get_server_pid(),
        )
        return blocked

    await wait_until(waits, "the second sealer waits")
    await first.commit()
    answer = await other
    assert (answer["runs"], answer["segment_no"]) == (0, 1)
    assert await found(app_conn) == []


async def test_a_killed_sealer_leaves_nothing_and_the_next_one_seals_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, second: asyncpg.Connection
) -> None:
    await open_gate(app_conn, "iu_core.composer_enabled")
    await let_a_minute_pass(owner)
    await second.execute("BEGIN")
    assert (await seal(second))["runs"] == 1
    second.terminate()
    answer = await seal(app_conn)
    assert (answer["runs"], answer["segment_no"]) == (1, 1)
    assert await found(app_conn) == []


async def test_a_segment_takes_a_thousand_runs_and_the_next_ones_the_rest(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await owner.execute(
        """INSERT INTO iu_core.iu_command_record
                  (subject_id, first_at, last_at, command, outcome, code)
           SELECT gen_random_uuid(), now(), now(), 'set_gate', 'done', 'ok'
             FROM generate_series(1, 2001)"""
    )
    await let_a_minute_pass(owner)
    first = await seal(app_conn, 2)
    assert (first["segments"], first["runs"], first["more"]) == (2, 2000, True)
    rest = await seal(app_conn, 2)
    assert (rest["segments"], rest["runs"], rest["more"]) == (1, 1, False)
    assert await found(app_conn) == []


async def test_a_chain_that_was_never_sealed_says_since_when(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await compose(app_conn, Item(template.key))
    await let_a_minute_pass(owner, 60)
    answer = await verify(app_conn)
    assert answer["findings"] == []
    assert answer["unsealed"]["runs"] == 1
    since = await owner.fetchval("SELECT last_at FROM iu_core.iu_command_record")
    assert datetime.fromisoformat(answer["unsealed"]["since"]) == since
    assert (answer["segment_no"], answer["sealed_until"]) == (None, None)


async def test_what_is_done_after_a_clock_was_set_back_is_sealed_too(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Otherwise everything until the time that it had shown would lie behind the chain for ever."""
    await open_gate(app_conn, "iu_core.composer_enabled")
    await set_clock(owner, timedelta(minutes=30))
    await compose(app_conn, Item(template.key))
    await set_clock(owner, timedelta(minutes=32))
    assert (await seal(app_conn))["segments"] == 1

    await set_clock(owner, timedelta(minutes=0))
    await open_gate(app_conn, "iu_core.delivery_enabled")
    await compose(app_conn, Item(template.key))
    assert [kind for kind, _ in await found(app_conn)] == ["run_inserted", "run_inserted"]
    await let_a_minute_pass(owner)
    answer = await seal(app_conn)
    assert (answer["runs"], answer["segment_no"], answer["more"]) == (2, 2, False)
    assert await found(app_conn) == [("segment_late", "segment 2")]

    # Once the clock has shown that time again, all is as ever, and nothing is sealed twice.
    await open_gate(app_conn, "iu_core.lifecycle_enabled")
    await set_clock(owner, timedelta(minutes=34))
    await compose(app_conn, Item(template.key))
    await set_clock(owner, timedelta(minutes=36))
    assert (await seal(app_conn))["runs"] == 2
    answer = await seal(app_conn)
    assert (answer["segments"], answer["segment_no"], answer["more"]) == (0, 3, False)
    assert await found(app_conn) == [("segment_late", "segment 2")]
    assert (await verify(app_conn))["unsealed"]["runs"] == 0
    segments = await owner.fetch(
        "SELECT segment_no FROM iu_core.v_iu_command_record ORDER BY last_at, record_id"
    )
    assert [row["segment_no"] for row in segments][:3] == [1, 2, 2]
    assert segments[-1]["segment_no"] == 3

    late = await record(owner, 1)
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET actor = 'else' WHERE record_id = $1", late
    )
    assert await found(app_conn) == [("segment_late", "segment 2"), ("run_edited", f"run {late}")]
    await owner.execute("DELETE FROM iu_core.iu_command_record WHERE record_id = $1", late)
    assert await found(app_conn) == [("segment_late", "segment 2"), ("run_removed", f"run {late}")]


async def test_the_minute_that_is_running_is_not_sealed_because_a_clock_was_ahead(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, second: asyncpg.Connection
) -> None:
    """Who was writing then says nothing of how far all is written now."""
    await open_gate(app_conn, "iu_core.composer_enabled")
    await set_clock(owner, timedelta(minutes=30))
    writing = second.transaction()
    await writing.start()
    await open_gate(second, "iu_core.delivery_enabled")
    assert (await seal(app_conn))["runs"] == 0  # looks, and notes who is writing
    await writing.rollback()
    assert (await seal(app_conn))["runs"] == 1
    await set_clock(owner, timedelta(minutes=0))
    await open_gate(app_conn, "iu_core.lifecycle_enabled")
    other = second.transaction()
    await other.start()
    await open_gate(second, "iu_core.delivery_enabled")
    assert (await seal(app_conn))["runs"] == 0
    await other.rollback()


async def test_it_is_not_sealed_in_a_transaction_that_keeps_one_snapshot(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gate(app_conn, "iu_core.composer_enabled")
    await let_a_minute_pass(owner)
    with pytest.raises(asyncpg.PostgresError) as raised:
        async with app_conn.transaction(isolation="repeatable_read"):
            await seal(app_conn)
    assert raised.value.sqlstate == "25000"


# ---------------------------------------------------------------------------------- tampering


async def record(owner: asyncpg.Connection, place: int) -> str:
    """The id of a run, by its place."""
    return str(await owner.fetchval(RECORD, place))


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


@pytest.mark.parametrize("at", ["infinity", "20000-01-01"])
async def test_a_time_that_nobody_can_read_does_not_keep_from_verifying(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, sealed: None, at: str
) -> None:
    last = await record(owner, 2)
    await owner.execute(
        "ALTER TABLE iu_core.iu_command_record DROP CONSTRAINT iu_command_record_times_check"
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


# --------------------------------------------------------------------- exporting and retiring


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
