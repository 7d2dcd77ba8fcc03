"""What the replays ask the database directly, as the owner: the baseline, and the counts."""

import json
from datetime import datetime
from importlib.resources import files
from typing import Any

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
    "event_type_registry",
    "dot_iu_command_catalog",
    "iu_core_retention_policy",
    "iu_route_delivery",
    "iu_route_attempt",
    "iu_route_dead_letter",
)
_AXES = ("DIEU-28", "DIEU-32", "DIEU-35")
_DOMAINS = ("iu", "system")


async def load_baseline(owner: asyncpg.Connection) -> None:
    """Load the state before replay 25000x into a migrated, empty database."""
    script = files("app.replay").joinpath("baseline_25000x.sql").read_text(encoding="utf-8")
    async with owner.transaction():
        await owner.execute(script)


async def surfaces(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each surface of the regression matrices has."""
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


async def let_a_minute_pass(owner: asyncpg.Connection) -> None:
    """Set the database's clock so far ahead that all runs until now can be sealed."""
    await owner.fetchval(
        "SELECT iu_core.fn_iu_set_clock(c.set_ahead + interval '2 minutes') FROM iu_core.iu_clock c"
    )


async def log_by_actor(owner: asyncpg.Connection) -> list[dict[str, Any]]:
    """The event log per actor: rows, how many of them live, how many matching."""
    rows = await owner.fetch(
        """SELECT actor, count(*) AS rows, count(*) FILTER (WHERE emit_mode = 'live') AS live,
                  count(*) FILTER (WHERE digest_matches_template) AS matching
             FROM iu_core.v_iu_auto_instantiate_event_log GROUP BY actor ORDER BY actor"""
    )
    return [dict(row) for row in rows]


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
