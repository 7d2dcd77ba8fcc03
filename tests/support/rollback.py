"""Calls of the rollback functions, as the service makes them, and what they leave behind."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from tests.support.composing import Item, compose
from tests.support.rows import one_row
from tests.support.templates import Template

OPERATOR = "ops-anna"
PRINCIPAL = "anna"

NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing: the digest of an empty plan."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selectors:
    """What is to be rolled back; None selects everything."""

    actor: str | None = None
    operation_id: UUID | None = None
    event_id: UUID | None = None
    template: str | None = None
    composed_from: datetime | None = None
    composed_to: datetime | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """The six in the functions' order."""
        return (
            self.actor,
            self.operation_id,
            self.event_id,
            self.template,
            self.composed_from,
            self.composed_to,
        )


HR = Selectors(actor="hr-bot")
"""Everything of the actor that items have by default."""


async def _call(connection: asyncpg.Connection, function: str, *arguments: object) -> Answer:
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    answer: Answer = await connection.fetchval(f"SELECT iu_core.{function}({places})", *arguments)
    return answer


async def plan(
    connection: asyncpg.Connection,
    selectors: Selectors,
    *,
    allowed: str | None = None,
    request_id: UUID | None = None,
) -> Answer:
    """The answer of fn_iu_rollback_plan."""
    return await _call(
        connection,
        "fn_iu_rollback_plan",
        *selectors.arguments,
        allowed,
        OPERATOR,
        PRINCIPAL,
        request_id,
    )


async def apply(
    connection: asyncpg.Connection,
    selectors: Selectors,
    planned: Answer,
    *,
    release_keys: bool = False,
    acknowledge_delivered: bool = False,
    reason: str = "wrong list",
    allowed: str | None = None,
    request_id: UUID | None = None,
) -> Answer:
    """The answer of fn_iu_rollback_apply to a plan's digest and time."""
    return await _call(
        connection,
        "fn_iu_rollback_apply",
        *selectors.arguments,
        planned["plan_digest"],
        datetime.fromisoformat(planned["planned_at"]),
        release_keys,
        acknowledge_delivered,
        reason,
        allowed,
        OPERATOR,
        PRINCIPAL,
        request_id,
    )


async def by_actor(
    connection: asyncpg.Connection,
    actor: str | None,
    *,
    dry_run: bool | None = False,
    release_keys: bool = False,
    reason: str | None = "wrong list",
    allowed: str | None = None,
    request_id: UUID | None = None,
) -> Answer:
    """The answer of fn_iu_rollback_by_actor."""
    return await _call(
        connection,
        "fn_iu_rollback_by_actor",
        actor,
        dry_run,
        release_keys,
        reason,
        allowed,
        OPERATOR,
        PRINCIPAL,
        request_id,
    )


async def release_keys(
    connection: asyncpg.Connection,
    selectors: Selectors,
    *,
    reason: str = "send again",
    allowed: str | None = None,
) -> Answer:
    """The answer of fn_iu_rollback_release_keys."""
    return await _call(
        connection,
        "fn_iu_rollback_release_keys",
        *selectors.arguments,
        reason,
        allowed,
        OPERATOR,
        PRINCIPAL,
        None,
    )


def plan_digest(ids: Iterable[UUID]) -> str:
    """SHA-256 over the sorted ids, one per line."""
    lines = "".join(f"{instance}\n" for instance in sorted(map(str, ids)))
    return hashlib.sha256(lines.encode()).hexdigest()


async def present(owner: asyncpg.Connection) -> set[UUID]:
    """The instances that are there."""
    rows = await owner.fetch(
        "SELECT collection_id FROM iu_core.iu_piece_collection WHERE is_instance"
    )
    return {row["collection_id"] for row in rows}


async def buried(owner: asyncpg.Connection) -> list[UUID]:
    """The instances that have tombstones, once for each tombstone, sorted."""
    rows = await owner.fetch(
        "SELECT instance_collection_id AS id FROM iu_core.iu_instance_tombstone ORDER BY 1"
    )
    return [row["id"] for row in rows]


async def row_counts(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows of instances there are, table by table."""
    row = await owner.fetchrow(
        """SELECT (SELECT count(*) FROM iu_core.iu_piece_collection WHERE is_instance)
                      AS collections,
                  (SELECT count(*) FROM iu_core.iu_collection_template_instance_lineage)
                      AS lineage,
                  (SELECT count(*) FROM iu_core.iu_auto_instantiate_event_log) AS log,
                  (SELECT count(*) FROM iu_core.iu_instance_tombstone) AS tombstones,
                  (SELECT count(*) FROM iu_core.event_outbox) AS messages,
                  (SELECT count(*) FROM iu_core.event_outbox WHERE cancelled_at IS NOT NULL)
                      AS cancelled,
                  (SELECT coalesce(sum(instance_count), 0)::integer
                     FROM iu_core.iu_template_counter WHERE emit_mode = 'live') AS counted"""
    )
    assert row is not None
    return dict(row)


async def composed(connection: asyncpg.Connection, *items: Item) -> list[UUID]:
    """The ids of the instances that the items make."""
    answers = await compose(connection, *items)
    assert {answer["status"] for answer in answers} == {"ok"}
    return [answer["instance_collection_id"] for answer in answers]


async def refusal(owner: asyncpg.Connection) -> dict[str, Any]:
    """The one refusal in the command record."""
    row = await one_row(
        owner,
        """SELECT command, code, actor, principal, details
             FROM iu_core.iu_command_record WHERE outcome = 'refused'""",
    )
    return dict(row)


async def edit(owner: asyncpg.Connection, instance: UUID, other: Template) -> None:
    """Let the instance hold other pieces than it was composed with."""
    await owner.execute(
        "UPDATE iu_core.iu_piece_collection SET composition_digest = $2 WHERE collection_id = $1",
        instance,
        other.composition_digest,
    )


async def deliver(owner: asyncpg.Connection, instance: UUID) -> None:
    """Let all messages of the instance leave the system."""
    await owner.execute(
        """UPDATE iu_core.event_outbox SET delivered_at = clock_timestamp()
            WHERE subject_id = $1 AND cancelled_at IS NULL""",
        instance,
    )


async def many(owner: asyncpg.Connection, template: Template, instances: int) -> None:
    """Instances by the owner, faster than by composing: 8 actors, one each second."""
    ids = "md5('e' || i || ':')::uuid"
    digest = template.composition_digest
    source = f"FROM generate_series(1, {instances}) AS i"
    at = "timestamptz '2025-01-01 00:00:00Z' + i * interval '1 second'"
    await owner.execute(
        f"""INSERT INTO iu_core.iu_piece_collection
            SELECT {ids}, {at}, true, 'tpl-inst:auto:', '{digest}' {source};
            INSERT INTO iu_core.iu_collection_template_instance_lineage
            SELECT {ids}, '{template.collection_id}', {at}, '{digest}' {source};
            INSERT INTO iu_core.iu_auto_instantiate_event_log
                   (instance_collection_id, event_id, reference_id, template_collection_id,
                    operation_id, composed_at, event_type, suffix, actor, emit_mode, reason,
                    data_digest, data)
            SELECT {ids}, md5('event' || i)::uuid, '{template.collection_id}',
                   '{template.collection_id}', md5('operation' || i / 100)::uuid, {at}, 't', '',
                   'bot-' || i % 8, 'live', '', '', '{{}}' {source}"""
    )
