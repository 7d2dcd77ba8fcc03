"""Composing without HTTP: the set-based function's arguments, and the rows that it writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import md5
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import rfc8785

from benchmarks.ground import ACTOR
from benchmarks.requests import DATA
from benchmarks.templates import FIVE

DATA_TEXT = rfc8785.dumps(DATA).decode()

MANY = (
    "SELECT status FROM iu_core.fn_iu_auto_instantiate_many"
    "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)


def many(size: int, template: str = FIVE, actor: str = ACTOR) -> list[Any]:
    """Arguments of fn_iu_auto_instantiate_many for so many new events."""

    def of(value: Any) -> list[Any]:
        return [value] * size

    return [
        [uuid4() for _ in range(size)],
        of("employee.hired"),
        of(template),
        of("ada-lovelace"),
        of(actor),
        of("live"),
        of(""),
        of(DATA_TEXT),
        of(False),
        of(None),
        of("benchmark"),
        [uuid4() for _ in range(size)],
        None,
        False,
    ]


async def compose(
    connection: asyncpg.Connection, size: int, template: str = FIVE, actor: str = ACTOR
) -> None:
    """Compose so many instances in one call; raises where one is refused."""
    rows = await connection.fetch(MANY, *many(size, template, actor))
    statuses = {row["status"] for row in rows}
    if statuses != {"ok"}:
        raise RuntimeError(f"not composed: {statuses}")


def literal(text: str) -> str:
    """A constant for SQL that pgbench reads, to which `:auto` would be a variable.

    The planner puts it together, once.
    """
    return "'" + text.replace(":", "' || chr(58) || '") + "'"


@dataclass(frozen=True, slots=True)
class Template:
    """What an instance's rows say of its template. `family_id` is what its events refer to."""

    collection_id: UUID
    family_id: UUID
    digest: str

    @classmethod
    async def of(cls, owner: asyncpg.Connection, family: str = FIVE) -> "Template":
        """The current version of a family, read with the owner's rights."""
        row = await owner.fetchrow(
            "SELECT v.template_collection_id, v.family_id, v.composition_digest"
            "  FROM iu_core.iu_collection_template_version AS v"
            "  JOIN iu_core.iu_collection_template_family AS f USING (family_id)"
            " WHERE f.family_key = $1 AND v.status = 'current'",
            family,
        )
        assert row is not None
        return cls(*row.values())


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one table that composing writes: its columns, and what to SELECT for an id.

    The expressions use `id`, the instance's, and the constants of a template.
    """

    table: str
    columns: tuple[str, ...]
    expressions: tuple[str, ...]

    def select(self, ids: str) -> str:
        """The rows for the ids of an expression of type uuid[]."""
        return f"SELECT {', '.join(self.expressions)} FROM unnest({ids}) AS id"

    def insert(self, ids: str) -> str:
        """One INSERT of these rows."""
        return f"INSERT INTO iu_core.{self.table} ({', '.join(self.columns)}) {self.select(ids)}"


def rows_of(template: Template) -> Iterable[Rows]:
    """What composing an instance writes, table by table, in the order of the foreign keys.

    Beside these, one row of the template's counters is added to.
    """
    place = f"'{template.collection_id}'::uuid"
    digest = f"'{template.digest}'"
    yield Rows(
        "iu_piece_collection",
        ("collection_id", "created_at", "is_instance", "collection_key", "composition_digest"),
        ("id", "now()", "true", literal("tpl-inst:auto:ada-lovelace"), digest),
    )
    yield Rows(
        "iu_collection_template_instance_lineage",
        ("instance_collection_id", "template_collection_id", "composed_at", "composition_digest"),
        ("id", place, "now()", digest),
    )
    logged = {
        "instance_collection_id": "id",
        "event_id": "id",
        "reference_id": f"'{template.family_id}'::uuid",
        "template_collection_id": place,
        "request_id": "id",
        "composed_at": "now()",
        "event_type": "'employee.hired'",
        "suffix": "'ada-lovelace'",
        "actor": f"'{ACTOR}'",
        "emit_mode": "'live'",
        "reason": "''",
        "data_digest": digest,
        "data": f"({literal(DATA_TEXT)})::json",
    }
    yield Rows("iu_auto_instantiate_event_log", tuple(logged), tuple(logged.values()))
    message = {
        "subject_id": "id",
        "created_at": "now()",
        "domain": "'iu'",
        "event_type": "'iu.template.instance_auto_composed'",
        "payload": (
            f"jsonb_build_object('instance_collection_id', id, 'template_collection_id', {place},"
            f" 'event_id', id, 'event_type', 'employee.hired', 'actor', '{ACTOR}',"
            f" 'composition_digest', {digest})"
        ),
    }
    yield Rows("event_outbox", tuple(message), tuple(message.values()))


def count(template: Template, instances: int) -> str:
    """The statement that adds to the template's counters, as the function does."""
    slot = md5(f"{template.collection_id}:0".encode(), usedforsecurity=False).hexdigest()
    return (
        "INSERT INTO iu_core.iu_template_counter AS c"
        " (counter_id, template_collection_id, emit_mode, slot, instance_count)"
        f" VALUES ('{slot}', '{template.collection_id}', 'live', 0, {instances})"
        " ON CONFLICT (counter_id, emit_mode)"
        " DO UPDATE SET instance_count = c.instance_count + excluded.instance_count"
    )
