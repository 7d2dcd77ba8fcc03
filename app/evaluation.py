"""What `make run` does beyond serving: leases on the gates, the examples, and what to try first."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from app.content import CreateFile, TemplateFile, VersionFile, seeds
from app.errors import StartupError

GATES = (
    "iu_core.piece_write_enabled",
    "iu_core.template_authoring_enabled",
    "iu_core.composer_enabled",
    "iu_core.auto_instantiate_enabled",
)
REASON = "evaluation"
LEASE_S = 8 * 60 * 60

EVENT_ID = uuid.uuid5(uuid.NAMESPACE_URL, "https://factory.example/first-event")
"""The event of the README's first curl: the same everywhere, so that sending it again replays."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A gate that the evaluation opened, or the refusal that it met."""

    gate: str
    expires_at: datetime | None
    refusal: str | None


async def lease_gates(client: httpx.AsyncClient) -> list[Leased]:
    """Take the 8-hour leases on composing and authoring. A sealed gate stays closed."""
    leased = []
    for gate in GATES:
        answer = await client.post(
            f"/gates/{gate}/leases", json={"seconds": LEASE_S, "reason": REASON}
        )
        document = answer.json()
        if answer.is_success:
            expires = datetime.fromisoformat(document["expires_at"])
            leased.append(Leased(gate, expires, None))
        elif document["code"] == "gate_sealed":
            leased.append(Leased(gate, None, document["code"]))
        else:
            raise unexpected(answer)
    return leased


async def load_seeds(
    client: httpx.AsyncClient, contents: Sequence[TemplateFile] | None = None
) -> list[str]:
    """Load the examples that are not there yet; the keys of the versions that were made.

    A family that is there already is left as it is, whatever became of it.
    """
    made: list[str] = []
    left_alone: set[str] = set()
    for content in seeds() if contents is None else contents:
        if content.family in left_alone:
            continue
        document = await _load(client, content)
        if document is None:
            left_alone.add(content.family)
        else:
            made.append(document["template_key"])
    return made


async def _load(client: httpx.AsyncClient, content: TemplateFile) -> dict[str, Any] | None:
    if isinstance(content, CreateFile):
        answer = await client.post("/templates", json=content.request_body())
        if answer.status_code == 409 and answer.json()["code"] == "already_exists":
            return None
    else:
        answer = await _load_version(client, content)
    if answer.is_error:
        raise unexpected(answer)
    document: dict[str, Any] = answer.json()
    return document


async def _load_version(client: httpx.AsyncClient, content: VersionFile) -> httpx.Response:
    current = await client.get(f"/templates/{content.family}")
    if current.is_error:
        return current
    return await client.post(
        f"/templates/families/{content.family}/versions",
        headers={"If-Match": current.headers["etag"]},
        json=content.request_body(),
    )


def unexpected(answer: httpx.Response) -> StartupError:
    """What to say of a refusal that the evaluation can't do anything about."""
    try:
        said = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        said = answer.text[:200]
    return StartupError(f"{answer.request.method} {answer.request.url.path} was refused: {said}")
