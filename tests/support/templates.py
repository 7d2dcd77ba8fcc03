"""Templates for tests of composing, inserted as the owner: no gate, no author."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg

MEDIA_TYPE = "text/markdown"


@dataclass(frozen=True, slots=True)
class Template:
    """A marked template with its version row."""

    collection_id: UUID
    key: str
    family_id: UUID
    family: str
    composition_digest: str
    pieces: int


def content_digest(title: str, body: str) -> str:
    """SHA-256 of a Markdown unit, as decision §2 defines it."""
    return hashlib.sha256(f"{MEDIA_TYPE}\n{title}\n{body}".encode()).hexdigest()


async def open_gates(owner: asyncpg.Connection, *gates: str) -> None:
    """Open gates until closed, as the owner; by default the two of composing."""
    keys = [f"iu_core.{gate}" for gate in gates or ("composer_enabled", "auto_instantiate_enabled")]
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET config_value = 'true' WHERE config_key = ANY ($1)", keys
    )


async def close_gates(owner: asyncpg.Connection) -> None:
    """Close all gates, as the owner."""
    await owner.execute(
        "UPDATE iu_core.iu_core_config SET config_value = 'false' WHERE is_write_gate"
    )


async def make_template(
    owner: asyncpg.Connection,
    family: str = "tpl:wf:onboarding",
    version: int = 1,
    pieces: int = 5,
    *,
    current: bool = True,
) -> Template:
    """A template version with `pieces` new pieces; the family's current one unless told not.

    It supersedes the next lower one; a higher one must not be there yet.
    """
    now = datetime.now(UTC)
    units = [
        (uuid4(), content_digest(title, title), title)
        for title in (f"{family}/v{version} piece {place}" for place in range(1, pieces + 1))
    ]
    lines = "".join(f"{at}\tpart\t{digest}\n" for at, (_, digest, _) in enumerate(units, start=1))
    composition = hashlib.sha256(lines.encode()).hexdigest()
    async with owner.transaction():
        await owner.executemany(
            """INSERT INTO iu_core.information_unit
                      (unit_id, content_digest, media_type, title, body, life, created_by,
                       created_at)
               VALUES ($1, $2, 'text/markdown', $3, $3, 'active', 'fixture', now())""",
            units,
        )
        await owner.execute(
            "INSERT INTO iu_core.iu_composition VALUES ($1, $2, now())", composition, pieces
        )
        await owner.executemany(
            "INSERT INTO iu_core.iu_composition_piece VALUES ($1, $2, 'part', $3)",
            [(composition, at, unit) for at, (unit, _, _) in enumerate(units, start=1)],
        )
        collection, key = uuid4(), f"{family}/v{version}"
        await owner.execute(
            """INSERT INTO iu_core.iu_piece_collection
                      (collection_id, created_at, collection_key, composition_digest)
               VALUES ($1, $2, $3, $4)""",
            collection,
            now,
            key,
            composition,
        )
        await owner.execute(
            """INSERT INTO iu_core.iu_collection_template_registry
                      (template_collection_id, template_key, composition_digest, piece_count,
                       marked_by, marked_at)
               VALUES ($1, $2, $3, $4, 'fixture', $5)""",
            collection,
            key,
            composition,
            pieces,
            now,
        )
        family_id: UUID = await owner.fetchval(
            """INSERT INTO iu_core.iu_collection_template_family
                      (family_key, created_by, created_at)
               VALUES ($1, 'fixture', $2)
                   ON CONFLICT (family_key) DO UPDATE SET chain_revision =
                      iu_collection_template_family.chain_revision + 1
               RETURNING family_id""",
            family,
            now,
        )
        if current:
            await owner.execute(
                """UPDATE iu_core.iu_collection_template_version SET status = 'superseded'
                    WHERE family_id = $1 AND status = 'current'""",
                family_id,
            )
        await owner.execute(
            """INSERT INTO iu_core.iu_collection_template_version
                      (template_collection_id, family_id, version_number, status,
                       composition_digest, supersedes_collection_id, created_by, created_at)
               SELECT $1, $2, $3, $4, $5,
                      (SELECT template_collection_id FROM iu_core.iu_collection_template_version
                        WHERE family_id = $2 AND version_number < $3 AND status <> 'withdrawn'
                        ORDER BY version_number DESC LIMIT 1),
                      'fixture', $6""",
            collection,
            family_id,
            version,
            "current" if current else "superseded",
            composition,
            now,
        )
        if current:
            await owner.execute(
                """INSERT INTO iu_core.iu_collection_template_current_log
                          (family_id, template_collection_id, current_from, actor)
                   VALUES ($1, $2, $3, 'fixture')""",
                family_id,
                collection,
                now,
            )
    return Template(collection, key, family_id, family, composition, pieces)
