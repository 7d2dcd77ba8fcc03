"""`GET /commands`: the catalogue as the database has it."""

from typing import Any

import asyncpg

from app.commands import COMMANDS
from app.commands.spec import Command
from app.db.migrations import migrate
from tests.support.databases import Database
from tests.support.http import Service


def entry(command: Command) -> dict[str, Any]:
    """What is answered of a command."""
    elevated = command.elevated
    return {
        "command_code": command.code,
        "title": command.title,
        "authority": command.authority,
        "required_scope": command.scope,
        "elevated_scope": elevated.scope if elevated else None,
        "elevated_for": elevated.needed_for if elevated else None,
        "required_gates": list(command.gates),
        "reversible": command.reversible,
        "reversed_by": command.reversed_by,
        "handler_functions": list(command.functions),
        "http_operation": command.http,
        "cli_commands": list(command.command_line),
    }


async def test_the_catalogue_has_a_row_for_each_command(service: Service) -> None:
    answer = await service.viewer.get("/commands", params={"limit": 200})
    assert answer.json() == {
        "items": [entry(COMMANDS[code]) for code in sorted(COMMANDS)],
        "next_page_token": None,
    }


async def test_the_catalogue_comes_page_by_page(service: Service) -> None:
    first = (await service.viewer.get("/commands", params={"limit": 40})).json()
    rest = await service.viewer.get("/commands", params={"page_token": first["next_page_token"]})
    assert [*first["items"], *rest.json()["items"]] == [
        entry(COMMANDS[code]) for code in sorted(COMMANDS)
    ]


async def test_migrating_again_puts_the_rows_right(
    service: Service, database: Database, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        """
        DELETE FROM iu_core.dot_iu_command_catalog WHERE command_code = 'set_setting';
        UPDATE iu_core.dot_iu_command_catalog SET required_scope = 'producer'
         WHERE command_code = 'create_api_key';
        """
    )
    await migrate(database.owner_url, again=True)
    answer = await service.viewer.get("/commands", params={"limit": 200})
    assert answer.json()["items"] == [entry(COMMANDS[code]) for code in sorted(COMMANDS)]
