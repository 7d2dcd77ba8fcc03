"""Refusals at gates. Eleven gates, closed by default, each with a code of its own (2-design §5)."""

from app.refusals.members import ITEMS
from app.refusals.spec import Kind, Member, RefusalSpec

# The order is the one in which an operator reads them; the code is derived in SQL by the same rule.
GATE_KEYS = (
    "iu_core.piece_write_enabled",
    "iu_core.lifecycle_enabled",
    "iu_core.template_authoring_enabled",
    "iu_core.composer_enabled",
    "iu_core.auto_instantiate_enabled",
    "iu_core.event_intake_enabled",
    "iu_core.instance_upgrade_enabled",
    "iu_core.envelope_refresh_enabled",
    "iu_core.delivery_enabled",
    "iu_core.retention_enabled",
    "iu_core.vector_sync_enabled",
)

_GUARDS = {
    "iu_core.piece_write_enabled": "writing pieces",
    "iu_core.lifecycle_enabled": "moving pieces through their life",
    "iu_core.template_authoring_enabled": "authoring templates",
    "iu_core.composer_enabled": "composing",
    "iu_core.auto_instantiate_enabled": "composing live",
    "iu_core.event_intake_enabled": "taking events in",
    "iu_core.instance_upgrade_enabled": "upgrading instances",
    "iu_core.envelope_refresh_enabled": "refreshing envelopes",
    "iu_core.delivery_enabled": "delivering events outside",
    "iu_core.retention_enabled": "retention",
    "iu_core.vector_sync_enabled": "synchronising vectors",
}


def gate_code(gate: str) -> str:
    """The refusal code of a closed gate, from the gate's key.

    The gate of live composing is called `live_gate_closed` by the contract (probe C3); every other
    gate lends its own name.
    """
    if gate == "iu_core.auto_instantiate_enabled":
        return "live_gate_closed"
    return f"{gate.removeprefix('iu_core.').removesuffix('_enabled')}_gate_closed"


def resolve_link(gate: str) -> str:
    """The path of the operation that opens a gate (`PUT`), or leases it (`POST …/leases`)."""
    return f"/gates/{gate}"


def _closed(gate: str) -> RefusalSpec:
    short = gate.removeprefix("iu_core.")
    who = "An admin" if gate == "iu_core.delivery_enabled" else "An operator"
    return RefusalSpec(
        gate_code(gate),
        Kind.GATE,
        409,
        f"The gate for {_GUARDS[gate]} is closed",
        f"`{gate}` guards {_GUARDS[gate]}, and it is closed for this actor. Gates are closed by"
        " default; waiting does not open them.",
        f"{who} opens it for a while with `POST {resolve_link(gate)}/leases` (on the command line:"
        f" `factory gate lease {short} --reason …`), or until further notice with"
        f" `PUT {resolve_link(gate)}`. Then send the same request again: a refusal does not consume"
        " the idempotency key.",
        (
            Member("gate", str, "The gate's key.", gate),
            Member("resolve", str, "The path of the operation that opens it.", resolve_link(gate)),
            ITEMS,
        ),
    )


GATES = (
    *(_closed(gate) for gate in GATE_KEYS),
    RefusalSpec(
        "gate_sealed",
        Kind.GATE,
        409,
        "The gate is sealed",
        "The gate was sealed: it takes no opening, no lease and no window until an admin unseals"
        " it.",
        'An admin unseals it with `PUT /gates/{key}` and `"seal": false`. It is closed then, and'
        " can be opened or leased again.",
        (
            Member("gate", str, "The gate's key.", "iu_core.composer_enabled"),
            ITEMS,
        ),
        asked="/gates/iu_core.composer_enabled/leases",
    ),
)
