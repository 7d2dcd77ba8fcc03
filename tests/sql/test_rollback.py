"""Rolling back by actor, and by plan and apply: what is removed, what is left behind."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose
from tests.support.rollback import (
    HR,
    NOTHING,
    OPERATOR,
    Selectors,
    apply,
    by_actor,
    composed,
    plan,
    plan_digest,
    present,
    row_counts,
)
from tests.support.rows import one_row
from tests.support.templates import Template, close_gates, make_template, open_gates


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1; both gates of composing open."""
    await open_gates(owner)
    return await make_template(owner)


async def test_the_contract_s_function_has_two_arguments_and_is_a_dry_run_by_default(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    name = "iu_core.fn_iu_auto_instantiate_rollback_by_actor(text, boolean)"
    assert await owner.fetchval("SELECT to_regprocedure($1) IS NOT NULL", name)
    await composed(app_conn, Item(template.key), Item(template.key, actor="it-bot"))
    before = await row_counts(owner)

    answer = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_auto_instantiate_rollback_by_actor('hr-bot')"
    )

    assert answer == {
        "status": "ok",
        "dry_run": True,
        "actor": "hr-bot",
        "instances": 1,
        "lineage_rows": 1,
        "log_rows": 1,
        "gone": 0,
        "blockers": [],
        "keys_released": 0,
        "messages_cancelled": 0,
    }
    assert await row_counts(owner) == before
    recorded = await one_row(
        owner,
        "SELECT command, outcome, code, actor, details FROM iu_core.iu_command_record"
        " WHERE outcome = 'dry_run'",
    )
    assert dict(recorded) == {
        "command": "rollback_by_actor",
        "outcome": "dry_run",
        "code": "ok",
        "actor": "hr-bot",
        "details": {"actor": "hr-bot", "instances": 1},
    }


