"""The service's pool, straight and by way of a proxy that can cut."""

from collections.abc import AsyncIterator

import pytest

from app.db import engine
from tests.support.databases import Database
from tests.support.proxy import Proxy, proxied


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[engine.Database]:
    """A pool of three connections to the test's database."""
    pool = engine.Database(database.app_url, pool_size=3)
    yield pool
    await pool.close()


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    """A way to the test's database that can be cut."""
    async with proxied(database) as proxy:
        yield proxy


@pytest.fixture
async def far_pool(proxy: Proxy) -> AsyncIterator[engine.Database]:
    """A pool of three connections by way of the proxy."""
    pool = engine.Database(proxy.app_url, pool_size=3)
    yield pool
    await pool.close()
