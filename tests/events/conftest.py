"""The client of the small application that takes events."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.events.intake import intake


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with intake() as client:
        yield client
