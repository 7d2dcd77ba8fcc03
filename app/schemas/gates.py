"""Gates over the wire: their state, leases and history, and what changes them."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from app.schemas.base import (
    Actor,
    QueryModel,
    Reason,
    Timestamp,
    Uuid,
    WireModel,
    with_example,
)

GateState = Literal["open", "leased", "closed"]
LeaseState = Literal["live", "revoked", "ended", "expired", "used_up"]
GateAction = Literal["open", "close", "lease", "revoke_lease", "seal", "unseal", "window"]

LONGEST_LEASE_S = 24 * 60 * 60
_MOST_USES = 2**31 - 1

_LEASE = {
    "lease_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    "gate": "iu_core.composer_enabled",
    "state": "live",
    "for_actor": "iu-core-25000x-bulk",
    "uses_limit": 12,
    "uses_left": 12,
    "opened_by": "ops-anna",
    "reason": "monthly status reports",
    "opened_at": "2025-06-01T12:00:00Z",
    "expires_at": "2025-06-01T13:00:00Z",
    "revoked_at": None,
    "revoked_by": None,
}

_GATE = {
    "gate": "iu_core.composer_enabled",
    "state": "leased",
    "refusal": "composer_gate_closed",
    "live_leases": 1,
    "leases_end_at": "2025-06-01T13:00:00Z",
    "sealed": False,
    "sealed_at": None,
    "sealed_by": None,
    "changed_at": "2025-06-01T12:00:00Z",
    "changed_by": "ops-anna",
    "reason": "monthly status reports",
}

_GATE_SET = {
    "gate": "iu_core.composer_enabled",
    "state": "closed",
    "draining": False,
    "changed": True,
    "sealed": False,
    "leases_ended": 1,
    "on_the_wire": None,
    "at": "2025-06-01T12:30:00Z",
}

_HISTORY = {
    "history_id": 42,
    "gate": "iu_core.composer_enabled",
    "action": "close",
    "actor": "ops-anna",
    "principal": "anna@example.org",
    "reason": "done for this month",
    "request_id": "5b9a1f0c-6c1e-4b52-9d0e-2f8f4f6f7a10",
    "occurred_at": "2025-06-01T12:30:00Z",
    "details": {"leases_ended": 1},
}

_Draining = Annotated[
    bool,
    Field(
        description="Whether some who were let in before may still commit: the wait for them was"
        " cut off. Nobody new is let in either way. Ask again to wait again."
    ),
]


class Gate(WireModel):
    """One of the eleven gates.

    Who changed it, when and why is told of the last lease where the gate is leased, else of the
    last opening, closing, sealing or unsealing.
    """

    model_config = with_example(_GATE)

    gate: str = Field(description="The gate's key.")
    state: GateState = Field(
        description="`open`: until it is closed. `leased`: for a while, to some actors or to all."
    )
    refusal: str = Field(description="The code of who is refused at it.")
    live_leases: int = Field(description="How many leases admit somebody now.")
    leases_end_at: Timestamp | None = Field(description="When the last of them expires.")
    sealed: bool = Field(description="Whether it takes no opening, lease or window.")
    sealed_at: Timestamp | None
    sealed_by: str | None
    changed_at: Timestamp
    changed_by: str
    reason: str


class GatePage(WireModel):
    """Gates, sorted by key."""

    model_config = with_example({"items": [_GATE], "next_page_token": None})

    items: list[Gate]
    next_page_token: str | None


class Lease(WireModel):
    """A gate's opening for a while."""

    model_config = with_example(_LEASE)

    lease_id: Uuid
    gate: str = Field(description="The gate's key.")
    state: LeaseState = Field(description="`ended`: the gate was closed since.")
    for_actor: str | None = Field(description="The only actor whom it admits; null: everyone.")
    uses_limit: int | None = Field(
        description="How many newly composed instances it is good for; null: any number."
    )
    uses_left: int | None
    opened_by: str
    reason: str
    opened_at: Timestamp
    expires_at: Timestamp
    revoked_at: Timestamp | None
    revoked_by: str | None


