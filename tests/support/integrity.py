"""The checks of everything and of one instance, and something to tamper with."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from tests.support.composing import Item, compose
from tests.support.templates import Template, make_template, open_gates

DATA = '{"name":"Ada"}'


@dataclass(frozen=True, slots=True)
class World:
    """Two versions of a family, and three instances of the first one."""

    v1: Template
    v2: Template
    instance: UUID
    neighbour: UUID


async def make_world(owner: asyncpg.Connection) -> World:
    """What is tampered with."""
    await open_gates(owner)
    v1 = await make_template(owner)
    v2 = await make_template(owner, version=2, pieces=6)
    first, second, _ = await compose(
        owner,
        Item(v1.key, suffix="a", data=DATA),
        Item(v1.key, suffix="b"),
        Item(v1.key, suffix="c", emit_mode="dry_run"),
    )
    return World(v1, v2, first["instance_collection_id"], second["instance_collection_id"])


async def integrity(connection: asyncpg.Connection) -> dict[str, Any]:
    """The check of everything."""
    answer: dict[str, Any] = await connection.fetchval("SELECT iu_core.fn_iu_verify_integrity()")
    return answer


async def verify(connection: asyncpg.Connection, instance: UUID) -> dict[str, Any]:
    """The check of one instance."""
    answer: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_verify_instance($1)", instance
    )
    return answer


async def tamper(owner: asyncpg.Connection, world: World, statement: str) -> None:
    """Run a statement in which {names} stand for what is in the world."""
    names = {
        "instance": world.instance,
        "v1": world.v1.collection_id,
        "v2": world.v2.collection_id,
        "family": world.v1.family_id,
        "digest1": world.v1.composition_digest,
        "digest2": world.v2.composition_digest,
    }
    await owner.execute(re.sub(r"\{(\w+)\}", lambda name: f"'{names[name[1]]}'", statement))
