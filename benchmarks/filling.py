"""Databases with many instances, filled as fast as instances can be composed properly."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from app.hosting import EMBEDDED_DATABASE
from benchmarks.ground import Ground
from benchmarks.sql import compose
from benchmarks.templates import FIVE

BATCH = 1000
_PER_CALL = 100  # each call has a moment of its own, as instances have outside of benchmarks
_CONNECTIONS = 2
_OTHER_ACTORS = 40  # a plan takes 64


def actor_of(batch: int) -> str:
    """Under which actor a batch of BATCH instances was composed: the first has one of its own."""
    return f"bench-fill-{min(batch, 1 + batch % _OTHER_ACTORS)}"


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with so many instances, in which each takes so many bytes on the disk."""

    database: str
    instances: int
    bytes_per_instance: float


async def filled(ground: Ground, counts: Sequence[int]) -> list[Filled]:
    """A database for each count, vacuumed and analyzed; the last one is the factory's own.

    The smaller ones are copies that were made on the way there.
    """
    empty = await _bytes_of_tables(ground)
    made: list[Filled] = []
    there = 0
    for count in counts:
        await _fill(ground, there, count)
        there = count
        await ground.tidy(EMBEDDED_DATABASE)
        size = (await _bytes_of_tables(ground) - empty) / count
        if count == counts[-1]:
            made.append(Filled(EMBEDDED_DATABASE, count, size))
        else:
            database = await ground.clone(f"with_{count}")
            await ground.tidy(database)
            made.append(Filled(database, count, size))
    return made


async def _fill(ground: Ground, there: int, wanted: int) -> None:
    """Compose until there are so many, in whole batches, through the set-based function.

    So counters, digests and everything else are what they would be.
    """
    batches = iter(range(there // BATCH, wanted // BATCH))

    async def work() -> None:
        connection = await asyncpg.connect(ground.service_url())
        try:
            for batch in batches:
                for _ in range(BATCH // _PER_CALL):
                    await compose(connection, _PER_CALL, FIVE, actor_of(batch))
        finally:
            await connection.close()

    await asyncio.gather(*(work() for _ in range(_CONNECTIONS)))


async def _bytes_of_tables(ground: Ground) -> int:
    """What all tables of the factory take on the disk, with their indexes."""
    connection = await asyncpg.connect(ground.owner_url())
    try:
        size: int = await connection.fetchval(
            "SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class AS c"
            " WHERE c.relnamespace = 'iu_core'::regnamespace AND c.relkind = 'r'"
        )
        return size
    finally:
        await connection.close()
