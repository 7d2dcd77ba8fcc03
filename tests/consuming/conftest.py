"""The intake of a test's own database, as the program wires it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.db.engine import Database
from app.metrics import Metrics
from app.observability import configure_logging
from app.services.event_rules import RuleBook
from app.services.intake import Intake
from app.services.judging import Schemas
from app.services.taking_in import running_intake
from tests.support.databases import Database as TestDatabase
from tests.support.templates import open_gates


@pytest.fixture(autouse=True)
def logged() -> None:
    """What is told is told from `info` on: other tests of the process may have made it less."""
    configure_logging("info", "console")


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of one program."""
    return Metrics()


@pytest.fixture
async def intake(
    database: TestDatabase, owner: asyncpg.Connection, metrics: Metrics
) -> AsyncIterator[Intake]:
    """The intake, its gate open."""
    await open_gates(owner, "event_intake_enabled")
    pool = Database(database.app_url)
    try:
        async with running_intake(
            database.app_url, pool, RuleBook(pool), Schemas(pool), metrics
        ) as running:
            yield running
    finally:
        await pool.close()
