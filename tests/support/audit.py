"""The audit chain in tests: sealing without waiting, verifying, and what was found."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from tests.support.gates import BY, set_clock

RUNS = """SELECT command, outcome, code, actor, principal, counts, lease_ids, details
            FROM iu_core.v_iu_command_record ORDER BY last_at, record_id"""


LIST = "SELECT sealed_runs FROM iu_core.iu_audit_segment WHERE segment_no = $1"
HEAD = "SELECT iu_core.fn_iu_audit_head(s) FROM iu_core.iu_audit_segment AS s WHERE segment_no = $1"
RECORD = (
    "SELECT record_id FROM iu_core.iu_command_record ORDER BY last_at, record_id OFFSET $1 LIMIT 1"
)


def sha256(text: str) -> str:
    """As sealed texts have it."""
    return hashlib.sha256(text.encode()).hexdigest()


async def record(owner: asyncpg.Connection, place: int) -> str:
    """The id of a run, by its place."""
    return str(await owner.fetchval(RECORD, place))


async def let_a_minute_pass(owner: asyncpg.Connection, minutes: int = 2) -> None:
    """Set the factory's clock so far ahead that what was written by now can be sealed."""
    await set_clock(owner, timedelta(minutes=minutes))


async def seal(connection: asyncpg.Connection, segments: int = 20) -> dict[str, Any]:
    """fn_iu_audit_seal, asked again where it leaves something, as a sealer does.

    Whoever ends while it looks is supposed to be in this database, though it may be another test's.
    """
    for _ in range(10):
        answer: dict[str, Any] = await connection.fetchval(
            "SELECT iu_core.fn_iu_audit_seal('tester', $1)", segments
        )
        if answer["segments"] or not answer["more"]:
            break
    return answer


async def verify(
    connection: asyncpg.Connection,
    after: int = 0,
    segments: int = 1000,
    head: str | None = None,
) -> dict[str, Any]:
    """fn_iu_audit_verify, in one portion unless the segments say otherwise."""
    answer: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_audit_verify($1, $2, $3)", after, segments, head
    )
    return answer


async def export(connection: asyncpg.Connection) -> dict[str, Any]:
    """fn_iu_audit_export."""
    answer: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_audit_export($1, $2, $3)", *BY, uuid4()
    )
    return answer


async def retire(owner: asyncpg.Connection, segment_no: int, *, deleting: bool = True) -> None:
    """Retire an exported segment as a command does it, by a run that names it."""
    by = uuid4()
    await owner.fetchval(
        """SELECT iu_core.fn_iu_done(
               'cleanup_retention', jsonb_build_object('status', 'ok', 'retired',
                   jsonb_build_object(s.segment_no, s.segment_digest)), $3, $4, NULL, $2)
             FROM iu_core.iu_audit_segment AS s WHERE s.segment_no = $1""",
        segment_no,
        by,
        *BY,
    )
    await owner.execute(
        """UPDATE iu_core.iu_audit_segment SET retired_at = now(), retired_by = $2
            WHERE segment_no = $1""",
        segment_no,
        by,
    )
    if deleting:
        await owner.execute(
            """DELETE FROM iu_core.iu_command_record AS d USING iu_core.iu_audit_segment AS s
                WHERE s.segment_no = $1 AND s.sealed_runs LIKE '%' || d.record_id || '%'""",
            segment_no,
        )


async def found(connection: asyncpg.Connection, **arguments: Any) -> list[tuple[str, str]]:
    """What verifying finds: kinds and subjects."""
    answer = await verify(connection, **arguments)
    return [(finding["kind"], finding["subject"]) for finding in answer["findings"]]


async def runs(connection: asyncpg.Connection, **equal: Any) -> list[dict[str, Any]]:
    """Rows of the command record, in their order; only those with these values."""
    rows = [dict(row) for row in await connection.fetch(RUNS)]
    return [row for row in rows if all(row[name] == value for name, value in equal.items())]
