"""Opening, leasing and closing gates (design, §5)."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from app.commands import elevated_scope
from app.db import gates as db
from app.db.accountable import Accountable
from app.db.delivery import on_the_wire
from app.db.engine import Database, Transaction
from app.db.limits import DRAIN, Limits
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_database_error, refusal_from_status
from app.refusals.gates import gate_code
from app.schemas.base import Page
from app.schemas.gates import (
    AllGatesClosed,
    CloseAllGates,
    Gate,
    GateChange,
    GateDetails,
    GateHistoryPage,
    GatePage,
    GateSet,
    Lease,
    LeaseRevoked,
    RevokeLease,
    SetGate,
    TakeLease,
)
from app.security import Caller

log = structlog.get_logger(__name__)

PREFIX = "iu_core."
DELIVERY_GATE = "iu_core.delivery_enabled"

_GATES = Keyset("gates", (str,))
_HISTORY = Keyset("gate_history", (int,))


def full_key(key: str) -> str:
    """A key with its prefix, which may be left out."""
    return key if key.startswith(PREFIX) else PREFIX + key


async def list_gates(database: Database, page: Page) -> GatePage:
    """The gates, sorted by key."""
    position = _GATES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.gates(tx, position, page.limit)

    found = _GATES.page(await database.run(work), page.limit, lambda row: (row["gate_key"],))
    return GatePage(
        items=[Gate(**_gate(row)) for row in found.items], next_page_token=found.next_page_token
    )


async def get_gate(database: Database, key: str) -> GateDetails:
    """One gate and its live leases. Refuses with `gate_not_found`."""
    gate_key = full_key(key)

    async def work(tx: Transaction) -> GateDetails:
        row = await db.gate(tx, gate_key)
        if row is None:
            raise Refusal("gate_not_found", gate=gate_key)
        leases = [Lease(**_lease(lease)) for lease in await db.live_leases(tx, gate_key)]
        return GateDetails(**_gate(row), leases=leases)

    return await database.run(work)


async def list_gate_history(database: Database, key: str, page: Page) -> GateHistoryPage:
    """What was done to a gate, the newest first. Refuses with `gate_not_found`."""
    gate_key = full_key(key)
    filters = {"gate": gate_key}
    position = _HISTORY.position(page.page_token, filters)

    async def work(tx: Transaction) -> list[Row]:
        if await db.gate(tx, gate_key) is None:
            raise Refusal("gate_not_found", gate=gate_key)
        return await db.history(tx, gate_key, position, page.limit, of_gate=True)

    found = _HISTORY.page(
        await database.run(work), page.limit, lambda row: (row["history_id"],), filters
    )
    return GateHistoryPage(
        items=[GateChange(**_change(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def set_gate(database: Database, caller: Caller, key: str, order: SetGate) -> GateSet:
    """Open a gate until it is closed, or close it, seal it, unseal it.

    A closing is answered when nobody whom the gate admitted can commit any more, or with
    `draining`. Refuses with `gate_not_found`, `gate_sealed`, `operation_state` for an opening that
    waited for a closing, and `forbidden` below admin for the gate of delivery and for seals.
    """
    gate_key = full_key(key)
    _need_scope(caller, "set_gate", gate_key, touches_seal=order.seal is not None)
    by = _accountable(caller, order.actor)

    async def open_gate(tx: Transaction) -> dict[str, Any]:
        return await db.open_gate(tx, gate_key, order.reason, by)

    async def close(tx: Transaction) -> dict[str, Any]:
        if order.seal is False:
            answer = await db.unseal_gate(tx, gate_key, order.reason, by)
            return {**answer, "gates": [{**answer, "sealed": False}]}
        return await db.close_gates(tx, [gate_key], order.reason, by, seal=order.seal is True)

    if order.state == "open":
        answer = _granted(await database.run(open_gate, repeatable=True))
        return _gate_set({**answer, "sealed": False, "leases_ended": 0}, "open", answer["at"])
    answer = _granted(await database.run(close, repeatable=True))
    draining = not await _drained(database, [gate_key])
    (gate,) = await _with_what_is_on_the_wire(database, answer["gates"])
    return _gate_set(gate, "closed", answer["at"], draining=draining)


async def close_all_gates(
    database: Database, caller: Caller, order: CloseAllGates
) -> AllGatesClosed:
    """Close all eleven gates in one transaction. Refuses with `forbidden` to seal below admin."""
    if order.seal:
        caller.need(elevated_scope("close_all_gates"))
    by = _accountable(caller, order.actor)

    async def close(tx: Transaction) -> dict[str, Any]:
        return await db.close_gates(tx, None, order.reason, by, seal=order.seal)

    answer = _granted(await database.run(close, repeatable=True))
    undrained = await _undrained(database, [gate["gate"] for gate in answer["gates"]])
    return AllGatesClosed(
        draining=bool(undrained),
        gates=[
            _gate_set(gate, "closed", answer["at"], draining=gate["gate"] in undrained)
            for gate in await _with_what_is_on_the_wire(database, answer["gates"])
        ],
    )


async def lease_gate(database: Database, caller: Caller, key: str, order: TakeLease) -> Lease:
    """Open a gate for a while.

    Refuses with `gate_not_found`, `gate_sealed`, `operation_state` where it waited for a closing,
    `invalid_input` for uses where none are counted, and `forbidden` below admin for the gate of
    delivery.
    """
    gate_key = full_key(key)
    _need_scope(caller, "lease_gate", gate_key)
    by = _accountable(caller, order.actor)
    new = db.NewLease(order.for_actor, order.uses, order.seconds)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.lease_gate(tx, gate_key, new, order.reason, by)
        taken = answer["status"] == "ok"
        return answer, await db.lease(tx, UUID(answer["lease_id"])) if taken else None

    answer, row = await database.run(work)
    if row is None:
        raise refusal_from_status(answer)
    return Lease(**_lease(row))


async def revoke_lease(
    database: Database, caller: Caller, key: str, lease_id: UUID, order: RevokeLease
) -> LeaseRevoked:
    """End a lease before its time.

    It is answered when nobody whom the lease admitted can commit any more, or with `draining`.
    Refuses with `gate_not_found`, `lease_not_found`, and `forbidden` below admin for the gate of
    delivery.
    """
    gate_key = full_key(key)
    _need_scope(caller, "revoke_lease", gate_key)
    by = _accountable(caller, order.actor)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.revoke_lease(tx, gate_key, lease_id, order.reason, by)
        revoked = answer["status"] == "ok"
        return answer, await db.lease(tx, lease_id) if revoked else None

    # Composers who pay with this lease hold its row: it is waited for like a drain.
    answer, row = await database.run(work, limits=DRAIN, repeatable=True)
    if row is None:
        raise refusal_from_status(answer)
    draining = not await _drained(database, [gate_key])
    return LeaseRevoked(**_lease(row), draining=draining)


async def _with_what_is_on_the_wire(
    database: Database, gates: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The gates, that of delivery with the attempts that go on behind it."""
    if all(gate["gate"] != DELIVERY_GATE for gate in gates):
        return list(gates)
    count = await database.run(on_the_wire, repeatable=True)
    return [
        {**gate, "on_the_wire": count} if gate["gate"] == DELIVERY_GATE else gate for gate in gates
    ]


