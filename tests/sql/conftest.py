"""More connections of the service's role, for races."""

import asyncpg
import pytest

from tests.support.databases import Connect


@pytest.fixture
async def second(connect: Connect) -> asyncpg.Connection:
    """A second connection of the service's role."""
    return await connect("app")


@pytest.fixture
async def third(connect: Connect) -> asyncpg.Connection:
    """A third connection of the service's role."""
    return await connect("app")
