"""Refusals that come from the state of what is stored, and from preconditions on it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.refusals.members import ITEMS, Blocker, Disagreement
from app.refusals.spec import Kind, Member, RefusalSpec

_EVIDENCE = "/instances/0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f/evidence"
_TEMPLATE_KEY = Member("template_key", str, "The template.", "tpl:wf:onboarding/v1", required=False)


def _conflict(
    code: str,
    title: str,
    meaning: str,
    remedy: str,
    *members: Member,
    kind: Kind = Kind.CONFLICT,
    status: int = 409,
    other_statuses: dict[int, str] | None = None,
    asked: str = "/instances/from-event",
) -> RefusalSpec:
    return RefusalSpec(
        code, kind, status, title, meaning, remedy, members, other_statuses or {}, asked
    )


def _optional(name: str, type_: Any, meaning: str, example: Any) -> Member:
    return Member(name, type_, meaning, example, required=False)


CONFLICTS = (
    _conflict(
        "document_not_renderable",
        "The document can't be made",
        "A piece can't be filled with the data, or the document is larger, nested deeper or slower"
        " to make than is allowed: `detail` says which.",
        "Look at the piece that is named, and publish a version that puts it right. Instances that"
        " are there stay as they are: their data can still be read.",
        _optional("position", int, "The piece, from 1.", 3),
        _optional("role", str, "Its role.", "milestones"),
        _optional("line", int, "The line in its body, from 1.", 7),
        _optional("column", int, "The character in the line, from 1.", 12),
        _optional(
            "rule",
            str,
            "`undefined`: the data does not have it. `value`: it is of another kind. `limit`: it is"
            " too much. `syntax`, `tag`, `filter`, `clock`, `code`: it is not taken at all.",
            "undefined",
        ),
        asked="/instances/0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f/document",
    ),
    _conflict(
        "template_not_marked",
        "The collection is no template",
        "The collection exists, but it is not marked as a template.",
        "Mark it with `POST /templates/mark`, or name another one.",
        _TEMPLATE_KEY,
        ITEMS,
    ),
    _conflict(
        "template_superseded",
        "The template has a newer version",
        "The request says `require_current`, and the version that it names is no longer current.",
        "Name the family, or the current version; or leave `require_current` out to compose from"
        " the old one.",
        _TEMPLATE_KEY,
        _optional("current", str, "The family's current version.", "tpl:wf:onboarding/v2"),
        ITEMS,
    ),
    _conflict(
        "template_withdrawn",
        "The version was withdrawn",
        "The version was found to be wrong and withdrawn: nothing is composed from it any more.",
        "Name the family, or its current version.",
        _TEMPLATE_KEY,
        ITEMS,
    ),
    _conflict(
        "template_in_use",
        "The version has instances",
        "A version can be withdrawn only while nothing was composed from it.",
        "Publish a next version instead: it supersedes this one.",
        _TEMPLATE_KEY,
        _optional("instances", int, "How many instances it has.", 12),
        asked="/templates/tpl:wf:onboarding@v1/withdraw",
    ),
    _conflict(
        "unit_not_active",
        "A piece is not active",
        "Only active pieces enter compositions.",
        "Activate the pieces that `units` names, or use others.",
        _optional(
            "units",
            list[str],
            "The pieces that are not active.",
            ["0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"],
        ),
        asked="/templates",
    ),
    _conflict(
        "unit_in_use",
        "A current template uses the piece",
        "A piece can't be retired while a current template uses it.",
        "Publish versions without the piece for the templates that `templates` names.",
        _optional("templates", list[str], "The templates that use it.", ["tpl:wf:onboarding/v2"]),
        asked="/pieces/0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f/lifecycle",
    ),
    _conflict(
        "operation_state",
        "The step does not follow from the present state",
        "What was asked for is not possible from the state that the thing is in.",
        "Look at `state`, and ask for a step that follows from it.",
        _optional("state", str, "The present state.", "retired"),
        _optional("allowed", list[str], "The states that can follow.", []),
        asked="/pieces/0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f/lifecycle",
    ),
    _conflict(
        "rolled_back",
        "The instance was rolled back",
        "The event's instance was composed and then rolled back, and its key was kept: a late"
        " redelivery must not compose it again.",
        "If it shall be composed again, release the key with `POST /rollback/release-keys`, or"
        " send another event id or suffix.",
        _optional("rolled_back_at", datetime, "When that was.", "2025-06-01T12:00:00Z"),
        _optional("rolled_back_by", str, "The actor who did it.", "ops-anna"),
        _optional("reason", str, "The reason that was given.", "wrong customer list"),
        _optional(
            "operation_id",
            UUID,
            "The rollback that removed it.",
            "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
        ),
        ITEMS,
        other_statuses={410: "the instance itself is being read."},
    ),
    _conflict(
        "actor_rolling_back",
        "The actor's work is being rolled back",
        "A rollback of more than one transaction removes instances of this actor. Until it is"
        " done, or cancelled, nothing is composed as this actor, and no other rollback of that kind"
        " begins.",
        "Wait until the operation has ended, or cancel it; or work as another actor.",
        _optional("actor", str, "The actor.", "iu-core-25000x-bulk"),
        _optional("operation_id", UUID, "The rollback.", "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"),
        ITEMS,
    ),
    _conflict(
        "rollback_blocked",
        "Instances stand in the way of the rollback",
        "Some of the selected instances were changed since, or their messages have left the"
        " system. Nothing was deleted.",
        "Look at `blockers`; narrow the selection, or send `acknowledge_delivered` for what was"
        " delivered.",
        Member(
            "blockers",
            list[Blocker],
            "The instances, and what happened to each.",
            [
                {
                    "instance_collection_id": "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
                    "reason": "edited",
                }
            ],
        ),
        Member(
            "blockers_omitted",
            int,
            "How many more there are, when they are too many to list.",
            12,
            required=False,
            special=True,
        ),
        asked="/rollback/apply",
    ),
    _conflict(
        "already_exists",
        "It is already there",
        "Something with this key exists, with other content.",
        "Read what is there, or choose another key.",
        _optional("key", str, "The key that is taken.", "tpl:wf:onboarding"),
        asked="/templates",
    ),
    _conflict(
        "no_change",
        "Nothing would change",
        "What was asked for is what is there already.",
        "Nothing needs to be done. If a change was meant, look at what was sent.",
        _TEMPLATE_KEY,
        asked="/templates/families/tpl:wf:onboarding/versions",
    ),
    _conflict(
        "plan_stale",
        "What was planned is no longer so",
        "What the plan selected is not what is there now. Nothing was deleted.",
        "Ask for a new plan, look at it, and apply that one.",
        kind=Kind.PRECONDITION,
        status=412,
        asked="/rollback/apply",
    ),
    _conflict(
        "precondition_failed",
        "It was changed in the meantime",
        "`If-Match` does not name the present state: what it names may be what was there before"
        " somebody else's change.",
        "Read it again, see whether the change is still right, and send the `ETag` that came with"
        " it.",
        _optional("etag", str, "The present entity tag.", '"2"'),
        kind=Kind.PRECONDITION,
        status=412,
        asked="/templates/families/tpl:wf:onboarding/versions",
    ),
    _conflict(
        "precondition_required",
        "The request must say what it has seen",
        "`If-Match` is missing: a version chain is changed only by who has seen its present state.",
        "Read the family with `GET /templates/{ref}`, and send the `ETag` of the answer in"
        " `If-Match`.",
        kind=Kind.PRECONDITION,
        status=428,
        asked="/templates/families/tpl:wf:onboarding/versions",
    ),
    _conflict(
        "nothing_sealed",
        "Nothing is sealed yet",
        "The audit log has no sealed segment, so its chain has no head.",
        "Runs are sealed once their minute is over, by the service itself or with"
        " `POST /commands/runs/seal`. Send the same request again then.",
        asked="/commands/runs/export",
    ),
    _conflict(
        "audit_chain_broken",
        "The end of the audit chain is not what it was",
        "The database's row that says where the audit chain ends is not there, or names another end"
        " than the last segment is, or that was changed: somebody who may change every row has done"
        " so. Nothing is sealed where the row is gone, for nobody can tell what comes next, and no"
        " head is signed.",
        "Look with `GET /commands/runs/verify` at what there is, and compare the database with a"
        " backup and with the last head that was exported.",
        asked="/commands/runs/seal",
    ),
    _conflict(
        "evidence_not_sealed",
        "The run that composed it is not sealed yet",
        "Evidence needs the sealed run of the audit log that composed the instance, and no segment"
        " has that yet: a run is sealed once its minute is over.",
        "Ask again in two minutes, or seal with `POST /commands/runs/seal` once the minute is over."
        " Where it stays so, `GET /commands/runs/verify` says why.",
        asked=_EVIDENCE,
    ),
    _conflict(
        "head_not_reached",
        "The audit chain does not lead to that head",
        "`head` names no segment of the audit chain from the instance's own on, or one that is more"
        " than 20,000 segments behind it.",
        "Name a head that was exported after the instance was composed, or leave `head` out.",
        asked=_EVIDENCE,
    ),
    _conflict(
        "evidence_inconsistent",
        "What is stored does not fit together",
        "Evidence would not hold: something that is stored is not what was sealed, or not what its"
        " digest says. `findings` names it.",
        "Look at what was changed with `GET /instances/{instance_id}/verify` and"
        " `GET /commands/runs/verify`, and compare the database with a backup.",
        Member(
            "findings",
            list[Disagreement],
            "What verifying the evidence would find, 100 at most.",
            [
                {
                    "kind": "piece_differs",
                    "subject": "pieces/1-welcome.txt",
                    "expected": "9f86d081" * 8,
                    "actual": "2c26b46b" * 8,
                }
            ],
        ),
        asked=_EVIDENCE,
    ),
)
