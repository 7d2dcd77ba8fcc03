"""Calls of the functions of gates, as the service makes them."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

COMPOSER = "iu_core.composer_enabled"
INTAKE = "iu_core.event_intake_enabled"
LIVE = "iu_core.auto_instantiate_enabled"
PIECES = "iu_core.piece_write_enabled"
DELIVERY = "iu_core.delivery_enabled"

ELEVEN = sorted(
    f"iu_core.{name}_enabled"
    for name in (
        "piece_write",
        "lifecycle",
        "template_authoring",
        "composer",
        "auto_instantiate",
        "event_intake",
        "instance_upgrade",
        "envelope_refresh",
        "delivery",
        "retention",
        "vector_sync",
    )
)

BY = ("ops-anna", "anna@example.org")


async def call(connection: asyncpg.Connection, function: str, *arguments: object) -> dict[str, Any]:
    """The answer of a command function, called by Anna with a request id of its own."""
    everything = (*arguments, *BY, uuid4())
    places = ", ".join(f"${place}" for place in range(1, len(everything) + 1))
    answer: dict[str, Any] = await connection.fetchval(
        f"SELECT iu_core.{function}({places})",
        *everything,
    )
    return answer


async def open_gate(
    connection: asyncpg.Connection, gate: str | None, reason: str | None = "test"
) -> dict[str, Any]:
    """fn_iu_gate_open."""
    return await call(connection, "fn_iu_gate_open", gate, reason)


async def close(
    connection: asyncpg.Connection,
    *gates: str | None,
    seal: bool = False,
    reason: str | None = "test",
) -> dict[str, Any]:
    """fn_iu_gate_close; all gates when none is named."""
    return await call(connection, "fn_iu_gate_close", list(gates) or None, seal, reason)


async def drain(connection: asyncpg.Connection, *gates: str) -> None:
    """fn_iu_gate_drain."""
    await connection.execute("SELECT iu_core.fn_iu_gate_drain($1)", list(gates))


async def unseal(connection: asyncpg.Connection, gate: str | None) -> dict[str, Any]:
    """fn_iu_gate_unseal."""
    return await call(connection, "fn_iu_gate_unseal", gate, "test")


async def lease(
    connection: asyncpg.Connection,
    gate: str | None,
    *,
    for_actor: str | None = None,
    uses: int | None = None,
    seconds: int | None = 3600,
    reason: str = "test",
) -> dict[str, Any]:
    """fn_iu_gate_lease."""
    return await call(connection, "fn_iu_gate_lease", gate, for_actor, uses, seconds, reason)


async def revoke(
    connection: asyncpg.Connection, gate: str | None, lease_id: str | UUID
) -> dict[str, Any]:
    """fn_iu_gate_lease_revoke."""
    return await call(connection, "fn_iu_gate_lease_revoke", gate, lease_id, "test")


async def admits(owner: asyncpg.Connection, gate: str, actor: str = "hr-bot") -> bool:
    """Whether the gate lets an actor through now, uses aside (fn_iu_gate_admit)."""
    closed = await owner.fetchval(
        "SELECT closed FROM iu_core.fn_iu_gate_admit($1, $2)", [gate], actor
    )
    assert closed in (None, gate)
    return closed is None


async def set_clock(owner: asyncpg.Connection, ahead: timedelta) -> None:
    """Set the factory's clock ahead of the machine's."""
    await owner.execute("SELECT iu_core.fn_iu_set_clock($1)", ahead)


async def state(connection: asyncpg.Connection, gate: str) -> str:
    """The gate's state, as the view has it."""
    found: str = await connection.fetchval(
        "SELECT state FROM iu_core.v_iu_gate WHERE gate_key = $1", gate
    )
    return found


async def history(connection: asyncpg.Connection, gate: str) -> list[tuple[str, Any]]:
    """What was done to the gate, in order: action and details."""
    rows = await connection.fetch(
        """SELECT action, details FROM iu_core.v_iu_config_history
            WHERE config_key = $1 ORDER BY history_id""",
        gate,
    )
    return [(row["action"], row["details"]) for row in rows]
