"""Evidence of an instance: an archive that others verify without the service."""

import asyncio
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from app.db import evidence as db
from app.db import instances_read as instances_db
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.errors import Refusal
from app.evidence.archive import MAX_ARCHIVE
from app.evidence.findings import Finding
from app.evidence.making import make
from app.evidence.members import sha256
from app.evidence.verifying import verify
from app.refusals.from_database import refusal_from_status
from app.refusals.members import MOST_ERRORS
from app.security import Caller
from app.services.audit import Audit
from app.services.instances_read import readable
from app.signing import SigningKey

MAX_PIECES_BYTES = 32 * 1024 * 1024
"""Of the bodies of all pieces: with all that else there may be they fit into an archive."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An archive; `body` None: the reader has it already, under this `entity_tag`."""

    entity_tag: str
    body: bytes | None


async def read_evidence(
    database: Database,
    audit: Audit,
    caller: Caller,
    instance_id: UUID,
    *,
    head: str | None,
    known: Container[str],
) -> Evidence:
    """The archive that proves an instance: the same bytes while what it is made of is the same.

    `head` is the digest of the head that the chain in it is to go to; None: the one with which the
    instance's segment was first exported, and its own while it was not. `known` are the entity tags
    of what the reader has. What is given holds: it is verified before.

    Refuses with `instance_not_found`, `rolled_back` (410), `actor_not_allowed`; with
    `evidence_not_sealed`, `head_not_reached`, `evidence_inconsistent`, `too_large` and
    `audit_key_unavailable`.
    """

    async def work(tx: Transaction) -> dict[str, Any]:
        row = await instances_db.find_instance(tx, instance_id, ["actor"])
        await readable(tx, caller, instance_id, row)
        _refuse_large(await instances_db.source_size(tx, instance_id), MAX_PIECES_BYTES, "pieces")
        answer = await db.evidence(tx, instance_id, head)
        if answer["status"] == "instance_not_found":
            # It was rolled back meanwhile.
            await readable(tx, caller, instance_id, None)
        return answer

    found = await database.run(work, limits=BULK)
    if found["status"] != "ok":
        raise refusal_from_status(found)
    archive = await asyncio.to_thread(_made, found, audit.key())
    tag = f'"{sha256(archive)}"'
    return Evidence(tag, None if tag in known else archive)


def _made(found: Mapping[str, Any], key: SigningKey) -> bytes:
    try:
        archive = make(found, key)
    except (ValueError, KeyError) as error:
        raise _inconsistent(
            Finding("unreadable", "instance", "what evidence is made of", str(error))
        ) from error
    _refuse_large(len(archive), MAX_ARCHIVE, "archive")
    findings = verify(archive, key=key.public_key).findings
    if findings:
        raise _inconsistent(*findings)
    return archive


def _inconsistent(*findings: Finding) -> Refusal:
    return Refusal(
        "evidence_inconsistent", findings=[asdict(finding) for finding in findings[:MOST_ERRORS]]
    )


def _refuse_large(size: int, limit: int, of: str) -> None:
    if size > limit:
        raise Refusal("too_large", limit=limit, counted=f"bytes of the {of}")
