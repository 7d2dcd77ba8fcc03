"""The state before replay 25000x is that of the requirements, number by number, and sound."""

from typing import Any

import asyncpg
import pytest

from app.replay import baseline_25000x
from tests.support.rows import one_row


@pytest.fixture
async def baseline(owner: asyncpg.Connection) -> None:
    """The baseline, loaded as the command does."""
    async with owner.transaction():
        await owner.execute(baseline_25000x())


BEFORE = {
    "information_unit": 174,
    "iu_piece_collection": 10,
    "iu_piece_membership": 43,
    "iu_collection_template_instance_lineage": 4,
    "iu_auto_instantiate_event_log": 0,
    "iu_collection_template_registry": 3,
    "iu_collection_template_version": 2,
    "iu_lifecycle_log": 146,
    "iu_vector_sync_point": 152,
}


@pytest.mark.usefixtures("baseline")
async def test_it_has_the_rows_of_the_requirements(owner: asyncpg.Connection) -> None:
    counted = {
        table: await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}") for table in BEFORE
    }
    assert counted == BEFORE

    axes = await owner.fetch(
        "SELECT axis, count(*) FROM iu_core.iu_unit_axis GROUP BY axis ORDER BY axis"
    )
    assert [tuple(row) for row in axes] == [("DIEU-28", 27), ("DIEU-32", 23), ("DIEU-35", 36)]

    outbox = await owner.fetch(
        "SELECT domain, count(*) FROM iu_core.event_outbox GROUP BY domain ORDER BY domain"
    )
    assert [tuple(row) for row in outbox] == [("iu", 7), ("system", 4)]

    open_gates = "SELECT count(*) FROM iu_core.v_iu_gate WHERE state <> 'closed'"
    assert await owner.fetchval(open_gates) == 0


@pytest.mark.usefixtures("baseline")
async def test_its_plain_collections_hold_eight_pieces(owner: asyncpg.Connection) -> None:
    plain = await one_row(
        owner,
        """SELECT count(DISTINCT c.collection_id) AS collections, count(*) AS memberships
             FROM iu_core.iu_piece_collection AS c
             JOIN iu_core.iu_composition_piece AS p USING (composition_digest)
            WHERE NOT c.is_instance
              AND c.collection_id NOT IN (SELECT template_collection_id
                                            FROM iu_core.iu_collection_template_registry)""",
    )
    assert (plain["collections"], plain["memberships"]) == (3, 8)


@pytest.mark.usefixtures("baseline")
async def test_its_templates_stand_as_they_do_before_the_replay(
    owner: asyncpg.Connection,
) -> None:
    rows = await owner.fetch(
        """SELECT template_key, version, status, piece_count, instances, matches, diverges,
                  template_without_version, family_chain_length, digest_drift_from_previous
             FROM iu_core.v_iu_template_observability ORDER BY template_key"""
    )
    assert [tuple(row) for row in rows] == [
        ("tpl:file:status-report/v1", "v1", None, 5, 0, 0, 0, True, 0, None),
        ("tpl:wf:onboarding/v1", "v1", "superseded", 5, 1, 1, 0, False, 2, None),
        ("tpl:wf:onboarding/v2", "v2", "current", 5, 3, 3, 0, False, 2, True),
    ]


@pytest.mark.usefixtures("baseline")
async def test_integrity_holds_on_it(app_conn: asyncpg.Connection) -> None:
    answer: dict[str, Any] = await app_conn.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    assert answer["holds"] is True
    assert answer["findings"] == [
        {
            "kind": "template_without_version",
            "subject": "template tpl:file:status-report/v1",
            "expected": "a version",
            "actual": "none",
        }
    ]


@pytest.mark.usefixtures("baseline")
async def test_the_audit_log_answers_for_instances_that_no_run_has_composed(
    owner: asyncpg.Connection,
) -> None:
    verify = "SELECT iu_core.fn_iu_audit_verify(0, 10, NULL)"
    assert (await owner.fetchval(verify))["findings"] == []

    await owner.execute(
        """DELETE FROM iu_core.iu_collection_template_instance_lineage
            WHERE instance_collection_id = (
                  SELECT collection_id FROM iu_core.iu_piece_collection
                   WHERE collection_key = 'tpl-inst:manual:25000x-wf-003')"""
    )
    (found,) = (await owner.fetchval(verify))["findings"]
    assert found["kind"] == "instances_differ"
    assert (found["expected"][:2], found["actual"][:2]) == ("4 ", "3 ")


@pytest.mark.usefixtures("baseline")
async def test_it_does_not_go_into_a_database_that_is_in_use(owner: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.RaiseError, match="into an empty database"):
        await owner.execute(baseline_25000x())
    assert await owner.fetchval("SELECT count(*) FROM iu_core.information_unit") == 174
