"""What is tampered with."""

import asyncpg
import pytest

from tests.support.integrity import World, make_world


@pytest.fixture
async def world(owner: asyncpg.Connection) -> World:
    """Two versions of a family, and three instances of the first one."""
    return await make_world(owner)
