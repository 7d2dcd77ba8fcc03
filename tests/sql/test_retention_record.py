"""Retention of the command record: whole segments, sealed and exported, and nothing that proves."""

from datetime import timedelta

import asyncpg
import pytest

from tests.support.audit import export, found, runs, seal, verify
from tests.support.composing import Item, compose
from tests.support.gates import open_gate, set_clock
from tests.support.retention import (
    GATE,
    YEARS,
    cleanup,
    count,
    dry_run,
    put_policy,
    rows,
    seal_and_export,
    set_effort,
    set_limits,
)
from tests.support.rollback import by_actor
from tests.support.templates import Template, make_template, open_gates

RETIRED = """SELECT segment_no FROM iu_core.iu_audit_segment
              WHERE retired_at IS NOT NULL ORDER BY segment_no"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from, the gates open, that of retention too."""
    template = await make_template(owner)
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled", "retention_enabled")
    await owner.execute("TRUNCATE iu_core.iu_command_record")
    return template


async def a_segment(owner: asyncpg.Connection, template: Template, minutes: int) -> None:
    """Two runs of composing, sealed in a segment that was exported."""
    await compose(owner, Item(template.key))
    await compose(owner, Item(template.key))
    await seal_and_export(owner, minutes)


async def retired(owner: asyncpg.Connection) -> list[int]:
    """The segments that are marked as retired."""
    return [row["segment_no"] for row in await owner.fetch(RETIRED)]


def held(answer: dict[str, object]) -> dict[str, int]:
    """What stands against segments that are old enough."""
    targets = answer["targets"]
    assert isinstance(targets, list)
    (target,) = [t for t in targets if t["target"] == "command_record"]
    found: dict[str, int] = target["held"]
    return found


async def test_segments_that_were_exported_go_and_verifying_finds_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await a_segment(owner, template, 4)
    await set_clock(owner, timedelta(days=729))
    assert rows(await cleanup(app_conn)) == {}
    await set_clock(owner, YEARS)
    plan = await dry_run(app_conn)
    assert rows(plan, "rows_eligible") == {"command_record": 4}
    answer = await cleanup(app_conn, plan)
    assert (rows(answer), answer["complete"], answer["segments_retired"]) == (
        {"command_record": 4},
        True,
        [1, 2],
    )
    assert await runs(owner, command="instantiate_from_event") == []
    # The run of the first export lies in the second segment, and is kept.
    assert len(await runs(owner, command="export_audit_head")) == 2
    assert await found(app_conn) == []
    assert (await verify(app_conn))["retired"] == 2
    done = (await runs(owner, command="cleanup_retention", outcome="done"))[-1]
    digests = await owner.fetch("SELECT segment_no, segment_digest FROM iu_core.iu_audit_segment")
    assert done["details"]["retired"] == {
        str(row["segment_no"]): row["segment_digest"] for row in digests
    }
    by = await owner.fetchval("SELECT DISTINCT retired_by FROM iu_core.iu_audit_segment")
    assert by == await owner.fetchval(
        """SELECT subject_id FROM iu_core.iu_command_record
            WHERE command = 'cleanup_retention' AND details ? 'retired'"""
    )