class GateDetails(Gate):
    """A gate, and the leases that are live, those that expire first at the beginning."""

    model_config = with_example({**_GATE, "leases": [_LEASE]})

    leases: list[Lease] = Field(description="At most 200; `live_leases` counts them all.")


class SetGate(WireModel):
    """Opens a gate until it is closed, or closes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"state": "closed", "reason": "done for this month"},
            "anyOf": [
                {"properties": {"state": {"const": "closed"}}},
                {"properties": {"seal": {"type": "null"}}},
            ],
        }
    )

    state: Literal["open", "closed"]
    reason: Reason
    seal: bool | None = Field(
        default=None,
        description="Only with `closed`, and only for admins. True: take no opening, lease or"
        " window until it is unsealed. False: unseal. Left out: leave the seal as it is.",
    )
    actor: Actor | None = Field(default=None, description="Left out: the key's own.")

    @model_validator(mode="after")
    def _seal_what_is_closed(self) -> Self:
        if self.state == "open" and self.seal is not None:
            raise ValueError("seal goes with the state closed only")
        return self


class GateSet(WireModel):
    """What was done to a gate."""

    model_config = with_example(_GATE_SET)

    gate: str = Field(description="The gate's key.")
    state: Literal["open", "closed"]
    draining: _Draining
    changed: bool = Field(description="False when it was so before.")
    sealed: bool
    leases_ended: int = Field(description="How many live leases the closing ended.")
    on_the_wire: int | None = Field(
        None,
        description="Of the gate of delivery, when it is closed: attempts that had begun, and have"
        " not ended. No more will begin.",
    )
    at: Timestamp


class CloseAllGates(WireModel):
    """Closes all eleven gates. May be left out as a whole."""

    model_config = with_example({"reason": "incident 4711", "seal": False})

    reason: Reason = "all gates closed"
    seal: bool = Field(default=False, description="Seals them too. Only for admins.")
    actor: Actor | None = Field(default=None, description="Left out: the key's own.")


class AllGatesClosed(WireModel):
    """What was done to each of the gates."""

    model_config = with_example({"draining": False, "gates": [_GATE_SET]})

    draining: _Draining
    gates: list[GateSet]


class TakeLease(WireModel):
    """Opens a gate for a while."""

    model_config = with_example(
        {
            "seconds": 3600,
            "reason": "monthly status reports",
            "for_actor": "iu-core-25000x-bulk",
            "uses": 12,
        }
    )

    seconds: Annotated[int, Field(ge=1, le=LONGEST_LEASE_S)] = Field(
        description="For how long, from now on: at most 24 hours."
    )
    reason: Reason
    for_actor: Actor | None = Field(default=None, description="Left out: for every actor.")
    uses: Annotated[int, Field(ge=1, le=_MOST_USES)] | None = Field(
        default=None,
        description="How many newly composed instances it is good for; left out: any number."
        " Counted only at the gates of composing, where it costs about two thirds of the"
        " throughput.",
    )
    actor: Actor | None = Field(
        default=None, description="Who takes the lease. Left out: the key's own."
    )


class RevokeLease(QueryModel):
    """Why a lease is revoked, and under which tag."""

    reason: Reason = "lease revoked"
    actor: Actor | None = None


class LeaseRevoked(Lease):
    """A lease that is over."""

    model_config = with_example(
        {
            **_LEASE,
            "state": "revoked",
            "revoked_at": "2025-06-01T12:30:00Z",
            "revoked_by": "ops-anna",
            "draining": False,
        }
    )

    draining: _Draining


class GateChange(WireModel):
    """One entry of a gate's history. `window`: a bulk opened the gate for itself."""

    model_config = with_example(_HISTORY)

    history_id: int
    gate: str
    action: GateAction
    actor: str
    principal: str
    reason: str
    request_id: Uuid | None
    occurred_at: Timestamp
    details: dict[str, Any]


class GateHistoryPage(WireModel):
    """A gate's history, the newest first."""

    model_config = with_example({"items": [_HISTORY], "next_page_token": None})

    items: list[GateChange]
    next_page_token: str | None
