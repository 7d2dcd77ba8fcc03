"""The catalogue as a document for people: `docs/errors.md`."""

import json
from collections.abc import Mapping

from app.refusals.spec import Kind, RefusalSpec, reason_phrase

HEADINGS: Mapping[Kind, str] = {
    Kind.CALLER: "Who is calling",
    Kind.INPUT: "The request itself",
    Kind.MISSING: "No such thing",
    Kind.GATE: "A closed gate",
    Kind.CONFLICT: "The state of what is stored",
    Kind.PRECONDITION: "Preconditions",
    Kind.UNAVAILABLE: "Not now",
    Kind.INTERNAL: "A defect",
}

_HEAD = """\
<!-- Made by `python -m app.errors docs/errors.md`. Change app/refusals/, not this. -->

# Refusals

Whatever the factory does not do, it refuses with a problem document (RFC 9457,
`application/problem+json`). `code` is stable and has one meaning, one status and one remedy;
`type` is the path of a page that explains it. Beside the members below every problem carries
`type`, `title`, `status`, `detail`, `instance` (the path that was asked), `code` and `request_id`,
which is in the logs and in the `X-Request-ID` header. A refusal changes nothing and consumes no
idempotency key.

Checks come in this order, and the first that fails answers: who is calling, what the request says
as a document (address, media types, JSON), the scope, the fields, the actor, and then the state of
what is stored.
"""


def catalogue_as_markdown(catalogue: Mapping[str, RefusalSpec]) -> str:
    """The whole catalogue: one table to look a code up in, then a section for each refusal."""
    parts = [_HEAD, _table(catalogue)]
    for kind, heading in HEADINGS.items():
        parts.append(f"## {heading}\n")
        parts += [_section(spec) for spec in catalogue.values() if spec.kind is kind]
    return "\n".join(parts)


def _table(catalogue: Mapping[str, RefusalSpec]) -> str:
    rows = [
        f"| [`{spec.code}`](#{spec.code}) | {', '.join(map(str, spec.statuses))} | {spec.title} |"
        for spec in catalogue.values()
    ]
    return "\n".join(["| code | HTTP | |", "|---|---|---|", *rows, ""])


def _section(spec: RefusalSpec) -> str:
    lines = [
        f"### {spec.code}",
        "",
        f"{spec.status} {reason_phrase(spec.status)} · {spec.title}.",
        "",
        spec.meaning,
        "",
        f"**Remedy:** {spec.remedy}",
        "",
    ]
    for status, when in spec.other_statuses.items():
        lines += [f"Answered with {status} {reason_phrase(status)} when {when}", ""]
    if spec.members:
        lines += ["| member | | example |", "|---|---|---|"]
        for member in spec.members:
            presence = "" if member.required else " (not always)"
            lines.append(
                f"| `{member.name}`{presence} | {member.meaning} | `{json.dumps(member.example)}` |"
            )
        lines.append("")
    return "\n".join(lines)
