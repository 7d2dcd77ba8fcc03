"""`/gates`: what is guarded, by what, since when, and for whom it opens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.commands import RequireCommand
from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import PATH_SEGMENT, Page, Uuid
from app.schemas.gates import (
    AllGatesClosed,
    CloseAllGates,
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
from app.security import Caller, Scope, require
from app.services import gates

router = APIRouter(prefix="/gates", tags=["gates"], route_class=FactoryRoute)

GateKey = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=PATH_SEGMENT,
        description="The gate's key; `iu_core.` may be left out.",
        examples=["iu_core.composer_enabled"],
    ),
]


@router.get("", summary="List the gates", dependencies=[Depends(require(Scope.VIEWER))])
async def list_gates(page: Annotated[Page, Query()], database: DatabaseDep) -> GatePage:
    """List the eleven gates with their states, sorted by key."""
    return await gates.list_gates(database, page)


@router.post(
    "/close-all",
    responses=refusals("actor_not_allowed"),
)
async def close_all_gates(
    caller: Annotated[Caller, Depends(RequireCommand("close_all_gates"))],
    database: DatabaseDep,
    order: CloseAllGates | None = None,
) -> AllGatesClosed:
    """Close all eleven gates at once, the gate of delivery too, and end their leases.

    The answer comes when nothing that they guard can be committed any more; see `draining`.
    Sealing them needs the scope `admin`.
    """
    return await gates.close_all_gates(database, caller, order or CloseAllGates())


@router.get(
    "/{key}",
    summary="Read a gate",
    dependencies=[Depends(require(Scope.VIEWER))],
    responses=refusals("gate_not_found"),
)
async def get_gate(key: GateKey, database: DatabaseDep) -> GateDetails:
    """Read one gate and the leases that are live."""
    return await gates.get_gate(database, key)


@router.put(
    "/{key}",
    responses=refusals("actor_not_allowed", "gate_not_found", "gate_sealed", "operation_state"),
)
async def set_gate(
    key: GateKey,
    order: SetGate,
    caller: Annotated[Caller, Depends(RequireCommand("set_gate"))],
    database: DatabaseDep,
) -> GateSet:
    """Open a gate until it is closed, or close it and end its leases.

    An opening that comes upon a closing is refused with `operation_state`: the closing stands.
    A closing needs no precondition, and may be repeated. It is answered when nothing that the gate
    guards can be committed any more; see `draining`. The gate of delivery, sealing and unsealing
    need the scope `admin`.
    """
    return await gates.set_gate(database, caller, key, order)


@router.get(
    "/{key}/history",
    summary="List what was done to a gate",
    dependencies=[Depends(require(Scope.VIEWER))],
    responses=refusals("gate_not_found"),
)
async def list_gate_history(
    key: GateKey, page: Annotated[Page, Query()], database: DatabaseDep
) -> GateHistoryPage:
    """List every change of a gate, and the windows that bulks opened, the newest first."""
    return await gates.list_gate_history(database, key, page)


@router.post(
    "/{key}/leases",
    status_code=201,
    responses=refusals("actor_not_allowed", "gate_not_found", "gate_sealed", "operation_state"),
)
async def lease_gate(
    key: GateKey,
    order: TakeLease,
    caller: Annotated[Caller, Depends(RequireCommand("lease_gate"))],
    database: DatabaseDep,
) -> Lease:
    """Open a gate for at most 24 hours: for one actor or for all, for some uses or for any number.

    Leases add up; closing the gate ends them all, and one that comes upon a closing is refused
    with `operation_state`. The gate of delivery needs the scope `admin`.
    """
    return await gates.lease_gate(database, caller, key, order)


@router.delete(
    "/{key}/leases/{lease_id}",
    responses=refusals("actor_not_allowed", "gate_not_found", "lease_not_found"),
)
async def revoke_lease(
    key: GateKey,
    lease_id: Uuid,
    order: Annotated[RevokeLease, Query()],
    caller: Annotated[Caller, Depends(RequireCommand("revoke_lease"))],
    database: DatabaseDep,
) -> LeaseRevoked:
    """End a lease before its time. One that is over already stays as it is.

    The answer comes when nothing that the lease admitted can be committed any more; see
    `draining`. The gate of delivery needs the scope `admin`.
    """
    return await gates.revoke_lease(database, caller, key, lease_id, order)
