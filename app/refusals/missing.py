"""Refusals that say: there is no such thing. The code tells a missing thing from a wrong path."""

from uuid import UUID

from app.refusals.members import ITEMS
from app.refusals.spec import Kind, Member, RefusalSpec


def _missing(code: str, thing: str, look_in: str, *members: Member) -> RefusalSpec:
    return RefusalSpec(
        code,
        Kind.MISSING,
        404,
        f"There is no such {thing}",
        f"The request names a {thing} that does not exist, or that was never there.",
        f"Look in {look_in} for the ones there are.",
        members,
    )


MISSING = (
    _missing(
        "template_collection_not_found",
        "template",
        "`GET /templates`",
        Member("template", str, "The reference.", "tpl:wf:onboarding/v9", required=False),
        ITEMS,
    ),
    _missing(
        "template_family_not_found",
        "template family",
        "`GET /templates`",
        Member("family", str, "The family's key.", "tpl:wf:offboarding", required=False),
        ITEMS,
    ),
    _missing(
        "unit_not_found",
        "piece",
        "`GET /pieces`",
        Member(
            "units",
            list[str],
            "The ids that are not known.",
            ["0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"],
            required=False,
        ),
    ),
    _missing("instance_not_found", "instance", "`GET /instances`"),
    _missing(
        "gate_not_found",
        "gate",
        "`GET /gates`",
        Member("gate", str, "The key.", "iu_core.cleanup_enabled", required=False),
    ),
    _missing(
        "lease_not_found",
        "lease",
        "`GET /gates/{key}`",
        Member("gate", str, "The gate's key.", "iu_core.composer_enabled", required=False),
        Member(
            "lease_id",
            UUID,
            "The id that is not known at this gate.",
            "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
            required=False,
        ),
    ),
    _missing(
        "setting_not_found",
        "setting",
        "`GET /settings`",
        Member("setting", str, "The key.", "iu_core.colour", required=False),
    ),
    _missing(
        "api_key_not_found",
        "API key",
        "`GET /api-keys`",
        Member("key_id", str, "The key's id.", "0a1b2c3d4e5f", required=False),
    ),
    _missing("problem_not_found", "problem", "`GET /problems`"),
    RefusalSpec(
        "route_not_found",
        Kind.MISSING,
        404,
        "There is nothing at this path",
        "No operation has this path. Nothing was looked up.",
        "Look in `/docs` or `/openapi.json` for the paths. A slash within a path parameter is"
        " written as `@` in a template key: `tpl:wf:onboarding@v2`.",
    ),
)
