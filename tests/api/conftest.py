"""The service that the tests of the HTTP surface talk to."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.databases import Database, Server
from tests.support.http import Service, running_service
from tests.support.populated import Populated, populated_service


@pytest.fixture
async def service(database: Database, owner: asyncpg.Connection) -> AsyncIterator[Service]:
    """The application on this test's database, with one client per scope."""
    async with running_service(database, owner) as running:
        yield running


@pytest.fixture
async def populated(
    server: Server, maintenance: asyncpg.Connection, migrated_template: None
) -> AsyncIterator[Populated]:
    """The service on a socket, with something of everything in a database for this test alone."""
    async with populated_service(server, maintenance) as running:
        yield running
