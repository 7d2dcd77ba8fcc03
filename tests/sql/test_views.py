"""The views of instances and observability: what they say, and what it costs to ask."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import Select
from sqlalchemy.dialects import postgresql

from app.db.engine import Transaction
from app.db.instances_read import InstanceFilters, list_instances
from tests.support.composing import Item, compose, compose_one
from tests.support.loose_templates import make_loose_template
from tests.support.rollback import by_actor, edit, many
from tests.support.rows import one_row
from tests.support.templates import Template, make_template, open_gates

EMPTY = hashlib.sha256(b"{}").hexdigest()


@pytest.fixture
async def v1(owner: asyncpg.Connection) -> Template:
    """The first version of a family; the gates of composing are open."""
    await open_gates(owner)
    return await make_template(owner)


@pytest.fixture
async def v2(owner: asyncpg.Connection, v1: Template) -> Template:
    """The second version, of other pieces."""
    return await make_template(owner, version=2, pieces=6)


async def instance_of_no_event(owner: asyncpg.Connection, template: Template) -> UUID:
    """An instance with lineage and nothing else."""
    instance: UUID = await owner.fetchval(
        """INSERT INTO iu_core.iu_piece_collection
                  (created_at, is_instance, collection_key, composition_digest)
           VALUES (now(), true, 'tpl-inst:manual:one', $1) RETURNING collection_id""",
        template.composition_digest,
    )
    await owner.execute(
        """INSERT INTO iu_core.iu_collection_template_instance_lineage
           VALUES ($1, $2, now(), $3)""",
        instance,
        template.collection_id,
        template.composition_digest,
    )
    await owner.execute(
        """INSERT INTO iu_core.iu_template_counter
           VALUES (md5($1 || ':0')::uuid, $1::uuid, 'none', 0, 1)""",
        str(template.collection_id),
    )
    return instance


async def test_the_event_log_shows_the_event_the_actor_and_the_digests_of_all_three_sides(
    owner: asyncpg.Connection, reader_conn: asyncpg.Connection, v1: Template
) -> None:
    item = Item(v1.key, suffix="ada", actor="hr-anna", reason="new hire", data='{"n":1}')
    data_digest = hashlib.sha256(b'{"n":1}').hexdigest()
    operation = uuid4()
    (answer,) = await compose(owner, item, operation_id=operation)
    row = await one_row(reader_conn, "SELECT * FROM iu_core.v_iu_auto_instantiate_event_log")
    assert dict(row) == {
        "instance_collection_id": answer["instance_collection_id"],
        "instance_key": "tpl-inst:auto:ada",
        "template_collection_id": v1.collection_id,
        "template_key": "tpl:wf:onboarding/v1",
        "event_id": item.event_id,
        "event_type": "hr.employee.hired",
        "reference_id": v1.collection_id,
        "suffix": "ada",
        "idempotency_key": answer["instance_collection_id"].hex,
        "actor": "hr-anna",
        "emit_mode": "live",
        "reason": "new hire",
        "operation_id": operation,
        "request_id": item.request_id,
        "composed_at": answer["composed_at"],
        "data_digest": data_digest,
        "product_digest": hashlib.sha256(
            f"{v1.composition_digest}\n{data_digest}\n".encode()
        ).hexdigest(),
        "warnings": [],
        "pieces_attached": 5,
        "composition_digest": v1.composition_digest,
        "template_digest": v1.composition_digest,
        "lineage_digest": v1.composition_digest,
        "digest_matches_template": True,
    }


async def test_the_digests_of_a_repointed_instance_are_its_own(
    owner: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    instance = (await compose_one(owner, Item(v1.key)))["instance_collection_id"]
    await compose_one(owner, Item(v1.key))
    await edit(owner, instance, v2)
    for view in ("v_iu_auto_instantiate_event_log", "v_iu_instance", "v_iu_lineage"):
        rows = await owner.fetch(
            f"SELECT instance_collection_id, composition_digest, template_digest, lineage_digest"
            f"  FROM iu_core.{view} WHERE NOT digest_matches_template"
        )
        assert [tuple(row) for row in rows] == [
            (instance, v2.composition_digest, v1.composition_digest, v1.composition_digest)
        ], view


async def test_an_instance_of_no_event_has_no_event(
    owner: asyncpg.Connection, v1: Template
) -> None:
    instance = await instance_of_no_event(owner, v1)
    row = await one_row(owner, "SELECT * FROM iu_core.v_iu_instance")
    assert row["instance_collection_id"] == instance
    assert row["pieces_attached"] == 5
    assert row["digest_matches_template"] is True
    assert row["warnings"] == []
    of_the_event = (
        "event_id",
        "event_type",
        "suffix",
        "actor",
        "emit_mode",
        "data",
        "request_id",
        "product_digest",
    )
    assert [row[name] for name in of_the_event] == [None] * 8
    assert await owner.fetch("SELECT * FROM iu_core.v_iu_auto_instantiate_event_log") == []


async def test_an_instance_whose_lineage_is_gone_is_an_orphan(
    owner: asyncpg.Connection, v1: Template
) -> None:
    kept = (await compose_one(owner, Item(v1.key)))["instance_collection_id"]
    lost = (await compose_one(owner, Item(v1.key)))["instance_collection_id"]
    assert await owner.fetch("SELECT * FROM iu_core.v_iu_orphan_instance") == []
    await owner.execute(
        """DELETE FROM iu_core.iu_collection_template_instance_lineage
            WHERE instance_collection_id = $1""",
        lost,
    )
    orphan = await one_row(owner, "SELECT * FROM iu_core.v_iu_orphan_instance")
    assert orphan["instance_collection_id"] == lost
    seen = await one_row(owner, "SELECT * FROM iu_core.v_iu_instance")
    assert seen["instance_collection_id"] == kept


async def test_lineage_tells_the_place_in_the_chain_and_what_is_current_now(
    owner: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    old = await compose_one(owner, Item(v1.key, suffix="old"))
    new = await compose_one(owner, Item(v2.family, suffix="new"))
    rows = await owner.fetch(
        """SELECT instance_collection_id, template_key, family, version, status, supersedes,
                  current_template_key
             FROM iu_core.v_iu_lineage ORDER BY version"""
    )
    family, current = "tpl:wf:onboarding", "tpl:wf:onboarding/v2"
    assert [tuple(row) for row in rows] == [
        (old["instance_collection_id"], v1.key, family, "v1", "superseded", None, current),
        (new["instance_collection_id"], v2.key, family, "v2", "current", v1.key, current),
    ]


async def test_the_summary_has_live_ones_from_the_counters_and_dry_runs_from_the_record(
    owner: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    await compose_one(owner, Item(v2.key))
    answers = await compose(
        owner,
        Item(v1.key),
        Item(v2.key),
        Item(v2.key, emit_mode="dry_run"),
        Item("tpl:no:such/v1", emit_mode="dry_run"),
    )
    last = answers[0]["composed_at"]
    rows = await owner.fetch(
        """SELECT template_key, emit_mode, events, matches, diverges, first_at < last_at
             FROM iu_core.v_iu_auto_instantiate_event_summary ORDER BY template_key, emit_mode"""
    )
    assert [tuple(row) for row in rows] == [
        (v1.key, "live", 1, 1, 0, False),
        (v2.key, "dry_run", 1, None, None, False),
        (v2.key, "live", 2, 2, 0, True),
        (None, "dry_run", 1, None, None, False),
    ]
    spans = await owner.fetch(
        """SELECT last_at FROM iu_core.v_iu_auto_instantiate_event_summary
            WHERE emit_mode = 'live'"""
    )
    assert {row["last_at"] for row in spans} == {last}


async def test_template_observability_in_numbers(
    owner: asyncpg.Connection, app_conn: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    await make_loose_template(owner, "tpl:file:loose")
    await compose(
        app_conn,
        Item(v1.key),
        *(Item(v2.family) for _ in range(3)),
        Item(v2.family, emit_mode="dry_run"),
    )
    await instance_of_no_event(owner, v1)
    rows = await app_conn.fetch(
        """SELECT template_key, family, version, status, instances, matches, diverges,
                  template_without_version, family_chain_length, digest_drift_from_previous,
                  dry_runs
             FROM iu_core.v_iu_template_observability ORDER BY template_key"""
    )
    loose, wf = "tpl:file:loose", "tpl:wf:onboarding"
    assert [tuple(row) for row in rows] == [
        (f"{loose}/v1", loose, "v1", None, 0, 0, 0, True, 0, None, 0),
        (f"{wf}/v1", wf, "v1", "superseded", 2, 2, 0, False, 2, None, 0),
        (f"{wf}/v2", wf, "v2", "current", 3, 3, 0, False, 2, True, 1),
    ]


async def test_template_observability_follows_a_rollback_and_a_withdrawal(
    owner: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    await compose(owner, Item(v2.key), Item(v2.key, actor="other"))
    await by_actor(owner, "hr-bot")
    counts = "SELECT instances FROM iu_core.v_iu_template_observability WHERE version = 'v2'"
    assert await owner.fetchval(counts) == 1
    await owner.execute(
        "UPDATE iu_core.iu_collection_template_version SET status = 'withdrawn'"
        " WHERE template_collection_id = $1",
        v2.collection_id,
    )
    rows = await owner.fetch(
        "SELECT family_chain_length FROM iu_core.v_iu_template_observability ORDER BY version"
    )
    assert [row[0] for row in rows] == [1, 1], "a withdrawn version is no link of the chain"


async def test_template_observability_never_looks_at_instances(owner: asyncpg.Connection) -> None:
    plan = await owner.fetch("EXPLAIN SELECT * FROM iu_core.v_iu_template_observability")
    text = "\n".join(row[0] for row in plan)
    assert "iu_template_counter" in text
    for name in ("iu_piece_collection", "instance_lineage", "event_log", "command_record"):
        assert name not in text


async def test_a_tombstone_says_who_removed_what_and_why(
    owner: asyncpg.Connection, v1: Template
) -> None:
    composed = await compose_one(owner, Item(v1.key, suffix="ada"))
    await by_actor(owner, "hr-bot", reason="wrong list")
    row = await one_row(owner, "SELECT * FROM iu_core.v_iu_instance_tombstone")
    assert row["instance_collection_id"] == composed["instance_collection_id"]
    assert (row["template_key"], row["suffix"], row["actor"]) == (v1.key, "ada", "hr-bot")
    assert (row["rolled_back_by"], row["reason"], row["released_at"]) == (
        "ops-anna",
        "wrong list",
        None,
    )


async def test_refusals_by_code_and_activity_follow_the_clock(
    owner: asyncpg.Connection, v1: Template
) -> None:
    await compose(owner, Item(v1.key), Item(v1.key), Item("tpl:no:such/v1"))
    by_code = "SELECT code, last_hour, last_day FROM iu_core.v_iu_refusal_by_code"
    lately = "SELECT composed_last_minute, composed_last_hour, is_capped FROM iu_core.v_iu_activity"

    assert [tuple(row) for row in await owner.fetch(by_code)] == [
        ("template_collection_not_found", 1, 1)
    ]
    assert tuple(await one_row(owner, lately)) == (2, 2, False)

    await owner.execute("SELECT iu_core.fn_iu_set_clock(interval '10 minutes')")
    assert tuple(await one_row(owner, lately)) == (0, 2, False)
    await owner.execute("SELECT iu_core.fn_iu_set_clock(interval '2 hours')")
    assert tuple(await one_row(owner, lately)) == (0, 0, False)
    assert [tuple(row) for row in await owner.fetch(by_code)] == [
        ("template_collection_not_found", 0, 1)
    ]
    await owner.execute("SELECT iu_core.fn_iu_set_clock(interval '2 days')")
    assert await owner.fetch(by_code) == []


async def test_dashboards_see_no_payload(
    owner: asyncpg.Connection, reader_conn: asyncpg.Connection, v1: Template
) -> None:
    await compose_one(owner, Item(v1.key, data='{"salary":1}'))
    columns = await owner.fetch(
        """SELECT DISTINCT a.attname FROM pg_attribute AS a
             JOIN pg_class AS c ON c.oid = a.attrelid
            WHERE c.relnamespace = 'iu_core'::regnamespace AND a.attnum > 0
              AND has_table_privilege('iu_reader', c.oid, 'SELECT')"""
    )
    readable = {row["attname"] for row in columns}
    assert "actor" in readable
    assert not readable & {"data", "key_sha256"}
    for view in ("v_iu_instance", "v_iu_instance_piece"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader_conn.fetch(f"SELECT * FROM iu_core.{view}")


class _Explaining:
    """Stands where a transaction stands, and asks for the plan of each read instead."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plan: dict[str, Any] = {}

    async def rows(self, query: Select[Any]) -> list[Any]:
        """Keep the plan, answer nothing."""
        text = query.compile(
            dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
            compile_kwargs={"literal_binds": True},
        )
        plan = await self._connection.fetchval(f"EXPLAIN (FORMAT JSON) {text}")
        self.plan = json.loads(plan)[0]["Plan"]
        return []