async def _drained(database: Database, gate_keys: Sequence[str]) -> bool:
    return not await _undrained(database, gate_keys)


async def _undrained(database: Database, gate_keys: Sequence[str]) -> frozenset[str]:
    """Wait for those whom the gates admitted before; the gates where that was cut off.

    Gate by gate, so that nobody waits at one gate for those who passed another.
    """
    deadline = time.monotonic() + DRAIN.statement_ms / 1000
    for place, gate_key in enumerate(gate_keys):
        left_ms = int((deadline - time.monotonic()) * 1000)
        if left_ms <= 0 or not await _drained_within(database, gate_key, left_ms):
            log.warning("gates_still_draining", gates=gate_keys[place:])
            return frozenset(gate_keys[place:])
    return frozenset()


async def _drained_within(database: Database, gate_key: str, milliseconds: int) -> bool:
    async def work(tx: Transaction) -> None:
        await db.drain_gate(tx, gate_key)

    limits = Limits(statement_ms=milliseconds, lock_ms=DRAIN.lock_ms)
    try:
        await database.run(work, limits=limits, repeatable=True)
    except Exception as error:
        # The closing is committed; whatever keeps us from waiting does not undo it.
        if refusal_from_database_error(error) is None:
            raise
        return False
    return True


def _need_scope(caller: Caller, command: str, gate_key: str, *, touches_seal: bool = False) -> None:
    if touches_seal or gate_key == DELIVERY_GATE:
        caller.need(elevated_scope(command))


def _accountable(caller: Caller, actor: str | None) -> Accountable:
    return Accountable(caller.act_as(actor), caller.principal, caller.request_id)


def _granted(answer: dict[str, Any]) -> dict[str, Any]:
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    return answer


def _gate(row: Row) -> dict[str, Any]:
    members = {name: row[name] for name in Gate.model_fields if name in row}
    return {
        **members,
        "gate": row["gate_key"],
        "refusal": gate_code(row["gate_key"]),
        "sealed": row["sealed_at"] is not None,
    }


def _lease(row: Row) -> dict[str, Any]:
    members = {name: row[name] for name in Lease.model_fields if name in row}
    return {**members, "gate": row["gate_key"]}


def _change(row: Row) -> dict[str, Any]:
    members = {name: row[name] for name in GateChange.model_fields if name in row}
    return {**members, "gate": row["config_key"]}


def _gate_set(gate: dict[str, Any], state: str, at: str, *, draining: bool = False) -> GateSet:
    return GateSet.model_validate(
        {
            "gate": gate["gate"],
            "state": state,
            "draining": draining,
            "changed": gate["changed"],
            "sealed": gate["sealed"],
            "leases_ended": gate["leases_ended"],
            "on_the_wire": gate.get("on_the_wire"),
            "at": at,
        }
    )
