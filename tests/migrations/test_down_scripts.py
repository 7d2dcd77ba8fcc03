"""The real down scripts: whatever table one of them drops, it refuses to destroy a row of it."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pglast
import pytest
from pglast import ast, enums

from app.db import revisions
from app.db.migrations import DowngradeRefused, downgrade, root
from tests.support.databases import (
    Database,
    Server,
    catalog_dump,
    cloned_database,
    open_connection,
)
from tests.support.interleaving import wait_until

ID = "'00000000-0000-4000-8000-000000000001'"
DIGEST = "repeat('0', 64)"


def row(columns: str, values: str) -> str:
    """What follows the table's name in the statement that inserts one row."""
    return f"({columns}) VALUES ({values})"


# One row for each table, of which those that it points to are filled first.
ROWS = {
    "information_unit": row(
        "unit_id, content_digest, media_type, title, body, life, created_by, created_at",
        f"{ID}, {DIGEST}, 'text/plain', '', '', 'active', 'x', now()",
    ),
    "iu_unit_axis": row("unit_id, axis", f"{ID}, 'DIEU-28'"),
    "iu_lifecycle_log": row(
        "unit_id, from_life, to_life, actor, occurred_at", f"{ID}, 'draft', 'active', 'x', now()"
    ),
    "iu_vector_sync_point": row("unit_id, content_digest, synced_at", f"{ID}, {DIGEST}, now()"),
    "iu_composition": row("composition_digest, piece_count, created_at", f"{DIGEST}, 1, now()"),
    "iu_composition_piece": row(
        "composition_digest, position, role, unit_id", f"{DIGEST}, 1, 'welcome', {ID}"
    ),
    "iu_composition_axis": row(
        "composition_digest, axis, unit_count, axis_values", f"{DIGEST}, 'DIEU-28', 1, '{{x}}'"
    ),
    "iu_piece_collection": row(
        "collection_id, created_at, collection_key, composition_digest",
        f"{ID}, now(), 'plain', {DIGEST}",
    ),
    "iu_collection_template_family": row(
        "family_id, family_key, created_by, created_at", f"{ID}, 'tpl:wf:onboarding', 'x', now()"
    ),
    "iu_template_schema": row("schema_digest, schema", f"{DIGEST}, '{{}}'"),
    "iu_collection_template_registry": row(
        "template_collection_id, template_key, composition_digest, piece_count, marked_by,"
        " marked_at",
        f"{ID}, 'tpl:wf:onboarding/v1', {DIGEST}, 1, 'x', now()",
    ),
    "iu_collection_template_version": row(
        "template_collection_id, family_id, version_number, status, composition_digest,"
        " created_by, created_at",
        f"{ID}, {ID}, 1, 'current', {DIGEST}, 'x', now()",
    ),
    "iu_collection_template_current_log": row(
        "family_id, current_from, actor", f"{ID}, now(), 'x'"
    ),
    "iu_collection_template_instance_lineage": row(
        "instance_collection_id, template_collection_id, composed_at, composition_digest",
        f"{ID}, {ID}, now(), {DIGEST}",
    ),
    "iu_auto_instantiate_event_log": row(
        "instance_collection_id, event_id, reference_id, template_collection_id, composed_at,"
        " event_type, suffix, actor, emit_mode, reason, data_digest, data",
        f"{ID}, {ID}, {ID}, {ID}, now(), 't', '', 'x', 'live', '', {DIGEST}, '{{}}'",
    ),
    "iu_instance_tombstone": row(
        "instance_collection_id, rollback_operation_id, event_id, reference_id,"
        " template_collection_id, composed_at, rolled_back_at, event_type, suffix, actor,"
        " data_digest, composition_digest, rolled_back_by, reason",
        f"{ID}, {ID}, {ID}, {ID}, {ID}, now(), now(), 't', '', 'x', {DIGEST}, {DIGEST}, 'x', ''",
    ),
    "iu_template_counter": row(
        "counter_id, template_collection_id, emit_mode, slot, instance_count",
        f"{ID}, {ID}, 'live', 0, 1",
    ),
    "iu_core_config_history": row(
        "config_key, action, actor, principal, reason, occurred_at",
        "'iu_core.composer_enabled', 'open', 'x', 'x', '', now()",
    ),
    "iu_gate_lease": row(
        "gate_key, epoch, opened_by, reason, opened_at, expires_at",
        "'iu_core.composer_enabled', 0, 'x', '', now(), now()",
    ),
    "iu_api_key": row(
        "key_id, key_sha256, principal, scope, actor, created_by, created_at",
        "'0000', sha256(''), 'x', 'viewer', 'x', 'x', now()",
    ),
    "iu_command_record": row(
        "subject_id, first_at, last_at, command, outcome, code",
        f"{ID}, now(), now(), 'compose', 'refused', 'composer_gate_closed'",
    ),
    "iu_audit_segment": row(
        "segment_no, last_record_id, first_at, last_at, sealed_at, runs, runs_digest,"
        " previous_digest, segment_digest, sealed_by, sealed_runs",
        f"1, {ID}, now(), now(), now(), 1, {DIGEST}, {DIGEST}, {DIGEST}, 'x', ''",
    ),
    "iu_integrity_check": row(
        "checked_at, holds, counts, examined", "now(), true, '{\"pieces\": 0}', '{}'"
    ),
    "event_outbox": row(
        "subject_id, outbox_id, created_at, domain, event_type, payload",
        f"{ID}, {ID}, now(), 'iu', 't', '{{}}'",
    ),
    "iu_operation": row(
        "operation_id, created_at, updated_at, total, not_attempted, kind, principal, actor,"
        " request_digest, reason",
        f"{ID}, now(), now(), 0, 0, 'rollback', 'x', 'x', '', ''",
    ),
    "iu_operation_item": row("operation_id, ordinal", f"{ID}, 1"),
    "iu_actor_fence": row("actor, operation_id, fenced_at", f"'x', {ID}, now()"),
    "iu_sql_event_route": row(
        "route_key, enabled, event_type_pattern, template, emit_mode, actor, principal, created_at,"
        " updated_at, updated_by, reason",
        "'x', true, '*', 'tpl:wf:onboarding', 'live', 'x', 'x', now(), now(), 'x', ''",
    ),
    "iu_event_source": row(
        "source_name, enabled, signature, secrets, source, actor, principal, created_at,"
        " updated_at, updated_by, reason",
        "'x', true, 'github', '{x}', '/x', 'x', 'x', now(), now(), 'x', ''",
    ),
    "iu_event": row(
        "event_id, received_at, rules_revision, depth, source, cloudevent_id, event_type, is_inert,"
        " channel, actor, principal, content_digest, content, travelled",
        f"{ID}, now(), 1, 0, '/x', '1', 't', false, 'http', 'x', 'x', {DIGEST}, '{{}}', '{{}}'",
    ),
    "iu_event_result": row(
        "event_id, route_id, fired_at, outcome, template, suffix",
        f"{ID}, {ID}, now(), 'composed', 'tpl:wf:onboarding/v1', ''",
    ),
    "iu_outbound_route": row(
        "route_id, route_name, enabled, event_type_pattern, endpoint, secrets, created_at,"
        " updated_at, updated_by, reason",
        f"{ID}, 'x', true, '*', 'https://x.example/', '{{x}}', now(), now(), 'x', ''",
    ),
    "iu_route_delivery": row(
        "subject_id, outbox_id, route_id, created_at, due_at, sequence, period, event_type",
        f"{ID}, {ID}, {ID}, now(), now(), 1, 1, 't'",
    ),
    "iu_route_attempt": row(
        "subject_id, attempt_id, outbox_id, route_id, started_at, leased_until, attempt, worker",
        f"{ID}, {ID}, {ID}, {ID}, now(), now(), 1, 'x'",
    ),
    "iu_route_dead_letter": row(
        "subject_id, outbox_id, route_id, attempt_id, dead_at, attempts, event_type",
        f"{ID}, {ID}, {ID}, {ID}, now(), 10, 't'",
    ),
    "iu_unit_axis_log": row(
        "unit_id, occurred_at, compositions, actor, principal, axes_before, axes_after",
        f"{ID}, now(), 0, 'x', 'x', '{{}}', '{{}}'",
    ),
    "iu_snapshot": row(
        "snapshot_id, taken_at, actor, principal, reason, schema_revision",
        f"{ID}, now(), 'x', 'x', 'x', '0013'",
    ),
    "iu_snapshot_surface": row(
        "snapshot_id, surface, row_count, digest",
        f"{ID}, 'information_unit', 0, repeat('0', 32)",
    ),
}

