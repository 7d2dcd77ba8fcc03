"""Pages that are filtered by what no index answers: bounded, and yet complete."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.db.engine import Database as Pool
from app.db.engine import Transaction
from app.db.examined import examined_page, examined_page_query
from app.db.instances_read import EVENT_LOG
from tests.support.databases import Database
from tests.support.rollback import many
from tests.support.templates import Template, make_template

ORDER = [EVENT_LOG.c.composed_at, EVENT_LOG.c.instance_collection_id]


@pytest.fixture
async def template(owner: asyncpg.Connection) -> Template:
    """40 instances, of 8 actors in turn."""
    made = await make_template(owner)
    await many(owner, made, 40)
    return made


async def pages(
    database: Database, condition: Any, *, limit: int, examined: int
) -> list[list[UUID]]:
    """Every page, from the first to the last."""
    pool = Pool(database.app_url)
    found: list[list[UUID]] = []
    position: tuple[Any, ...] | None = None

    async def one_page(transaction: Transaction) -> tuple[list[dict[str, Any]], Any]:
        query = examined_page_query(
            ORDER,
            ORDER,
            driven_by=[],
            kept_if=[condition],
            position=position,
            limit=limit,
            examined=examined,
        )
        return examined_page(await transaction.rows(query), limit, ORDER, examined=examined)

    try:
        while True:
            items, position = await pool.run(one_page)
            found.append([item["instance_collection_id"] for item in items])
            if position is None:
                return found
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("limit", "examined", "lengths"),
    [
        pytest.param(50, 100, [5], id="all at once"),
        pytest.param(2, 100, [2, 2, 1], id="as many as were asked for"),
        pytest.param(5, 16, [2, 2, 1], id="as many as were found"),
        pytest.param(5, 8, [1, 1, 1, 1, 1, 0], id="the last row examined is the last there is"),
        pytest.param(5, 3, [0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0], id="pages with nothing"),
        pytest.param(1, 1, None, id="row by row"),
    ],
)
async def test_pages_are_bounded_and_none_is_lost(
    database: Database,
    owner: asyncpg.Connection,
    template: Template,
    limit: int,
    examined: int,
    lengths: list[int] | None,
) -> None:
    expected = await owner.fetch(
        """SELECT instance_collection_id FROM iu_core.v_iu_auto_instantiate_event_log
            WHERE actor = 'bot-3' ORDER BY composed_at DESC, instance_collection_id DESC"""
    )
    found = await pages(database, EVENT_LOG.c.actor == "bot-3", limit=limit, examined=examined)
    if lengths is not None:
        assert [len(page) for page in found] == lengths
    assert [each for page in found for each in page] == [row[0] for row in expected]


async def test_what_nothing_matches_ends_too(database: Database, template: Template) -> None:
    nobody = EVENT_LOG.c.actor == "nobody"
    assert await pages(database, nobody, limit=5, examined=15) == [[], [], []]
