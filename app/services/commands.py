"""The catalogue of commands, as the database has it."""

from app.db import commands as db
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.paging import Keyset
from app.schemas.base import Page
from app.schemas.commands import CatalogedCommand, CommandPage

_COMMANDS = Keyset("commands", (str,))


async def list_commands(database: Database, page: Page) -> CommandPage:
    """The commands, sorted by code."""
    position = _COMMANDS.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.commands(tx, position, page.limit)

    found = _COMMANDS.page(await database.run(work), page.limit, lambda row: (row["command_code"],))
    return CommandPage(
        items=[CatalogedCommand(**row) for row in found.items],
        next_page_token=found.next_page_token,
    )
