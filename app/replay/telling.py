"""What the replays share: how a story is begun, asks the service, and is looked at."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from app.authentication import NewApiKey
from app.db import replay as db
from app.replay.verdicts import Verdict

TELLER = "iu-core-25000x"
PREFIXES = ("iu-core-25000x-", "iu-core-50000x-")

TEMPLATE_COLUMNS = (
    "version",
    "status",
    "instances",
    "matches",
    "diverges",
    "template_without_version",
)


class NotToldError(Exception):
    """An operation of a story was refused; the message says which, and how."""


async def prepare(owner: asyncpg.Connection) -> str:
    """Load the baseline, and make the key that the stories are told with; its secret."""
    await db.load_baseline(owner)
    key = NewApiKey.make()
    await db.create_key(owner, key.key_id, key.sha256, TELLER, list(PREFIXES))
    return key.secret


async def ok(request: Any) -> httpx.Response:
    """The answer of a request that must not be refused."""
    answer: httpx.Response = await request
    if answer.is_error:
        raise NotToldError(f"{answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer


async def read(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """The document at a path."""
    return (await ok(client.get(path, params=query))).json()


def order(release: str, template: str, suffix: str, actor: str) -> dict[str, Any]:
    """The order of one instance."""
    return {
        "event_id": str(uuid4()),
        "event_type": f"iu.replay.{release}",
        "template": template,
        "suffix": f"{release}-{suffix}",
        "actor": actor,
        "reason": f"replay {release}",
    }


def picked(document: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The members of a document that a requirement speaks of."""
    return {name: document.get(name) for name in names}


def template_verdicts(
    rows: Iterable[Mapping[str, Any]], expected: Mapping[str, tuple[Any, ...]]
) -> list[Verdict]:
    """Templates as `GET /observability/templates` has them, against TEMPLATE_COLUMNS of each."""
    by_key = {row["template_key"]: row for row in rows}
    return [
        Verdict(key, row, tuple(by_key.get(key, {}).get(name) for name in TEMPLATE_COLUMNS))
        for key, row in expected.items()
    ]


async def verify(owner: asyncpg.Connection, client: httpx.AsyncClient) -> list[Verdict]:
    """What no story may break: everything is what digests say, and the audit log tells of all.

    Only runs that are a minute old are sealed, so it sets the scratch database's clock ahead.
    """
    integrity = await read(client, "/observability/integrity")
    await db.let_a_minute_pass(owner)
    sealed = (await ok(client.post("/commands/runs/seal"))).json()
    audit = await read(client, "/commands/runs/verify")
    return [
        Verdict("integrity findings", [], integrity["findings"]),
        Verdict("audit log: all is sealed", True, sealed["complete"]),
        Verdict("audit log: runs not sealed", 0, audit["unsealed"]["runs"]),
        Verdict("audit log: findings", [], audit["findings"]),
    ]
