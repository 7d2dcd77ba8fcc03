"""The audit log: what commands did, whether it is what was sealed, and a head to keep elsewhere.

The chain is made and looked through in portions, a transaction each: so neither a sealer nor who
verifies holds anything for long, however much there is (docs/decisions/0025).
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog

from app.db import audit as db
from app.db.accountable import Accountable
from app.db.audit import RunFilters
from app.db.engine import Database, Transaction
from app.db.limits import BULK
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.schemas.audit import AuditReport, Run, RunList, RunPage, Sealed, SignedHead
from app.schemas.instances_read import Finding
from app.security import Caller
from app.services.instances_read import token_after
from app.signing import ALGORITHM, SigningKey

log = structlog.get_logger(__name__)

SEGMENTS = 20
"""Of one transaction; each has a thousand runs at most."""

MOST_FINDINGS = 100
"""That a report names."""

PATIENCE_S = 2.0
"""How long who asks for sealing waits for those who are writing."""

PAUSE_S = 0.05

_RUNS = Keyset("runs", (datetime, UUID))


async def list_runs(database: Database, query: RunList) -> RunPage:
    """One page of runs, the last first."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _RUNS.position(query.page_token, within)
    items, after = await database.run(
        lambda tx: db.list_runs(tx, RunFilters(**within), position, query.limit)
    )
    return RunPage(
        items=[Run(**item) for item in items],
        next_page_token=token_after(_RUNS, after, within),
    )


class Audit:
    """The chain of one database. `key_path` is where the key is, or is made, that signs heads."""

    def __init__(self, database: Database, key_path: Path) -> None:
        self._database = database
        self._key_path = key_path
        self._verifying = asyncio.Lock()

    async def seal(self, sealed_by: str, *, patience_s: float = 0.0) -> Sealed:
        """Seal what is old enough. `complete`: there is no more of that.

        Waits up to `patience_s` for those who are writing.
        """
        until = asyncio.get_running_loop().time() + patience_s
        segments = runs = 0
        while True:
            answer = await self._run(lambda tx: db.seal(tx, sealed_by, SEGMENTS))
            segments += answer["segments"]
            runs += answer["runs"]
            if not answer["more"] or (
                not answer["segments"] and asyncio.get_running_loop().time() >= until
            ):
                break
            if not answer["segments"]:
                await asyncio.sleep(PAUSE_S)
        if segments:
            log.info("audit_sealed", segments=segments, runs=runs, segment_no=answer["segment_no"])
        return Sealed(
            segments=segments,
            runs=runs,
            complete=not answer["more"],
            segment_no=answer["segment_no"] or None,
            segment_digest=answer["segment_digest"] if answer["segment_no"] else None,
        )

    async def verify(self, head: str | None) -> AuditReport:
        """Look through the whole chain, and whether the digest of an exported head is in it.

        What is wrong with the chain comes first. Refuses with `overloaded` while another look goes
        on in this process: it costs a look at every run and every instance.
        """
        if self._verifying.locked():
            raise Refusal(
                "overloaded",
                "The audit log is being verified already; one looks at a time.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        segments = retired = runs = 0
        of_chain: list[dict[str, Any]] = []
        of_runs: list[dict[str, Any]] = []
        truncated = False
        after: int | None = 0
        async with self._verifying:
            while after is not None:
                answer = await self._run(_portion(after, head))
                segments += answer["segments"]
                retired += answer["retired"]
                runs += answer["runs"]
                of_chain += answer["findings"][: answer["about_chain"]]
                of_runs += answer["findings"][answer["about_chain"] :]
                truncated = truncated or answer["truncated"]
                after = answer["after"]
        findings = of_chain + of_runs
        return AuditReport(
            holds=not findings,
            segments=segments,
            retired=retired,
            runs=runs,
            findings=[Finding(**finding) for finding in findings[:MOST_FINDINGS]],
            truncated=truncated or len(findings) > MOST_FINDINGS,
            unsealed=answer["unsealed"],
            segment_no=answer["segment_no"],
            segment_digest=answer["segment_digest"],
            sealed_until=answer["sealed_until"],
        )

    async def export(self, caller: Caller) -> SignedHead:
        """The chain's head, signed. Refuses with `nothing_sealed` and `audit_key_unavailable`."""
        by = Accountable(caller.actor, caller.principal, caller.request_id)

        async def work(tx: Transaction) -> tuple[dict[str, Any], SignedHead | None]:
            answer = await db.export(tx, by)
            return answer, self._signed(answer) if answer["status"] == "ok" else None

        answer, signed = await self._database.run(work)
        if signed is None:
            raise refusal_from_status(answer)
        return signed

    def key(self) -> SigningKey:
        """The key that heads and evidence are signed with. Refuses with `audit_key_unavailable`."""
        try:
            return SigningKey.kept_in(self._key_path)
        except (OSError, ValueError) as error:
            log.error("audit_key_unavailable", path=str(self._key_path), error=repr(error))  # noqa: TRY400
            raise Refusal("audit_key_unavailable", retry_after=RETRY_AFTER_SECONDS) from error

    def _signed(self, answer: dict[str, Any]) -> SignedHead:
        key = self.key()
        return SignedHead(
            segment_no=answer["segment_no"],
            segment_digest=answer["segment_digest"],
            exported_at=answer["exported_at"],
            head=answer["head"],
            algorithm=ALGORITHM,
            signature=base64.b64encode(key.sign(answer["head"].encode())).decode("ascii"),
            public_key=key.public_key,
        )

    async def _run(
        self, work: Callable[[Transaction], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        return await self._database.run(work, limits=BULK, repeatable=True)


def _portion(after: int, head: str | None) -> Callable[[Transaction], Awaitable[dict[str, Any]]]:
    return lambda tx: db.verify(tx, after, SEGMENTS, head)
