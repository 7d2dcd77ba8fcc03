"""Gates: the wrappers of their functions, and reads of their views."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Integer,
    Text,
    Uuid,
    column,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import JSONB

from app.db.accountable import Accountable
from app.db.engine import Transaction
from app.db.keyset import page_query
from app.db.rows import Row, row_of, rows_of

_TIME = DateTime(timezone=True)
_MOST_LEASES = 200

GATE = table(
    "v_iu_gate",
    column("gate_key", Text),
    column("state", Text),
    column("live_leases", BigInteger),
    column("leases_end_at", _TIME),
    column("sealed_at", _TIME),
    column("sealed_by", Text),
    column("changed_at", _TIME),
    column("changed_by", Text),
    column("reason", Text),
    column("revision", BigInteger),
    schema="iu_core",
)

LEASE = table(
    "v_iu_gate_lease",
    column("lease_id", Uuid),
    column("gate_key", Text),
    column("state", Text),
    column("for_actor", Text),
    column("uses_limit", Integer),
    column("uses_left", Integer),
    column("opened_by", Text),
    column("reason", Text),
    column("opened_at", _TIME),
    column("expires_at", _TIME),
    column("revoked_at", _TIME),
    column("revoked_by", Text),
    schema="iu_core",
)

CONFIG_HISTORY = table(
    "v_iu_config_history",
    column("history_id", BigInteger),
    column("config_key", Text),
    column("is_write_gate", Boolean),
    column("action", Text),
    column("actor", Text),
    column("principal", Text),
    column("reason", Text),
    column("request_id", Uuid),
    column("occurred_at", _TIME),
    column("details", JSONB),
    schema="iu_core",
)


@dataclass(frozen=True, slots=True)
class NewLease:
    """A lease that is asked for. None for no such limit."""

    for_actor: str | None
    uses: int | None
    seconds: int


async def open_gate(tx: Transaction, gate_key: str, reason: str, by: Accountable) -> dict[str, Any]:
    """Open a gate until it is closed (fn_iu_gate_open)."""
    answer: dict[str, Any] = await tx.call("fn_iu_gate_open", gate_key, reason, *by.arguments)
    return answer


async def close_gates(
    tx: Transaction, gate_keys: Sequence[str] | None, reason: str, by: Accountable, *, seal: bool
) -> dict[str, Any]:
    """Close gates, all of them for None, and end their leases (fn_iu_gate_close).

    To be committed and followed by `drain_gate` before anybody is told that they are closed.
    """
    keys = None if gate_keys is None else list(gate_keys)
    answer: dict[str, Any] = await tx.call("fn_iu_gate_close", keys, seal, reason, *by.arguments)
    return answer


async def drain_gate(tx: Transaction, gate_key: str) -> None:
    """Wait until everyone who passed the gate before is done (fn_iu_gate_drain)."""
    await tx.call("fn_iu_gate_drain", [gate_key])


async def unseal_gate(
    tx: Transaction, gate_key: str, reason: str, by: Accountable
) -> dict[str, Any]:
    """Close a gate and take its seal away (fn_iu_gate_unseal).

    To be committed and followed by `drain_gate`, as `close_gates`.
    """
    answer: dict[str, Any] = await tx.call("fn_iu_gate_unseal", gate_key, reason, *by.arguments)
    return answer


async def lease_gate(
    tx: Transaction, gate_key: str, new: NewLease, reason: str, by: Accountable
) -> dict[str, Any]:
    """Open a gate for a while (fn_iu_gate_lease)."""
    answer: dict[str, Any] = await tx.call(
        "fn_iu_gate_lease",
        gate_key,
        new.for_actor,
        new.uses,
        new.seconds,
        reason,
        *by.arguments,
    )
    return answer


async def revoke_lease(
    tx: Transaction, gate_key: str, lease_id: UUID, reason: str, by: Accountable
) -> dict[str, Any]:
    """End a lease before its time (fn_iu_gate_lease_revoke).

    To be committed and followed by `drain_gate` before anybody is told that it is over.
    """
    answer: dict[str, Any] = await tx.call(
        "fn_iu_gate_lease_revoke", gate_key, lease_id, reason, *by.arguments
    )
    return answer


async def gates(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The gates by key, and one row more than the page when there are more."""
    return rows_of(await tx.rows(page_query(select(GATE), [GATE.c.gate_key], position, limit)))


async def gate(tx: Transaction, gate_key: str) -> Row | None:
    """One gate, or None."""
    return row_of(await tx.row(select(GATE).where(GATE.c.gate_key == gate_key)))


async def live_leases(tx: Transaction, gate_key: str) -> list[Row]:
    """The leases of a gate that admit somebody now, at most 200, by when they expire."""
    query = (
        select(LEASE)
        .where(LEASE.c.gate_key == gate_key, LEASE.c.state == "live")
        .order_by(LEASE.c.expires_at, LEASE.c.lease_id)
        .limit(_MOST_LEASES)
    )
    return rows_of(await tx.rows(query))


async def lease(tx: Transaction, lease_id: UUID) -> Row | None:
    """One lease, or None."""
    return row_of(await tx.row(select(LEASE).where(LEASE.c.lease_id == lease_id)))


async def history(
    tx: Transaction, config_key: str, position: tuple[Any, ...] | None, limit: int, *, of_gate: bool
) -> list[Row]:
    """The history of a gate, or of a setting, the newest first."""
    query = select(CONFIG_HISTORY).where(
        CONFIG_HISTORY.c.config_key == config_key,
        CONFIG_HISTORY.c.is_write_gate.is_(of_gate),
    )
    columns = [CONFIG_HISTORY.c.history_id]
    return rows_of(await tx.rows(page_query(query, columns, position, limit, descending=True)))
