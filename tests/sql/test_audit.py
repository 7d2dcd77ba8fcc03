"""What commands leave in the command record: who, what, how many, by which leases."""

import hashlib
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.support.audit import found, runs
from tests.support.composing import Item, compose, compose_one
from tests.support.databases import Database, Login, open_connection
from tests.support.events import an_event, edition, take
from tests.support.gates import BY, COMPOSER, LIVE, PIECES, call, close, lease, open_gate
from tests.support.operation_calls import claimed, created, step
from tests.support.rollback import by_actor
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

LOG = """SELECT l.instance_collection_id, l.template_collection_id, g.composition_digest,
                l.data_digest, l.batch_id
           FROM iu_core.iu_auto_instantiate_event_log AS l
           JOIN iu_core.iu_collection_template_instance_lineage AS g USING (instance_collection_id)
          WHERE l.actor = $1
          ORDER BY l.template_collection_id, l.instance_collection_id"""


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """A template to compose from."""
    return await make_template(owner)


async def digest_of(owner: asyncpg.Connection, actor: str) -> str:
    """The digest of an actor's instances, computed here."""
    text = b""
    template = None
    for row in await owner.fetch(LOG, actor):
        if row["template_collection_id"] != template:
            template = row["template_collection_id"]
            text += bytes(48) + template.bytes + bytes.fromhex(row["composition_digest"])
        text += row["instance_collection_id"].bytes + bytes.fromhex(row["data_digest"])
    return hashlib.sha256(text).hexdigest()


