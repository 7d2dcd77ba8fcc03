"""The service that the tests of the HTTP surface talk to."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.databases import Database
from tests.support.http import Service, running_service


@pytest.fixture
async def service(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Service]:
    """The application on this test's database, with one client per scope."""
    async with running_service(database, owner) as running:
        yield running