def _scanned_whole(node: dict[str, Any]) -> set[str]:
    """The tables of instances that the plan reads from their first row to their last."""
    own = {node["Relation Name"]} if node["Node Type"] == "Seq Scan" else set()
    below = [_scanned_whole(child) for child in node.get("Plans", [])]
    return own.intersection(INSTANCE_TABLES).union(*below)


INSTANCES_THERE_ARE = 5_000
MIDDLE = datetime(2025, 1, 1, 0, 40, tzinfo=UTC)

INSTANCE_TABLES = {
    "iu_piece_collection",
    "iu_collection_template_instance_lineage",
    "iu_auto_instantiate_event_log",
}


FILTERS = {
    "all": InstanceFilters(),
    "events": InstanceFilters(events_only=True),
    "actor": InstanceFilters(actor="bot-3"),
    "own actor": InstanceFilters(allowed_actors="bot-3"),
    "event": InstanceFilters(event_id=uuid4()),
    "operation": InstanceFilters(operation_id=uuid4()),
    "from": InstanceFilters(composed_from=MIDDLE),
    "actor and to": InstanceFilters(actor="bot-3", composed_to=MIDDLE),
}


async def test_lists_are_read_from_indexes(owner: asyncpg.Connection, v1: Template) -> None:
    await many(owner, v1, INSTANCES_THERE_ARE)
    await owner.execute("ANALYZE")
    explaining = _Explaining(owner)
    scanned = {}
    for name, filters in FILTERS.items():
        for page, after in (("first", None), ("next", (MIDDLE, uuid4()))):
            await list_instances(
                cast("Transaction", explaining),
                ["instance_collection_id", "composed_at", "actor", "digest_matches_template"],
                filters,
                after,
                50,
            )
            scanned[name, page] = _scanned_whole(explaining.plan)
    assert not any(scanned.values()), scanned
    assert len(scanned) == 2 * len(FILTERS)


async def test_a_template_with_few_of_many_instances_is_read_from_its_index(
    owner: asyncpg.Connection, v1: Template, v2: Template
) -> None:
    await many(owner, v1, INSTANCES_THERE_ARE)
    await compose(owner, *(Item(v2.key) for _ in range(20)))
    await owner.execute("ANALYZE")
    explaining = _Explaining(owner)
    await list_instances(
        cast("Transaction", explaining),
        ["instance_collection_id", "composed_at"],
        InstanceFilters(template_ids=[v2.collection_id]),
        None,
        50,
    )
    assert _scanned_whole(explaining.plan) == set()