# What there is to lose in a table that is not empty from the first.
CHANGES = {
    "iu_clock": {"set ahead": "UPDATE iu_core.iu_clock SET set_ahead = interval '1 hour'"},
    "iu_core_config": {
        "a gate that is open": """UPDATE iu_core.iu_core_config SET config_value = 'true'
            WHERE config_key = 'iu_core.composer_enabled'""",
        "a setting": """UPDATE iu_core.iu_core_config SET config_value = '"refuse"'
            WHERE config_key = 'iu_core.unknown_event_types'""",
        "a seal": """UPDATE iu_core.iu_core_config SET sealed_at = now(), sealed_by = 'x'
            WHERE config_key = 'iu_core.composer_enabled'""",
        "leases that were ended": """UPDATE iu_core.iu_core_config SET lease_epoch = 1
            WHERE config_key = 'iu_core.composer_enabled'""",
        "a change that was taken back": """UPDATE iu_core.iu_core_config SET revision = 3
            WHERE config_key = 'iu_core.composer_enabled'""",
        "one more": """INSERT INTO iu_core.iu_core_config (config_key, config_value, is_write_gate)
            VALUES ('iu_core.another', 'false', true)""",
    },
    "iu_core_retention_policy": {
        "other days": "UPDATE iu_core.iu_core_retention_policy SET keep_days = 30",
        "what is kept for ever": """UPDATE iu_core.iu_core_retention_policy SET enabled = false
            WHERE target = 'command_record'""",
        "a change that was taken back": """UPDATE iu_core.iu_core_retention_policy SET revision = 3
            WHERE target = 'stored_events'""",
    },
    "event_type_registry": {
        "one more": """INSERT INTO iu_core.event_type_registry (event_type, delivery_lane, domain)
            VALUES ('employee.hired', 'delayed', 'system')""",
        "another lane": """UPDATE iu_core.event_type_registry SET delivery_lane = 'live'
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        "a schema": """UPDATE iu_core.event_type_registry SET data_schema = '{}'
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        "a later version": """UPDATE iu_core.event_type_registry SET version = 2
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        "another description": """UPDATE iu_core.event_type_registry SET description = 'x'
            WHERE event_type = 'iu.template.instance_rolled_back'""",
    },
}

NO_LOSS = {"iu_event_rules", "dot_iu_command_catalog", "iu_audit_chain"}
"""One counts the changes of other tables, and can begin again; one comes with the program; and of
one, where the audit chain ends, its segments tell."""

LOSSES = {
    **{table: {"a row": f"INSERT INTO iu_core.{table} {values}"} for table, values in ROWS.items()},
    **CHANGES,
}


def dropped() -> set[str]:
    """The tables that down scripts drop, and those of which they drop a column."""
    found: set[str] = set()
    for script in (root() / "versions").glob("*.down.sql"):
        for raw in pglast.parse_sql(script.read_text("utf-8")):
            match raw.stmt:
                case ast.DropStmt(removeType=enums.ObjectType.OBJECT_TABLE, objects=(*names,)):
                    found.update(parts[-1].sval for parts in names)
                case ast.AlterTableStmt(
                    objtype=enums.ObjectType.OBJECT_TABLE,
                    relation=ast.RangeVar(relname=str(name)),
                    cmds=(*commands,),
                ):
                    if any(c.subtype == enums.AlterTableType.AT_DropColumn for c in commands):
                        found.add(name)
    return found


async def fill_what_it_points_to(owner: asyncpg.Connection, table: str) -> None:
    """Put a row into each table that `table` must refer to, where there is none yet."""
    parents = await owner.fetch(
        """SELECT DISTINCT p.relname
             FROM pg_constraint AS k
             JOIN pg_class AS p ON p.oid = k.confrelid
             JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
            WHERE k.contype = 'f' AND k.conrelid = $1::regclass AND k.confrelid <> k.conrelid
              AND a.attnotnull""",
        f"iu_core.{table}",
    )
    for (parent,) in parents:
        if not await owner.fetchval(f"SELECT EXISTS (SELECT FROM iu_core.{parent})"):
            await fill_what_it_points_to(owner, parent)
            await owner.execute(LOSSES[parent]["a row"])


@pytest.fixture(scope="module")
async def tables(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Database]:
    """A migrated database without functions and views: a downgrade takes longest to drop them."""
    head = revisions.head(root())
    assert head is not None
    async with cloned_database(server, maintenance) as clone:
        await downgrade(clone.owner_url, head)
        yield clone


@pytest.fixture
async def database(
    server: Server, maintenance: asyncpg.Connection, tables: Database
) -> AsyncIterator[Database]:
    """A copy of `tables` for this test alone."""
    async with cloned_database(server, maintenance, tables.name) as clone:
        yield clone


@pytest.fixture(scope="module")
async def dump_before(tables: Database) -> str:
    """What pg_dump says of the schema of `tables` and of each copy of it."""
    return await catalog_dump(tables)


def test_what_is_to_lose_is_known_of_every_table_that_a_down_script_drops() -> None:
    assert dropped() - NO_LOSS == LOSSES.keys()


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        pytest.param(table, statement, id=f"{table}: {what}")
        for table, losses in LOSSES.items()
        for what, statement in losses.items()
    ],
)
async def test_a_down_script_refuses_to_destroy_even_what_is_committed_while_it_runs(
    database: Database,
    owner: asyncpg.Connection,
    observer: asyncpg.Connection,
    dump_before: str,
    table: str,
    statement: str,
) -> None:
    await fill_what_it_points_to(owner, table)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute(statement)

    async def refused() -> None:
        with pytest.raises(DowngradeRefused, match=rf": iu_core\.{table} .*\(SQLSTATE PF409\)\n."):
            await downgrade(database.owner_url, "base")

    async def waits() -> bool:
        waiting: bool = await observer.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))",
            owner.get_server_pid(),
        )
        return waiting

    async with asyncio.TaskGroup() as group:
        group.create_task(refused())
        await wait_until(waits, "the downgrade waits for the writer")
        await transaction.commit()
    assert await catalog_dump(database) == dump_before


async def test_a_refused_downgrade_leaves_the_functions_and_views_too(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> None:
    async with cloned_database(server, maintenance) as whole:
        owner = await open_connection(whole, "owner")
        await owner.execute(LOSSES["information_unit"]["a row"])  # of the very first revision
        await owner.close()
        before = await catalog_dump(whole)
        with pytest.raises(
            DowngradeRefused, match=r": iu_core\.information_unit .*\(SQLSTATE PF409\)"
        ):
            await downgrade(whole.owner_url, "base")
        assert await catalog_dump(whole) == before


async def test_a_downgrade_does_not_forget_what_was_sent_again(
    database: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "INSERT INTO iu_core.iu_command_record (subject_id, first_at, last_at, command, outcome,"
        f" code) VALUES ({ID}, now(), now(), 'replay_messages', 'done', 'ok')"
    )
    with pytest.raises(DowngradeRefused, match="still tells what was sent again"):
        await downgrade(database.owner_url, "0009")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("iu_command_record", "took_us = 1"),
        ("iu_command_record", "counts = '{}'"),
        ("iu_command_record", "lease_ids = '{}'"),
        ("iu_command_record", f"instances_digest = {DIGEST}"),
        ("iu_auto_instantiate_event_log", f"batch_id = {ID}"),
        ("iu_instance_tombstone", f"batch_id = {ID}"),
    ],
)
async def test_a_downgrade_does_not_forget_what_runs_tell(
    database: Database, owner: asyncpg.Connection, table: str, column: str
) -> None:
    await fill_what_it_points_to(owner, table)
    await owner.execute(LOSSES[table]["a row"])
    await owner.execute(f"UPDATE iu_core.{table} SET {column}")
    with pytest.raises(DowngradeRefused, match="still tells of runs"):
        await downgrade(database.owner_url, "0011")
