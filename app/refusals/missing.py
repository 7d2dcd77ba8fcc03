"""Refusals that say: there is no such thing. The code tells a missing thing from a wrong path."""

from uuid import UUID

from app.refusals.members import ITEMS
from app.refusals.spec import Kind, Member, RefusalSpec

_UNKNOWN_ID = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"


def missing(
    code: str, thing: str, meaning: str, look_in: str, *members: Member, asked: str
) -> RefusalSpec:
    """A refusal that there is no such thing; `look_in` says where to see what there is."""
    return RefusalSpec(
        code,
        Kind.MISSING,
        404,
        f"There is no such {thing}",
        meaning,
        f"Look in {look_in} for what there is.",
        members,
        asked=asked,
    )


MISSING = (
    missing(
        "template_collection_not_found",
        "template",
        "No template has this id or key.",
        "`GET /templates`",
        Member("template", str, "The reference.", "tpl:wf:onboarding/v9", required=False),
        ITEMS,
        asked="/instances/from-event",
    ),
    missing(
        "template_family_not_found",
        "template family",
        "No template family has this key.",
        "`GET /templates`",
        Member("family", str, "The family's key.", "tpl:wf:offboarding", required=False),
        ITEMS,
        asked="/templates/families/tpl:wf:offboarding/versions",
    ),
    missing(
        "unit_not_found",
        "piece",
        "No piece has this id.",
        "`GET /pieces`",
        Member(
            "units",
            list[str],
            "The ids that are not known.",
            [_UNKNOWN_ID],
            required=False,
        ),
        asked=f"/pieces/{_UNKNOWN_ID}",
    ),
    missing(
        "instance_not_found",
        "instance",
        "No instance has this id, and none had it before: one that was rolled back answers"
        " `rolled_back`.",
        "`GET /instances`",
        asked=f"/instances/{_UNKNOWN_ID}",
    ),
    missing(
        "operation_not_found",
        "operation",
        "No operation has this id.",
        "`GET /operations`",
        asked=f"/operations/{_UNKNOWN_ID}",
    ),
    missing(
        "gate_not_found",
        "gate",
        "No gate has this key.",
        "`GET /gates`",
        Member("gate", str, "The key.", "iu_core.cleanup_enabled", required=False),
        asked="/gates/iu_core.cleanup_enabled",
    ),
    missing(
        "lease_not_found",
        "lease",
        "This gate has no lease with this id.",
        "`GET /gates/{key}`",
        Member("gate", str, "The gate's key.", "iu_core.composer_enabled", required=False),
        Member(
            "lease_id",
            UUID,
            "The id that is not known at this gate.",
            _UNKNOWN_ID,
            required=False,
        ),
        asked=f"/gates/iu_core.composer_enabled/leases/{_UNKNOWN_ID}",
    ),
    missing(
        "setting_not_found",
        "setting",
        "No setting has this key.",
        "`GET /settings`",
        Member("setting", str, "The key.", "iu_core.colour", required=False),
        asked="/settings/iu_core.colour",
    ),
    missing(
        "api_key_not_found",
        "API key",
        "No API key has this id.",
        "`GET /api-keys`",
        Member("key_id", str, "The key's id.", "0a1b2c3d4e5f", required=False),
        asked="/api-keys/0a1b2c3d4e5f",
    ),
    missing(
        "snapshot_not_found",
        "snapshot",
        "No snapshot has this id; or there are not yet as many as are compared.",
        "`GET /observability/snapshots`",
        Member("snapshot_id", UUID, "The id.", _UNKNOWN_ID, required=False),
        asked=f"/observability/snapshots/{_UNKNOWN_ID}",
    ),
    missing(
        "retention_policy_not_found",
        "retention policy",
        "Retention has no target of this name.",
        "`GET /retention/policies`",
        Member("target", str, "The name.", "templates", required=False),
        asked="/retention/policies/templates",
    ),
    missing(
        "problem_not_found",
        "problem",
        "No problem has this code.",
        "`GET /problems`",
        asked="/problems/out_of_stock",
    ),
    RefusalSpec(
        "route_not_found",
        Kind.MISSING,
        404,
        "There is nothing at this path",
        "No operation has this path. A template's key has `@` for its slash in a path:"
        " `tpl:wf:onboarding@v2`.",
        "Look in `/docs` or `/openapi.json` for the paths that there are.",
        asked="/templates/tpl:wf:onboarding/v2",
    ),
)