async def test_a_composing_call_leaves_one_run_for_each_actor(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    known = Item(template.key, actor="hr-bot")
    await compose_one(app_conn, known)
    await owner.execute("TRUNCATE iu_core.iu_command_record")
    operation = uuid4()
    others = [Item(template.key, actor="ops-bot", data=f'{{"n":{n}}}') for n in range(3)]

    await compose(
        app_conn,
        replace(known, request_id=uuid4()),
        *others,
        replace(others[0], principal="else", suffix="2"),
        operation_id=operation,
    )

    rows = await owner.fetch("SELECT * FROM iu_core.iu_command_record ORDER BY actor")
    replayed, composed = rows
    assert (replayed["actor"], replayed["outcome"]) == ("hr-bot", "done")
    assert replayed["code"] == "idempotent_replay"
    assert replayed["counts"] == {"composed": 0, "replayed": 1}
    assert replayed["instances_digest"] is None
    assert (composed["command"], composed["code"]) == ("instantiate_from_event", "ok")
    assert composed["counts"] == {"composed": 4, "replayed": 0}
    assert composed["principal"] is None
    assert composed["details"] == {
        "operation_id": str(operation),
        "principals": ["else", "test"],
    }
    assert composed["request_id"] == others[0].request_id
    assert composed["instances_digest"] == await digest_of(owner, "ops-bot")
    assert composed["took_us"] > 0
    assert composed["lease_ids"] is None
    batches = {row["batch_id"] for row in await owner.fetch(LOG, "ops-bot")}
    assert batches == {composed["subject_id"]} == {replayed["subject_id"]}
    assert replayed["record_id"] == replayed["subject_id"] != composed["record_id"]


async def test_a_run_over_several_templates_is_one_and_can_be_verified(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    other = await make_template(owner, "tpl:file:report")
    items = [Item(one.key, suffix=str(n)) for n in range(5) for one in (template, other)]
    await compose(app_conn, *items, Item("tpl:no:such"))
    (run,) = await owner.fetch("SELECT * FROM iu_core.iu_command_record WHERE outcome = 'done'")
    assert run["counts"] == {"composed": 10, "replayed": 0}
    assert run["principal"] == "test"
    assert run["instances_digest"] == await digest_of(owner, "hr-bot")
    assert await found(app_conn) == []


async def test_a_call_that_was_refused_or_only_tried_leaves_no_run_beside_its_items(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    await compose(
        app_conn,
        Item(template.key, emit_mode="dry_run"),
        Item("tpl:no:such"),
    )
    assert {(row["outcome"], row["code"]) for row in await runs(owner)} == {
        ("dry_run", "composed"),
        ("refused", "template_collection_not_found"),
    }
    assert len(await runs(owner)) == 2


async def test_an_atomic_bulk_is_one_run_of_its_command(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    items = [Item(template.key) for _ in range(5)]
    await compose(app_conn, *items, function="fn_iu_auto_instantiate_atomic")
    (run,) = await runs(owner)
    assert (run["command"], run["counts"]) == ("instantiate_bulk", {"composed": 5, "replayed": 0})


@pytest.mark.parametrize("window", [True, False])
async def test_a_run_tells_the_gate_window_under_which_it_composed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template, window: bool
) -> None:
    if not window:
        await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    item = Item(template.key)
    replayed = Item(template.key, actor="ops-bot")
    await compose(app_conn, replayed, function="fn_iu_auto_instantiate_atomic", window=True)
    await owner.execute("TRUNCATE iu_core.iu_command_record")
    await compose(
        app_conn,
        item,
        replace(replayed, request_id=uuid4()),
        function="fn_iu_auto_instantiate_atomic",
        window=window,
    )
    told = {"gate_window": [LIVE, COMPOSER]} if window else {}
    assert {row["actor"]: row["details"] for row in await runs(owner)} == {
        "hr-bot": told,
        "ops-bot": {},
    }


async def test_a_refused_and_a_dry_item_are_told_of_the_command_they_were_part_of(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    dry = Item(template.key, emit_mode="dry_run")
    await compose(app_conn, dry, Item(template.key), function="fn_iu_auto_instantiate_atomic")
    operation = await created(app_conn, dry, Item("tpl:no:such"), Item(template.key))
    await step(app_conn, operation, await claimed(app_conn, operation))
    await compose(app_conn, dry, Item("tpl:no:such"))
    told = [(row["command"], row["outcome"], row["code"]) for row in await runs(owner)]
    assert sorted(told) == [
        ("instantiate_bulk", "done", "ok"),
        ("instantiate_bulk", "done", "ok"),  # the operation was made
        ("instantiate_bulk", "dry_run", "composed"),
        ("instantiate_from_event", "dry_run", "composed"),
        ("instantiate_from_event", "refused", "template_collection_not_found"),
        ("work_on_operations", "done", "ok"),
        ("work_on_operations", "dry_run", "composed"),
        ("work_on_operations", "refused", "template_collection_not_found"),
    ]
    tried = await owner.fetchval(
        """SELECT events FROM iu_core.v_iu_auto_instantiate_event_summary
            WHERE template_key = $1 AND emit_mode = 'dry_run'""",
        template.key,
    )
    assert tried == 3, "the rollup counts all of them"


async def test_a_run_of_several_events_names_the_request_of_the_first(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    await open_gates(owner, "event_intake_enabled")
    revision = await edition(app_conn)
    for _ in range(3):
        events = [an_event(revision) for _ in range(30)]
        await take(app_conn, *events)
        told = await owner.fetchval(
            "SELECT request_id FROM iu_core.iu_command_record ORDER BY last_at DESC LIMIT 1"
        )
        assert told == events[0].request_id


async def test_a_run_names_the_leases_that_admitted_it(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    unlimited = UUID((await lease(app_conn, LIVE))["lease_id"])
    counted = UUID((await lease(app_conn, COMPOSER, uses=5))["lease_id"])
    await compose(app_conn, Item(template.key), Item(template.key))
    (run,) = await runs(owner, command="instantiate_from_event")
    assert sorted(run["lease_ids"]) == sorted([unlimited, counted])
    uses = await owner.fetchval(
        "SELECT uses_left FROM iu_core.iu_gate_lease WHERE lease_id = $1", counted
    )
    assert uses == 3

    # Where the gate is open by itself, a lease beside it admits nobody.
    await open_gate(app_conn, LIVE)
    await open_gate(app_conn, COMPOSER)
    await compose(app_conn, Item(template.key))
    assert (await runs(owner, command="instantiate_from_event"))[1]["lease_ids"] is None


async def test_a_lease_is_named_also_when_its_gate_was_closed_meanwhile(
    owner: asyncpg.Connection,
    app_conn: asyncpg.Connection,
    second: asyncpg.Connection,
    template: Template,
) -> None:
    """Closing commits before whoever was admitted does: their leases are over by then."""
    leases = [UUID((await lease(app_conn, gate))["lease_id"]) for gate in (LIVE, COMPOSER)]
    transaction = app_conn.transaction()
    await transaction.start()
    await compose(app_conn, Item(template.key))
    await close(second, LIVE, COMPOSER)
    await transaction.commit()
    (run,) = await runs(owner, command="instantiate_from_event")
    assert sorted(run["lease_ids"]) == sorted(leases)


async def test_any_other_command_leaves_one_run_with_its_answer(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection
) -> None:
    taken = await lease(app_conn, PIECES, reason="a try")
    answer = await call(
        app_conn, "fn_iu_piece_create", "text/plain", "Title", "Body", "active", None
    )
    assert "lease_ids" not in answer
    leased, made = await runs(owner)
    assert (leased["command"], leased["code"], leased["lease_ids"]) == ("lease_gate", "ok", None)
    assert made == {
        "command": "create_piece",
        "outcome": "done",
        "code": "ok",
        "actor": BY[0],
        "principal": BY[1],
        "counts": None,
        "lease_ids": [UUID(taken["lease_id"])],
        "details": {
            **{name: answer[name] for name in ("unit_id", "known", "warnings")},
            "life": "active",
        },
    }


async def test_a_rollback_leaves_a_run_with_what_it_removed(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    await open_gates(owner, "composer_enabled", "auto_instantiate_enabled")
    await compose(app_conn, Item(template.key), Item(template.key))
    await by_actor(app_conn, "hr-bot", dry_run=False)
    (run,) = await runs(owner, command="rollback_by_actor")
    assert (run["outcome"], run["counts"]) == ("done", {"deleted": 2, "gone": 0})
    batch = await owner.fetch("SELECT batch_id FROM iu_core.iu_instance_tombstone")
    composed = await one_row(
        owner, "SELECT subject_id FROM iu_core.iu_command_record WHERE instances_digest IS NOT NULL"
    )
    assert {row["batch_id"] for row in batch} == {composed["subject_id"]}


async def test_a_counted_refusal_names_whose_it_was(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, template: Template
) -> None:
    """Several principals may act as one actor: none of them is to answer for another."""
    items = [Item(template.key, principal=name) for name in ("first", "second", "second")]
    await compose(app_conn, *items)
    for name in ("second", "first"):
        await app_conn.execute(
            "SELECT iu_core.fn_iu_refusal_note('set_gate', 'forbidden', 'hr-bot', $1)", name
        )
    rows = await owner.fetch("SELECT * FROM iu_core.iu_command_record")
    counted = {(r["command"], r["code"], r["principal"], r["occurrences"]) for r in rows}
    assert counted == {
        ("instantiate_from_event", "live_gate_closed", "first", 1),
        ("instantiate_from_event", "live_gate_closed", "second", 2),
        ("set_gate", "forbidden", "first", 1),
        ("set_gate", "forbidden", "second", 1),
    }


@pytest.mark.parametrize("login", ["app", "reader"])
@pytest.mark.parametrize("table", ["iu_command_record", "iu_audit_segment", "iu_audit_chain"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO iu_core.{} DEFAULT VALUES",
        "UPDATE iu_core.{} SET last_at = now()",
        "DELETE FROM iu_core.{}",
        "TRUNCATE iu_core.{}",
    ],
)
async def test_no_role_of_the_service_writes_to_it(
    unchanged_database: Database, login: Login, table: str, statement: str
) -> None:
    connection = await open_connection(unchanged_database, login)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement.format(table))
    finally:
        await connection.close()
