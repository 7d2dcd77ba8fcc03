"""Commands that say what may be done at all, by whom, and whether all is what it should be."""

from app.commands.spec import Authority, Command, Elevated
from app.security import Scope

_DELIVERY_GATE = Elevated(Scope.ADMIN, "the gate of delivery")
_DELIVERY_GATE_OR_SEAL = Elevated(Scope.ADMIN, "the gate of delivery, sealing and unsealing")

GOVERNING = (
    Command(
        "set_gate",
        "Open or close a gate",
        Scope.OPERATOR,
        functions=("fn_iu_gate_open", "fn_iu_gate_close", "fn_iu_gate_unseal"),
        reversed_by="set_gate",
        http="PUT /gates/{key}",
        command_line=("gate open", "gate close", "gate seal"),
        elevated=_DELIVERY_GATE_OR_SEAL,
    ),
    Command(
        "close_all_gates",
        "Close all gates",
        Scope.OPERATOR,
        functions=("fn_iu_gate_close",),
        reversed_by="set_gate",
        http="POST /gates/close-all",
        command_line=("gate close",),
        elevated=Elevated(Scope.ADMIN, "sealing"),
    ),
    Command(
        "lease_gate",
        "Open a gate for a while",
        Scope.OPERATOR,
        functions=("fn_iu_gate_lease",),
        reversed_by="revoke_lease",
        http="POST /gates/{key}/leases",
        command_line=("gate lease", "evaluate"),
        elevated=_DELIVERY_GATE,
    ),
    Command(
        "revoke_lease",
        "Revoke a lease",
        Scope.OPERATOR,
        functions=("fn_iu_gate_lease_revoke",),
        reversed_by="lease_gate",
        http="DELETE /gates/{key}/leases/{lease_id}",
        elevated=_DELIVERY_GATE,
    ),
    Command(
        "set_setting",
        "Set a setting",
        Scope.ADMIN,
        functions=("fn_iu_setting_put",),
        reversed_by="set_setting",
        http="PUT /settings/{key}",
    ),
    Command(
        "create_api_key",
        "Make an API key",
        Scope.ADMIN,
        functions=("fn_iu_api_key_create",),
        reversed_by="revoke_api_key",
        http="POST /api-keys",
        command_line=("key create",),
    ),
    Command(
        "create_first_api_key",
        "Make an API key with the owner's login",
        Authority.OWNER,
        functions=("fn_iu_api_key_create",),
        reversed_by="revoke_api_key",
        command_line=("key create", "serve", "evaluate"),
    ),
    Command(
        "revoke_api_key",
        "Revoke an API key",
        Scope.ADMIN,
        functions=("fn_iu_api_key_revoke",),
        http="DELETE /api-keys/{key_id}",
        command_line=("key revoke",),
    ),
    Command(
        "check_integrity",
        "Check everything",
        Scope.VIEWER,
        functions=("fn_iu_verify_integrity",),
        http="GET /observability/integrity",
        command_line=("verify",),
        leaves_nothing=True,
    ),
    Command(
        "run_probes",
        "Prove what composing answers",
        Scope.OPERATOR,
        functions=("fn_iu_probe",),
        http="POST /observability/probes",
        command_line=("probe",),
        leaves_nothing=True,
    ),
    Command(
        "bootstrap_database",
        "Make roles, rights and schema",
        Authority.SUPERUSER,
        command_line=("bootstrap", "migrate", "evaluate"),
    ),
    Command(
        "migrate_database",
        "Bring the database to the program's schema",
        Authority.OWNER,
        command_line=("migrate", "evaluate"),
    ),
)
