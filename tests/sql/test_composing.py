"""fn_iu_auto_instantiate_many and its wrappers: verdicts, rows, digests."""

import dataclasses
import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.composing import Item, compose, compose_one, identity
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

ZERO_ROWS = {
    "iu_piece_collection": 0,
    "iu_collection_template_instance_lineage": 0,
    "iu_auto_instantiate_event_log": 0,
    "event_outbox": 0,
    "iu_instance_tombstone": 0,
}


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """tpl:wf:onboarding/v1, current."""
    return await make_template(owner)


@pytest.fixture
async def gates(owner: asyncpg.Connection) -> None:
    """Both gates of composing, open."""
    await open_gates(owner)


async def rows(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows of instances there are, table by table."""
    counts = {}
    for table in ZERO_ROWS:
        condition = "WHERE is_instance" if table == "iu_piece_collection" else ""
        counts[table] = await owner.fetchval(f"SELECT count(*) FROM iu_core.{table} {condition}")
    return counts


@pytest.mark.usefixtures("gates")
async def test_composes_an_instance_with_its_identity_computable_beforehand(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, suffix="ada", data='{"name":"Ada"}')
    expected = identity(item, template.collection_id)

    answer = await compose_one(app_conn, item)

    composed_at = answer.pop("composed_at")
    assert (datetime.now(UTC) - composed_at).total_seconds() < 60
    assert answer == {
        "ordinal": 1,
        "status": "ok",
        "would_be": None,
        "instance_collection_id": expected,
        "instance_key": "tpl-inst:auto:ada",
        "template_collection_id": template.collection_id,
        "template_key": "tpl:wf:onboarding/v1",
        "event_id": item.event_id,
        "event_type": "hr.employee.hired",
        "idempotency_key": expected.hex,
        "actor": "hr-bot",
        "emit_mode": "live",
        "pieces_attached": 5,
        "composition_digest": template.composition_digest,
        "digest_matches_template": True,
        "operation_id": None,
        "warnings": [],
        "details": {},
    }
    assert await rows(owner) == {
        "iu_piece_collection": 1,
        "iu_collection_template_instance_lineage": 1,
        "iu_auto_instantiate_event_log": 1,
        "event_outbox": 1,
        "iu_instance_tombstone": 0,
    }
    stored = await one_row(owner, "SELECT * FROM iu_core.iu_auto_instantiate_event_log")
    assert stored["data"] == '{"name":"Ada"}'
    assert stored["data_digest"] == hashlib.sha256(b'{"name":"Ada"}').hexdigest()
    assert (
        stored["idempotency_key"]
        == hashlib.md5(
            f"{item.event_id}:{template.collection_id}:ada".encode(), usedforsecurity=False
        ).hexdigest()
    )


@pytest.mark.usefixtures("gates")
async def test_a_replay_is_the_original_but_for_its_status(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    first = await compose_one(app_conn, item)
    again = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4(), reason="x"))

    assert again == first | {"status": "idempotent_replay"}
    assert (await rows(owner))["iu_piece_collection"] == 1


@pytest.mark.usefixtures("gates")
async def test_the_services_own_retry_is_answered_ok(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    first = await compose_one(app_conn, item)
    assert await compose_one(app_conn, item) == first


async def test_a_replay_succeeds_after_the_gates_were_closed_again(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner)
    item = Item(template.key)
    await compose_one(app_conn, item)
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET config_value = 'false' WHERE is_write_gate"
    )
    again = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
    assert again["status"] == "idempotent_replay"


@pytest.mark.usefixtures("gates")
@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"event_type": "hr.employee.left"}, ["event_type"]),
        ({"data": '{"a":1}'}, ["data"]),
        ({"event_type": "x", "data": "[]"}, ["event_type", "data"]),
    ],
)
async def test_the_same_key_with_other_content_is_a_conflict(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    template: Template,
    change: dict[str, Any],
    fields: list[str],
) -> None:
    item = Item(template.key)
    first = await compose_one(app_conn, item)
    other = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4(), **change))
    assert other["status"] == "idempotency_conflict"
    assert other["details"] == {
        "instance_collection_id": str(first["instance_collection_id"]),
        "idempotency_key": first["idempotency_key"],
        "fields": fields,
    }
    assert (await rows(owner))["iu_piece_collection"] == 1


@pytest.mark.usefixtures("gates")
async def test_an_original_is_shown_only_to_who_may_know_its_actor(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key, actor="hr-bot")
    await compose_one(app_conn, item)

    async def status(allowed: str | None) -> str:
        asked = dataclasses.replace(item, request_id=uuid4(), allowed_actors=allowed)
        return str((await compose_one(app_conn, asked))["status"])

    assert await status("hr-bot") == "idempotent_replay"
    assert await status("it-bot hr-") == "idempotent_replay"
    assert await status(None) == "idempotent_replay"
    assert await status("hr") == "actor_not_allowed"
    assert await status("it-") == "actor_not_allowed"
    assert await status("") == "actor_not_allowed"


@pytest.mark.usefixtures("gates")
async def test_a_family_keeps_its_identity_when_a_new_version_is_published(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.family)
    first = await compose_one(app_conn, item)
    assert first["template_key"] == "tpl:wf:onboarding/v1"
    await make_template(owner, version=2)

    again = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
    assert again == first | {"status": "idempotent_replay"}
    newer = await compose_one(app_conn, Item(template.family))
    assert newer["template_key"] == "tpl:wf:onboarding/v2"


@pytest.mark.usefixtures("gates")
async def test_a_superseded_version_composes_with_a_warning_that_a_replay_repeats(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    before = Item(template.key)
    composed_before = await compose_one(app_conn, before)
    await make_template(owner, version=2)
    after = Item("tpl:wf:onboarding@v1")
    composed_after = await compose_one(app_conn, after)

    assert composed_after["status"] == "ok"
    assert composed_after["warnings"] == ["template_superseded"]
    for item, first in ((before, composed_before), (after, composed_after)):
        again = await compose_one(app_conn, dataclasses.replace(item, request_id=uuid4()))
        assert again["warnings"] == first["warnings"]

    refused = await compose_one(app_conn, Item(template.key, require_current=True))
    assert refused["status"] == "template_superseded"
    assert refused["details"] == {
        "template_key": "tpl:wf:onboarding/v1",
        "current": "tpl:wf:onboarding/v2",
    }


async def test_the_checks_answer_in_the_contracts_order(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    plain = uuid4()
    await owner.execute(
        """INSERT INTO iu_core.iu_piece_collection
                  (collection_id, created_at, collection_key, composition_digest)
           VALUES ($1, now(), 'plain', $2)""",
        plain,
        template.composition_digest,
    )

    async def status(item: Item) -> str:
        return str((await compose_one(app_conn, item))["status"])

    nothing_right = Item(str(uuid4()), event_id=None, emit_mode="shadow")
    assert await status(nothing_right) == "invalid_input"
    assert await status(dataclasses.replace(nothing_right, event_id=uuid4())) == "invalid_emit_mode"
    unknown = Item(str(uuid4()))
    assert await status(unknown) == "live_gate_closed"
    assert await status(dataclasses.replace(unknown, emit_mode="dry_run")) == "composer_gate_closed"
    await open_gates(owner, "auto_instantiate_enabled")
    assert await status(unknown) == "composer_gate_closed"
    await open_gates(owner)
    assert await status(unknown) == "template_collection_not_found"
    assert await status(Item("tpl:no:such")) == "template_collection_not_found"
    assert await status(Item("tpl:no:such/v1")) == "template_collection_not_found"
    assert await status(Item(str(plain))) == "template_not_marked"
    assert await status(Item(template.key)) == "ok"


async def test_bad_input_is_named_field_by_field(app_conn: asyncpg.Connection) -> None:
    answer = await compose_one(
        app_conn,
        Item(
            "no reference",
            event_id=None,
            event_type="",
            suffix="a\nb",
            actor="Not An Actor",
            reason="x" * 501,
        ),
    )
    assert answer["status"] == "invalid_input"
    assert [error["pointer"] for error in answer["details"]["errors"]] == [
        "/event_id",
        "/event_type",
        "/template",
        "/suffix",
        "/actor",
        "/reason",
    ]


async def test_a_dry_run_writes_nothing_but_its_record(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled")
    item = Item(template.key, emit_mode="dry_run")
    answer = await compose_one(app_conn, item)
    assert (answer["status"], answer["would_be"]) == ("ok", "composed")
    assert answer["pieces_attached"] == 5
    assert answer["digest_matches_template"] is True
    assert answer["warnings"] == ["live_gate_closed"]
    assert answer["instance_collection_id"] == identity(item, template.collection_id)
    assert await rows(owner) == ZERO_ROWS

    record = await one_row(owner, "SELECT * FROM iu_core.iu_command_record")
    assert (record["outcome"], record["code"], record["actor"]) == ("dry_run", "composed", "hr-bot")
    assert record["template_collection_id"] == template.collection_id
    counter = await one_row(owner, "SELECT * FROM iu_core.iu_template_counter")
    assert (counter["emit_mode"], counter["instance_count"]) == ("dry_run", 1)


@pytest.mark.usefixtures("gates")
async def test_a_dry_run_tells_replay_and_refusal(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    await compose_one(app_conn, item)
    known = dataclasses.replace(item, emit_mode="dry_run", request_id=uuid4())
    answer = await compose_one(app_conn, known)
    assert (answer["status"], answer["would_be"]) == ("idempotent_replay", "replayed")
    other = await compose_one(app_conn, dataclasses.replace(known, data="1"))
    assert (other["status"], other["would_be"]) == ("idempotency_conflict", "refused")
    missing = await compose_one(app_conn, Item("tpl:no:such", emit_mode="dry_run"))
    assert (missing["status"], missing["would_be"]) == ("template_collection_not_found", "refused")
    assert (await rows(owner))["iu_piece_collection"] == 1


@pytest.mark.usefixtures("gates")
async def test_the_same_key_twice_in_one_batch_is_one_instance_and_a_replay(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    item = Item(template.key)
    twin = dataclasses.replace(item, request_id=uuid4())
    stranger = dataclasses.replace(item, request_id=uuid4(), data='{"other":true}')
    answers = await compose(app_conn, item, twin, Item(template.key), stranger)
    assert [answer["status"] for answer in answers] == [
        "ok",
        "idempotent_replay",
        "ok",
        "idempotency_conflict",
    ]
    assert answers[1] == answers[0] | {"status": "idempotent_replay", "ordinal": 2}
    assert (await rows(owner))["iu_auto_instantiate_event_log"] == 2


@pytest.mark.usefixtures("gates")
async def test_a_refused_first_ordinal_leaves_the_key_to_the_next(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await make_template(owner, version=2)
    strict = Item(template.key, require_current=True)
    lenient = dataclasses.replace(strict, require_current=False, request_id=uuid4())
    answers = await compose(app_conn, strict, lenient)
    assert [answer["status"] for answer in answers] == ["template_superseded", "ok"]


async def test_refusals_at_a_closed_gate_are_counted_in_one_row_a_minute(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await compose(app_conn, *(Item(template.key) for _ in range(50)))
    await compose(app_conn, *(Item(template.key) for _ in range(50)))
    records = await owner.fetch("SELECT * FROM iu_core.iu_command_record")
    assert len(records) <= 2, "a minute may end between the two calls"
    assert sum(record["occurrences"] for record in records) == 100
    assert {record["code"] for record in records} == {"live_gate_closed"}


@pytest.mark.usefixtures("gates")
async def test_an_atomic_call_keeps_all_or_nothing(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = uuid4()
    good, bad = Item(template.key), Item("tpl:no:such")
    refused = await compose(
        app_conn, good, bad, function="fn_iu_auto_instantiate_atomic", operation_id=operation
    )
    assert [answer["status"] for answer in refused] == ["ok", "template_collection_not_found"]
    assert await rows(owner) == ZERO_ROWS
    record = await one_row(owner, "SELECT command, code, details FROM iu_core.iu_command_record")
    assert (record["command"], record["code"]) == (
        "instantiate_bulk",
        "template_collection_not_found",
    )
    assert record["details"] == {
        "items": [{"ordinal": 2, "code": "template_collection_not_found"}],
        "operation_id": str(operation),
    }

    kept = await compose(
        app_conn,
        good,
        Item(template.key),
        function="fn_iu_auto_instantiate_atomic",
        operation_id=operation,
    )
    assert [answer["status"] for answer in kept] == ["ok", "ok"]
    assert {answer["operation_id"] for answer in kept} == {operation}
    counted = await owner.fetchval(
        "SELECT sum(instance_count) FROM iu_core.iu_template_counter WHERE emit_mode = 'live'"
    )
    assert counted == 2


async def test_a_window_opens_the_gates_for_its_own_call_alone(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    operation = uuid4()
    (inside,) = await compose(app_conn, Item(template.key), window=True, operation_id=operation)
    assert inside["status"] == "ok"
    assert (await compose_one(app_conn, Item(template.key)))["status"] == "live_gate_closed"
    history = await owner.fetch(
        "SELECT config_key, action, actor FROM iu_core.iu_core_config_history ORDER BY config_key"
    )
    assert [tuple(row) for row in history] == [
        ("iu_core.auto_instantiate_enabled", "window", "hr-bot"),
        ("iu_core.composer_enabled", "window", "hr-bot"),
    ]
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET sealed_at = now() WHERE config_key = $1",
        "iu_core.composer_enabled",
    )
    (sealed,) = await compose(app_conn, Item(template.key), window=True)
    assert sealed["status"] == "gate_sealed"
    assert sealed["details"] == {"gate": "iu_core.composer_enabled"}


@pytest.mark.usefixtures("gates")
async def test_more_than_64_actors_in_one_transaction_are_too_many(
    app_conn: asyncpg.Connection, template: Template
) -> None:
    items = [Item(template.key, actor=f"actor-{number}") for number in range(65)]
    answers = await compose(app_conn, *items[:64])
    assert {answer["status"] for answer in answers} == {"ok"}
    with pytest.raises(asyncpg.PostgresError) as error:
        await compose(app_conn, *(dataclasses.replace(item, event_id=uuid4()) for item in items))
    assert error.value.sqlstate == "PF413"


async def test_the_contracts_functions_have_exactly_their_arguments(
    app_conn: asyncpg.Connection,
) -> None:
    for signature in (
        "fn_iu_auto_instantiate_from_event(uuid, text, uuid, text, text, text, text)",
        "fn_iu_auto_instantiate_rollback_by_actor(text, boolean)",
    ):
        assert await app_conn.fetchval("SELECT to_regprocedure($1) IS NOT NULL", signature)