async def test_rolling_back_an_actor_removes_all_of_it_and_nothing_of_others_with_all_gates_shut(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await composed(app_conn, Item(template.key), Item(template.family))
    (others,) = await composed(app_conn, Item(template.key, actor="it-bot"))
    await close_gates(owner)

    answer = await app_conn.fetchval(
        "SELECT iu_core.fn_iu_auto_instantiate_rollback_by_actor('hr-bot', false)"
    )

    rollback_id, at = answer.pop("rollback_operation_id"), answer.pop("rolled_back_at")
    assert answer == {
        "status": "ok",
        "dry_run": False,
        "actor": "hr-bot",
        "instances": 2,
        "lineage_rows": 2,
        "log_rows": 2,
        "gone": 0,
        "blockers": [],
        "keys_released": 0,
        "messages_cancelled": 2,
    }
    assert await present(owner) == {others}
    assert await row_counts(owner) == {
        "collections": 1,
        "lineage": 1,
        "log": 1,
        "tombstones": 2,
        "messages": 3 + 2,
        "cancelled": 2,
        "counted": 1,
    }
    tombstones = await owner.fetch(
        "SELECT rollback_operation_id, rolled_back_at FROM iu_core.iu_instance_tombstone"
    )
    assert {tuple(row) for row in tombstones} == {
        (UUID(rollback_id), datetime.fromisoformat(at)),
    }


async def test_a_tombstone_and_a_message_tell_what_was_rolled_back(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation, request = uuid4(), uuid4()
    item = Item(template.key, suffix="ada", data='{"name":"Ada"}')
    (original,) = await compose(app_conn, item, operation_id=operation)
    instance = original["instance_collection_id"]
    data_digest, batch = await one_row(
        owner, "SELECT data_digest, batch_id FROM iu_core.iu_auto_instantiate_event_log"
    )

    await by_actor(app_conn, "hr-bot", reason="wrong list", request_id=request)

    row = dict(await one_row(owner, "SELECT * FROM iu_core.iu_instance_tombstone"))
    rolled_back_at = row.pop("rolled_back_at")
    assert original["composed_at"] < rolled_back_at <= datetime.now(UTC)
    assert row == {
        "instance_collection_id": instance,
        "rollback_operation_id": request,
        "event_id": item.event_id,
        "reference_id": template.collection_id,
        "template_collection_id": template.collection_id,
        "operation_id": operation,
        "batch_id": batch,
        "composed_at": original["composed_at"],
        "released_at": None,
        "event_type": "hr.employee.hired",
        "suffix": "ada",
        "actor": "hr-bot",
        "data_digest": data_digest,
        "composition_digest": template.composition_digest,
        "rolled_back_by": OPERATOR,
        "reason": "wrong list",
        "released_by": None,
        "release_reason": None,
    }
    messages = await owner.fetch(
        """SELECT event_type, domain, subject_id, created_at, delivered_at, cancelled_at, payload
             FROM iu_core.event_outbox ORDER BY created_at"""
    )
    assert [dict(message) for message in messages[1:]] == [
        {
            "event_type": "iu.template.instance_rolled_back",
            "domain": "iu",
            "subject_id": instance,
            "created_at": rolled_back_at,
            "delivered_at": None,
            "cancelled_at": None,
            "payload": {
                "instance_collection_id": str(instance),
                "template_collection_id": str(template.collection_id),
                "event_id": str(item.event_id),
                "event_type": "hr.employee.hired",
                "actor": "hr-bot",
                "composition_digest": template.composition_digest,
                "rollback_operation_id": str(request),
                "rolled_back_by": OPERATOR,
                "reason": "wrong list",
            },
        }
    ]
    assert messages[0]["event_type"] == "iu.template.instance_auto_composed"
    assert messages[0]["cancelled_at"] == rolled_back_at


async def test_a_plan_counts_and_its_digest_can_be_recomputed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    ids = await composed(
        app_conn, Item(template.key), Item(template.key), Item(template.key, actor="it-bot")
    )
    before = await row_counts(owner)

    answer = await plan(app_conn, Selectors(template=template.family))

    planned_at = datetime.fromisoformat(answer.pop("planned_at"))
    assert abs(datetime.now(UTC) - planned_at) < timedelta(minutes=1)
    assert answer == {
        "status": "ok",
        "instances": 3,
        "lineage_rows": 3,
        "log_rows": 3,
        "actors": ["hr-bot", "it-bot"],
        "blockers": [],
        "plan_digest": plan_digest(ids),
    }
    assert await row_counts(owner) == before


async def test_a_plan_of_nothing_is_applied_to_nothing(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    planned = await plan(app_conn, HR)
    assert (planned["instances"], planned["plan_digest"]) == (0, NOTHING)
    assert await apply(app_conn, HR, planned) == {
        "status": "ok",
        "planned": 0,
        "deleted": 0,
        "gone": 0,
        "lineage_rows": 0,
        "log_rows": 0,
        "keys_released": 0,
        "messages_cancelled": 0,
    }


async def test_applying_removes_exactly_the_plan(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    await composed(app_conn, Item(template.key), Item(template.key, actor="it-bot"))
    (kept,) = await composed(app_conn, Item(other.key))
    selectors = Selectors(template=template.key)
    planned = await plan(app_conn, selectors)

    answer = await apply(app_conn, selectors, planned)

    del answer["rollback_operation_id"], answer["rolled_back_at"]
    assert answer == {
        "status": "ok",
        "planned": 2,
        "deleted": 2,
        "gone": 0,
        "lineage_rows": 2,
        "log_rows": 2,
        "keys_released": 0,
        "messages_cancelled": 2,
    }
    assert await present(owner) == {kept}


async def test_a_rollback_of_several_templates_keeps_the_counters_true(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    other = await make_template(owner, "tpl:file:status-report")
    await composed(app_conn, Item(template.key), Item(template.key), Item(other.key))
    await composed(app_conn, Item(template.key, actor="it-bot"))
    await by_actor(app_conn, "hr-bot")
    counts = await owner.fetch(
        """SELECT template_collection_id, sum(instance_count)::integer,
                  sum(diverging_count)::integer
             FROM iu_core.iu_template_counter GROUP BY 1"""
    )
    assert {tuple(row) for row in counts} == {
        (template.collection_id, 1, 0),
        (other.collection_id, 0, 0),
    }