async def test_a_cleanup_of_later_years_keeps_the_runs_of_the_earlier_ones(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    for years in (1, 2, 3):
        await set_clock(owner, years * YEARS)
        await cleanup(app_conn)
        await set_clock(owner, years * YEARS + timedelta(minutes=2))
        await seal(app_conn)
        assert (await export(app_conn))["status"] == "ok"
    assert len(await runs(owner, command="cleanup_retention", outcome="done")) == 3
    assert await found(app_conn) == []
    assert (await dry_run(app_conn))["rows_eligible"] == 0


async def test_what_is_not_sealed_or_not_exported_stays_and_it_is_said_why(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await compose(owner, Item(template.key))
    await set_clock(owner, timedelta(minutes=4))
    await seal(owner)  # and not exported: the export and the composing
    await compose(owner, Item(template.key))  # and not sealed
    await set_clock(owner, YEARS)
    plan = await dry_run(app_conn)
    assert held(plan) == {"not_exported": 1}
    # What is exported after the plan is not in it.
    assert (await export(app_conn))["status"] == "ok"
    assert rows(await cleanup(app_conn, plan)) == {"command_record": 2}
    assert await retired(owner) == [1]
    answer = await cleanup(app_conn)
    assert (rows(answer), held(answer)) == ({"command_record": 1}, {})
    assert await retired(owner) == [1, 2]
    assert len(await runs(owner, command="instantiate_from_event")) == 1
    assert await found(app_conn) == []


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE iu_core.iu_command_record SET principal = 'x'",
        """DELETE FROM iu_core.iu_command_record AS d
            WHERE d.record_id = (SELECT r.record_id FROM iu_core.iu_command_record AS r
                                  WHERE r.command = 'instantiate_from_event' LIMIT 1)""",
        "UPDATE iu_core.iu_collection_template_instance_lineage SET composition_digest ="
        " (SELECT max(composition_digest) FROM iu_core.iu_composition"
        " WHERE composition_digest <> iu_collection_template_instance_lineage.composition_digest)",
        "UPDATE iu_core.iu_audit_segment SET sealed_by = 'x'",
    ],
)
async def test_a_segment_in_which_verifying_finds_something_is_not_retired(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, deed: str
) -> None:
    await make_template(owner, "tpl:file:report", pieces=2)
    await owner.execute("TRUNCATE iu_core.iu_command_record")
    await a_segment(owner, template, 2)
    await owner.execute(deed)
    before = await found(app_conn)
    assert before != []
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (rows(answer), held(answer), await retired(owner)) == ({}, {"verify_finds": 1}, [])
    assert await found(app_conn) == before


