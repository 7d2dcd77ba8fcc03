"""Calls of the functions that authors use, as the service makes them."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import asyncpg

from tests.support.templates import MEDIA_TYPE

AUTHOR = "author-anna"

AUTHORING = ("piece_write_enabled", "lifecycle_enabled", "template_authoring_enabled")


async def call(connection: asyncpg.Connection, function: str, **arguments: Any) -> dict[str, Any]:
    """The answer of one command function; who calls is filled in."""
    given = {"actor": AUTHOR, "principal": "test", "request_id": uuid4()} | arguments
    places = ", ".join(f"p_{name} => ${place}" for place, name in enumerate(given, start=1))
    answer: dict[str, Any] = await connection.fetchval(
        f"SELECT iu_core.{function}({places})", *given.values()
    )
    return answer


def content(name: str, role: str | None = None, /, **more: Any) -> dict[str, Any]:
    """A content to send, title and body alike; with a role, a piece of a template."""
    piece = {"media_type": MEDIA_TYPE, "title": name, "body": name, **more}
    return piece if role is None else {"role": role, **piece}


def digest_of(piece: Mapping[str, str]) -> str:
    """The content digest, computed here."""
    text = f"{piece['media_type']}\n{piece['title']}\n{piece['body']}"
    return hashlib.sha256(text.encode()).hexdigest()


def composition_digest_of(pieces: Sequence[tuple[str, str]]) -> str:
    """The composition digest of roles and content digests, computed here."""
    lines = [f"{at}\t{role}\t{digest}\n" for at, (role, digest) in enumerate(pieces, start=1)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


async def create_piece(connection: asyncpg.Connection, name: str, /, **more: Any) -> dict[str, Any]:
    """An active unit whose title and body are its name."""
    given = {"axes": None, **content(name), "life": "active"} | more
    return await call(connection, "fn_iu_piece_create", **given)


async def create_template(
    connection: asyncpg.Connection,
    family: str = "tpl:wf:onboarding",
    pieces: Sequence[Mapping[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A family's first version; three pieces of its own, unless told others."""
    given: dict[str, Any] = {
        "family_key": family,
        "title": "Onboarding",
        "description": "",
        "pieces": pieces or [content(f"{family} {name}", name) for name in ("one", "two", "three")],
        "reason": None,
    }
    return await call(connection, "fn_iu_template_create", **given | more)


async def create_version(
    connection: asyncpg.Connection, family: str = "tpl:wf:onboarding", **more: Any
) -> dict[str, Any]:
    """A family's next version."""
    given: dict[str, Any] = {
        "family_key": family,
        "pieces": None,
        "edits": None,
        "expected_revisions": None,
        "dry_run": False,
        "reason": None,
    }
    return await call(connection, "fn_iu_template_version_create", **given | more)


async def pieces_of(connection: asyncpg.Connection, key: str) -> list[tuple[int, str, str]]:
    """Position, role and title of a template's pieces."""
    rows = await connection.fetch(
        """SELECT p.position, p.role, p.title
             FROM iu_core.v_iu_template AS t
             JOIN iu_core.v_iu_template_piece AS p USING (template_collection_id)
            WHERE t.template_key = $1 ORDER BY p.position""",
        key,
    )
    return [tuple(row) for row in rows]


async def chain_of(
    connection: asyncpg.Connection, family: str
) -> dict[str, tuple[str | None, str | None]]:
    """Status and superseded version of each template of a family, by the version's name."""
    rows = await connection.fetch(
        """SELECT version, status, split_part(supersedes, '/', 2)
             FROM iu_core.v_iu_template WHERE family = $1 ORDER BY version_number""",
        family,
    )
    return {version: (status, superseded) for version, status, superseded in rows}


TABLES = (
    "information_unit",
    "iu_lifecycle_log",
    "iu_composition",
    "iu_composition_piece",
    "iu_composition_axis",
    "iu_piece_collection",
    "iu_piece_membership",
    "iu_collection_template_family",
    "iu_collection_template_registry",
    "iu_collection_template_version",
    "iu_collection_template_current_log",
    "iu_command_record",
    "event_outbox",
    "iu_vector_sync_point",
)


async def row_counts(owner: asyncpg.Connection) -> dict[str, int]:
    """How many rows each table has that authoring could touch.

    Of the command record those of what was refused or tried: what was done leaves a run besides.
    """
    counts = {
        table: await owner.fetchval(f"SELECT count(*) FROM iu_core.{table}") for table in TABLES
    }
    runs = "SELECT count(*) FROM iu_core.iu_command_record WHERE outcome = 'done'"
    return counts | {"iu_command_record": counts["iu_command_record"] - await owner.fetchval(runs)}


def delta(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """The tables whose number of rows changed, and by how much."""
    return {name: after[name] - before[name] for name in before if after[name] != before[name]}
