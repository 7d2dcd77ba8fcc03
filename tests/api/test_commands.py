"""`GET /commands`: the catalogue as the database has it."""

from typing import Any

import asyncpg
import httpx

from app.commands import COMMANDS
from app.commands.spec import Command
from app.db.migrations import migrate
from app.main import create_app
from app.settings import Settings
from tests.support.audit import let_a_minute_pass, seal
from tests.support.contents import contents
from tests.support.databases import Database
from tests.support.examples import ENDLESS, example_requests
from tests.support.http import Service
from tests.support.populated import Populated


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


async def test_what_is_no_command_changes_nothing(populated: Populated) -> None:
    app = create_app(Settings())
    headers = {"Authorization": f"Bearer {populated.keys['admin']}"}
    # Evidence is given of what is sealed.
    await let_a_minute_pass(populated.owner)
    await seal(populated.owner)
    before = await contents(populated.owner)
    answered: set[str] = set()
    asked: set[str] = set()
    async with httpx.AsyncClient(base_url=populated.url, headers=headers) as admin:
        for place in (0, -1):
            known = {name: found[place] for name, found in populated.known.items()}
            for request in example_requests(app, known=known):
                if request.operation_id in COMMANDS or request.operation_id == ENDLESS:
                    continue
                answer = await admin.request(
                    request.method, request.path, params=request.query, json=request.json
                )
                asked.add(request.operation_id)
                if answer.is_success:
                    answered.add(request.operation_id)
        assert await contents(populated.owner) == before
        assert asked - answered == {"get_outbound_route"}  # there is none

        assert (await admin.get("/observability/integrity")).is_success
    after = await contents(populated.owner)
    assert {table for table in after if after[table] != before[table]} == {"iu_integrity_check"}