async def test_no_more_segments_are_looked_at_than_have_composed_a_million_instances(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Each instance is looked at, and planning is one call."""
    for minutes in (2, 4, 6):
        await a_segment(owner, template, minutes)
    await owner.execute(
        """UPDATE iu_core.iu_command_record SET counts = jsonb_set(counts, '{composed}', '300000')
            WHERE command = 'instantiate_from_event'"""
    )
    await set_clock(owner, YEARS)
    assert held(await dry_run(app_conn)) == {"verify_finds": 2}
    # What stands against all of them is told of each, and no instance is looked at for it.
    await owner.execute(
        """INSERT INTO iu_core.iu_instance_tombstone
                  (instance_collection_id, rollback_operation_id, event_id, reference_id,
                   template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,
                   data_digest, composition_digest, rolled_back_by, reason)
           SELECT l.instance_collection_id, gen_random_uuid(), l.event_id, l.reference_id,
                  l.template_collection_id, now(), now(), '', '', '', '', '', '', ''
             FROM iu_core.iu_auto_instantiate_event_log AS l LIMIT 1"""
    )
    assert held(await dry_run(app_conn)) == {"verify_finds": 3}


MANY_UNEXPORTED = """
    INSERT INTO iu_core.iu_audit_segment
           (segment_no, last_record_id, first_at, last_at, sealed_at, runs, runs_digest,
            previous_digest, segment_digest, sealed_by, sealed_runs)
    SELECT 1 + i, gen_random_uuid(), t, t, t, 1, repeat('0', 64), repeat('0', 64),
           repeat('0', 64), 'test', ''
      FROM generate_series(1, 1500) AS i
     CROSS JOIN LATERAL (SELECT c.last_at + i * interval '1 ms' AS t
                           FROM iu_core.iu_audit_chain AS c) AS at
"""


async def test_a_plan_looks_through_so_many_segments_and_says_that_there_are_more(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """However few runs each of them has: a quiet day has as many segments as a busy one."""
    for minutes in (2, 4, 6, 8):
        await a_segment(owner, template, minutes)
    await set_clock(owner, YEARS)
    await set_effort(owner, 150)
    first = await cleanup(app_conn)
    assert (rows(first), first["complete"]) == ({"command_record": 6}, True)
    assert first["segments_retired"] == [1, 2, 3]
    assert [t["target"] for t in first["targets"] if t["more"]] == ["command_record"]
    second = await cleanup(app_conn)
    assert (second["segments_retired"], second["complete"]) == ([4], True)
    assert [t["target"] for t in second["targets"] if t["more"]] == []


async def test_segments_in_which_verifying_finds_something_do_not_take_for_ever_either(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    for minutes in (2, 4, 6):
        await a_segment(owner, template, minutes)
    await owner.execute("UPDATE iu_core.iu_command_record SET took_us = took_us + 1")
    await set_clock(owner, YEARS)
    await set_effort(owner, 100)
    planned = await dry_run(app_conn)
    assert (planned["rows_eligible"], held(planned)) == (0, {"verify_finds": 2})
    assert [t["target"] for t in planned["targets"] if t["more"]] == ["command_record"]


async def test_all_segments_that_were_not_exported_are_counted(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await owner.execute(MANY_UNEXPORTED)
    await owner.execute(
        """UPDATE iu_core.iu_audit_chain
              SET last_at = (SELECT max(s.last_at) FROM iu_core.iu_audit_segment AS s)"""
    )
    await set_clock(owner, YEARS)
    planned = await dry_run(app_conn)
    assert (planned["rows_eligible"], held(planned)) == (2, {"not_exported": 1500})
    assert [t["target"] for t in planned["targets"] if t["more"]] == []


async def test_tombstones_stay_and_a_false_one_keeps_the_record(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await compose(owner, Item(template.key), Item(template.key, actor="ops-bot"))
    assert (await by_actor(owner, "hr-bot"))["status"] == "ok"
    await seal_and_export(owner, 2)
    await set_clock(owner, YEARS)
    await owner.execute(
        "UPDATE iu_core.iu_instance_tombstone SET rollback_operation_id = gen_random_uuid()"
    )
    assert held(await dry_run(app_conn)) == {"verify_finds": 1}
    await owner.execute(
        """UPDATE iu_core.iu_instance_tombstone SET rollback_operation_id =
               (SELECT subject_id FROM iu_core.iu_command_record
                 WHERE command = 'rollback_by_actor')"""
    )
    assert rows(await cleanup(app_conn))["command_record"] == 3
    assert await count(owner, "iu_instance_tombstone") == 1
    assert await found(app_conn) == []


async def test_what_was_tried_and_is_forgotten_is_not_counted_any_more(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    tried = Item(template.key, emit_mode="dry_run")
    await compose(owner, tried, Item(template.key, emit_mode="dry_run"))
    await seal_and_export(owner, 2)
    await set_clock(owner, timedelta(days=600))
    await compose(owner, tried)
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn))["command_record"] == 2
    counted = await owner.fetchval(
        """SELECT events FROM iu_core.v_iu_auto_instantiate_event_summary
            WHERE emit_mode = 'dry_run'"""
    )
    assert counted == 1
    assert await owner.fetch("SELECT * FROM iu_core.fn_iu_finding_counters()") == []


async def test_what_was_composed_before_can_still_be_verified_but_not_by_its_run(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    (made,) = await compose(owner, Item(template.key))
    await seal_and_export(owner, 2)
    await set_clock(owner, YEARS)
    assert rows(await cleanup(app_conn))["command_record"] == 1
    checked = await app_conn.fetchval(
        "SELECT to_jsonb(v) FROM iu_core.fn_iu_verify_instance($1) AS v",
        made["instance_collection_id"],
    )
    assert checked
    assert await found(app_conn) == []


async def test_a_segment_that_is_half_gone_is_carried_on(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await set_clock(owner, YEARS)
    kept = await owner.fetchval(
        """SELECT to_jsonb(d) FROM iu_core.iu_command_record AS d
            WHERE d.command = 'instantiate_from_event' LIMIT 1"""
    )
    assert rows(await cleanup(app_conn)) == {"command_record": 2}
    await owner.execute(
        """INSERT INTO iu_core.iu_command_record
           SELECT d.* FROM jsonb_populate_record(NULL::iu_core.iu_command_record, $1) AS d""",
        kept,
    )
    marked = await owner.fetchrow("SELECT * FROM iu_core.iu_audit_segment WHERE segment_no = 1")
    answer = await cleanup(app_conn)
    assert (rows(answer), answer["segments_retired"]) == ({"command_record": 1}, [])
    assert marked == await owner.fetchrow(
        "SELECT * FROM iu_core.iu_audit_segment WHERE segment_no = 1"
    )
    assert await found(app_conn) == []


async def test_a_dry_run_of_a_plan_under_way_tells_whether_anything_of_it_may_still_go(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    for minutes in (2, 4):
        await a_segment(owner, template, minutes)
    await set_clock(owner, YEARS)
    await set_limits(owner, 10, 1)
    begun = await cleanup(app_conn)
    assert (rows(begun), begun["complete"]) == ({"command_record": 2}, False)
    assert (await cleanup(app_conn, begun, dry_run=True))["complete"] is False
    await owner.execute(
        "UPDATE iu_core.iu_command_record SET took_us = 1 WHERE command = 'instantiate_from_event'"
    )
    looked = await cleanup(app_conn, begun, dry_run=True)
    assert (looked["complete"], rows(looked, "rows_left")) == (True, rows(begun, "rows_left"))
    ended = await cleanup(app_conn, begun)
    assert (ended["complete"], rows(ended)) == (True, {})


async def test_a_mark_that_no_run_has_given_deletes_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await owner.execute(
        "UPDATE iu_core.iu_audit_segment SET retired_at = now(), retired_by = gen_random_uuid()"
    )
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (rows(answer), held(answer)) == ({}, {"verify_finds": 1})


async def test_segments_beside_each_other_stay(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """The clock was ahead, and was set back: the runs of one are needed to verify the other."""
    await compose(owner, Item(template.key))
    await set_clock(owner, timedelta(minutes=30))
    await compose(owner, Item(template.key))
    await set_clock(owner, timedelta(minutes=32))
    await seal(owner)
    await set_clock(owner, timedelta(minutes=5))
    await compose(owner, Item(template.key))
    await set_clock(owner, timedelta(minutes=7))
    await seal(owner)
    await set_clock(owner, timedelta(minutes=40))
    assert (await export(owner))["status"] == "ok"
    before = await found(app_conn)
    assert {kind for kind, _ in before} == {"segment_late"}
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (rows(answer), held(answer)) == ({}, {"clock_set_back": 2})
    assert await found(app_conn) == before


async def test_a_call_retires_whole_segments_until_it_has_done_enough(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    for minutes in (2, 4, 6):
        await a_segment(owner, template, minutes)
    await set_clock(owner, YEARS)
    await set_limits(owner, 4, 1)
    first = await cleanup(app_conn)
    assert (rows(first), first["segments_retired"], first["complete"]) == (
        {"command_record": 2},
        [1],
        False,
    )
    assert rows(first, "more") == {"command_record": True}
    assert await found(app_conn) == []
    second = await cleanup(app_conn, first)
    assert (rows(second), second["segments_retired"], second["complete"]) == (
        {"command_record": 2},
        [2],
        True,
    )
    assert await retired(owner) == [1, 2]
    assert (await cleanup(app_conn))["segments_retired"] == [3]
    assert await found(app_conn) == []


async def test_a_record_that_is_kept_is_kept(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await a_segment(owner, template, 2)
    await put_policy(app_conn, "command_record", 730, enabled=False)
    await set_clock(owner, YEARS)
    answer = await cleanup(app_conn)
    assert (answer["rows_eligible"], held(answer)) == (0, {})
    assert await retired(owner) == []


async def test_the_gate_is_the_only_one_that_is_asked(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    assert (await cleanup(app_conn))["status"] == "retention_gate_closed"
    await open_gate(owner, GATE)
    assert (await cleanup(app_conn))["status"] == "ok"
