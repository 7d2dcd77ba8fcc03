"""The audit chain: what is sealed when, and that anybody can compute it."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from tests.support.audit import (
    HEAD,
    found,
    let_a_minute_pass,
    record,
    seal,
    sha256,
    verify,
)
from tests.support.composing import Item, compose
from tests.support.gates import open_gate, set_clock
from tests.support.interleaving import wait_until
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open."""
    template = await make_template(owner)
    await open_gates(owner)
    return template


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


async def test_where_nobody_is_writing_one_look_seals_all(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    """Of a few looks one: another test's transaction that ends during one counts as of here."""
    for minutes in range(2, 22, 2):
        await open_gate(app_conn, "iu_core.delivery_enabled")
        await set_clock(owner, timedelta(minutes=minutes))
        answer = await app_conn.fetchval("SELECT iu_core.fn_iu_audit_seal('tester', 20)")
        if not answer["more"]:
            break
    assert (answer["segments"], answer["more"]) == (1, False)


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


async def test_a_segment_ends_with_the_run_by_which_it_has_a_hundred_thousand_instances(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Verifying one takes seconds then, however many instances each run has composed."""
    for _ in range(4):
        await compose(app_conn, Item(template.key))
    await owner.execute(
        """UPDATE iu_core.iu_command_record SET counts = jsonb_set(counts, '{composed}', '60000')
            WHERE command = 'instantiate_from_event'"""
    )
    await let_a_minute_pass(owner)
    await seal(app_conn)
    composed = await owner.fetch(
        """SELECT (SELECT count(*) FROM iu_core.iu_command_record AS d
                    WHERE d.instances_digest IS NOT NULL
                      AND position(d.record_id::text IN s.sealed_runs) > 0)
             FROM iu_core.iu_audit_segment AS s ORDER BY s.segment_no"""
    )
    assert [count for (count,) in composed] == [2, 2]


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
