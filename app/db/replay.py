"""What the replays ask the database directly: the baseline, the counts, and the probes' calls.

The baseline and the counts are the owner's, the probes the service's role's.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

import asyncpg

_TABLES = (
    "information_unit",
    "iu_piece_collection",
    "iu_piece_membership",
    "iu_collection_template_instance_lineage",
    "iu_auto_instantiate_event_log",
    "iu_collection_template_registry",
    "iu_collection_template_version",
    "iu_lifecycle_log",
    "iu_vector_sync_point",
)
_AXES = ("DIEU-28", "DIEU-32", "DIEU-35")
_DOMAINS = ("iu", "system")


async def load_baseline(owner: asyncpg.Connection) -> None:
    """Load the state before replay 25000x into a migrated, empty database."""
    script = files("app.replay").joinpath("baseline_25000x.sql").read_text(encoding="utf-8")
    async with owner.transaction():
        await owner.execute(script)


async def surfaces(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each surface of the regression matrix has."""
    counts: dict[str, int] = {}
    for table in _TABLES:
        counts[table] = await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}")  # noqa: S608
    for axis in _AXES:
        counts[f"units with axis {axis}"] = await owner.fetchval(
            "SELECT count(*) FROM iu_core.iu_unit_axis WHERE axis = $1", axis
        )
    for domain in _DOMAINS:
        counts[f"event_outbox, domain {domain}"] = await owner.fetchval(
            "SELECT count(*) FROM iu_core.event_outbox WHERE domain = $1", domain
        )
    counts["write gates open"] = await open_gates(owner)
    return counts


async def open_gates(connection: asyncpg.Connection) -> int:
    """How many gates are open or leased."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM iu_core.v_iu_gate WHERE state <> 'closed'"
    )
    return count


async def log_by_actor(owner: asyncpg.Connection) -> list[dict[str, Any]]:
    """The event log per actor: rows, how many of them live, how many matching."""
    rows = await owner.fetch(
        """SELECT actor, count(*) AS rows, count(*) FILTER (WHERE emit_mode = 'live') AS live,
                  count(*) FILTER (WHERE digest_matches_template) AS matching
             FROM iu_core.v_iu_auto_instantiate_event_log GROUP BY actor ORDER BY actor"""
    )
    return [dict(row) for row in rows]


async def collection_id(owner: asyncpg.Connection, key: str) -> UUID:
    """The id of the collection with this key."""
    found: UUID = await owner.fetchval(
        "SELECT collection_id FROM iu_core.iu_piece_collection WHERE collection_key = $1", key
    )
    return found


async def plain_collection(owner: asyncpg.Connection) -> UUID:
    """The id of some collection that is neither template nor instance."""
    found: UUID = await owner.fetchval(
        """SELECT c.collection_id FROM iu_core.iu_piece_collection AS c
            WHERE NOT c.is_instance AND NOT EXISTS (
                  SELECT FROM iu_core.iu_collection_template_registry AS r
                   WHERE r.template_collection_id = c.collection_id)
            ORDER BY c.collection_id LIMIT 1"""
    )
    return found


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """The contract's functions, called as the service's role on one connection."""

    connection: asyncpg.Connection

    async def from_event(
        self,
        event_id: UUID | None,
        template: UUID,
        *,
        suffix: str,
        actor: str,
        emit_mode: str,
    ) -> dict[str, Any]:
        """fn_iu_auto_instantiate_from_event, with its seven arguments."""
        answer: dict[str, Any] = await self.connection.fetchval(
            "SELECT iu_core.fn_iu_auto_instantiate_from_event($1, $2, $3, $4, $5, $6, $7)",
            event_id,
            "iu.probe",
            template,
            suffix,
            actor,
            emit_mode,
            "probe",
        )
        return answer

    async def rollback_by_actor(self, actor: str) -> dict[str, Any]:
        """fn_iu_auto_instantiate_rollback_by_actor; its second argument defaults to a dry run."""
        answer: dict[str, Any] = await self.connection.fetchval(
            "SELECT iu_core.fn_iu_auto_instantiate_rollback_by_actor($1)", actor
        )
        return answer

    async def open_gate(self, key: str, actor: str) -> None:
        """Open a gate, within the transaction that the probes run in."""
        await self.connection.fetchval(
            "SELECT iu_core.fn_iu_gate_open($1, 'probe', $2, 'probe', NULL)", key, actor
        )

    async def log_rows_of(self, actors: list[str]) -> int:
        """How many event-log rows these actors have."""
        count: int = await self.connection.fetchval(
            "SELECT count(*) FROM iu_core.v_iu_auto_instantiate_event_log WHERE actor = ANY ($1)",
            actors,
        )
        return count

    async def gate_states(self, keys: list[str]) -> list[str]:
        """The states of these gates, in the order of their keys."""
        rows = await self.connection.fetch(
            "SELECT state FROM iu_core.v_iu_gate WHERE gate_key = ANY ($1) ORDER BY gate_key", keys
        )
        return [row["state"] for row in rows]


async def create_key(
    owner: asyncpg.Connection, key_id: str, sha256: bytes, actor: str, prefixes: list[str]
) -> None:
    """Make an admin's key for the story that is told over HTTP (fn_iu_api_key_create)."""
    never: datetime | None = None
    await owner.fetchval(
        "SELECT iu_core.fn_iu_api_key_create($1, $2, 'replay', 'admin', $3, $4, $5, $3,"
        " 'replay', NULL)",
        key_id,
        sha256,
        actor,
        prefixes,
        never,
    )


async def connect(url: str) -> asyncpg.Connection:
    """A connection that reads jsonb as Python values."""
    connection: asyncpg.Connection = await asyncpg.connect(url)
    await connection.set_type_codec(
        "jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog"
    )
    return connection
