"""What `make run` does beyond serving: leases on the gates, and the examples."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from app.content import CreateFile, TemplateFile, VersionFile, seeds
from app.content.digests import composition_digests_before
from app.errors import StartupError

GATES = (
    "iu_core.piece_write_enabled",
    "iu_core.template_authoring_enabled",
    "iu_core.composer_enabled",
    "iu_core.auto_instantiate_enabled",
    "iu_core.event_intake_enabled",
)
REASON = "evaluation"
LEASE_HOURS = 8

EVENT_ID = uuid.uuid5(uuid.NAMESPACE_URL, "https://factory.example/first-event")
"""The event of the README's first curl: the same everywhere, so that sending it again replays."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A gate that the evaluation opened; `expires_at` is None where it is sealed."""

    gate: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seeded:
    """What became of the examples: the versions that were made, the families that were there."""

    made: list[str]
    there: list[str]


async def lease_gates(client: httpx.AsyncClient) -> list[Leased]:
    """Take the 8-hour leases on authoring, composing and events. A sealed gate stays closed."""
    leased = []
    for gate in GATES:
        answer = await client.post(
            f"/gates/{gate}/leases", json={"seconds": LEASE_HOURS * 3600, "reason": REASON}
        )
        if _code(answer) == "gate_sealed":
            leased.append(Leased(gate, None))
        else:
            expires = datetime.fromisoformat(_document(answer)["expires_at"])
            leased.append(Leased(gate, expires))
    return leased


async def load_seeds(
    client: httpx.AsyncClient, contents: Sequence[TemplateFile] | None = None
) -> Seeded:
    """Load the examples that are not there yet.

    A family that is there is left as it is, whatever became of it, but for one case: where loading
    was interrupted, and the last version is an example that nothing has followed, the next one is
    loaded.
    """
    contents = seeds() if contents is None else contents
    made: list[str] = []
    for content, digest in zip(contents, composition_digests_before(contents), strict=True):
        before = _place_before(content, digest)
        if await _last_of(client, content.family) != before:
            continue
        answer: httpx.Response | None
        if isinstance(content, CreateFile):
            answer = await client.post("/templates", json=content.request_body())
        else:
            answer = await _load_version(client, content, before)
        if answer is None or _code(answer) in _THERE:
            continue
        made.append(_document(answer)["template_key"])
    families = dict.fromkeys(content.family for content in contents)
    return Seeded(made, [family for family in families if not _any_of(family, made)])


_THERE = ("already_exists", "precondition_failed")
"""Who loads the examples at the same time is as good."""


_Place = tuple[str, str | None, str]
"""What is compared of a template: its version, its status and the digest of its pieces."""


async def _last_of(client: httpx.AsyncClient, family: str) -> _Place | None:
    """The last version of a family's; None where there is no such family."""
    answer = await client.get("/templates", params={"family": family, "limit": 200})
    found = _document(answer)["items"]
    if not found:
        return None
    return _place(found[-1])


def _place(template: dict[str, Any]) -> _Place:
    return template["version"], template["status"], template["composition_digest"]


def _place_before(content: TemplateFile, digest: str | None) -> _Place | None:
    """What must be a family's last version so that the file's comes next."""
    if isinstance(content, CreateFile) or content.supersedes is None or digest is None:
        return None
    return content.supersedes, "current", digest


async def _load_version(
    client: httpx.AsyncClient, content: VersionFile, before: _Place | None
) -> httpx.Response | None:
    """The answer; None where the current version is no longer what the file's edits are for."""
    current = await client.get(f"/templates/{content.family}")
    if _place(_document(current)) != before:
        return None
    return await client.post(
        f"/templates/families/{content.family}/versions",
        headers={"If-Match": current.headers["etag"]},
        json=content.request_body(),
    )


def _any_of(family: str, keys: Sequence[str]) -> bool:
    return any(key.startswith(f"{family}/") for key in keys)


class Refused(StartupError):  # noqa: N818 - the service's refusal, not an error of ours
    """A refusal that the evaluation can't do anything about: the problem document."""

    def __init__(self, request: httpx.Request, problem: dict[str, Any]) -> None:
        super().__init__(
            f"{request.method} {request.url.path} was refused: {problem['code']}:"
            f" {problem['detail']}"
        )
        self.problem = problem


def _code(answer: httpx.Response) -> str | None:
    """The code of a refusal."""
    return None if answer.is_success else str(_problem(answer)["code"])


def _document(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise Refused(answer.request, _problem(answer))
    document: dict[str, Any] = answer.json()
    return document


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if isinstance(problem, dict) and "code" in problem and "detail" in problem:
        return problem
    url = answer.request.url
    raise StartupError(f"{url} answered {answer.status_code}, and not as the factory does.")
