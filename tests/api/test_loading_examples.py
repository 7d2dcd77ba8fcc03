"""Loading the examples while somebody else does."""

import asyncpg
import httpx

from app.evaluation import Seeded, load_seeds
from tests.support.http import Service
from tests.support.templates import open_gates


async def test_who_finds_that_the_next_version_is_there_meanwhile_leaves_it(
    service: Service, owner: asyncpg.Connection
) -> None:
    """Its edits are for the version that it had looked at, and not for the one that follows."""
    await open_gates(owner, "piece_write_enabled", "template_authoring_enabled")
    others: list[Seeded] = []

    async def overtake(request: httpx.Request) -> None:
        # What is read in order to write the next version.
        if request.method == "GET" and request.url.path != "/templates" and not others:
            others.append(await load_seeds(service.operator))

    service.admin.event_hooks["request"].append(overtake)
    seeded = await load_seeds(service.admin)

    (other,) = others
    assert len(seeded.made + other.made) == 6
    listed = (await service.admin.get("/templates")).json()["items"]
    assert sorted(one["template_key"] for one in listed) == sorted(seeded.made + other.made)
