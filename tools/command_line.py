"""Write docs/command-line.md from the program: what every command says of itself."""

from pathlib import Path
from typing import Any

import typer
from typer.cli import get_docs_for_click
from typer.core import TyperGroup

from app.cli.program import cli

DOCUMENT = Path(__file__).parents[1] / "docs" / "command-line.md"

_WHOLE = 1000

_HEAD = """\
<!-- Made by `make docs`. Change app/cli/, not this. -->

# The command line

`factory` lies in `.venv/bin` after `make run`. It goes through HTTP like any client, with the key
in `FACTORY_API_KEY`, or else the one in `var/admin.key`, to `FACTORY_URL`, or else to this machine.
Only `bootstrap`, `migrate` and the first key (`key create --first`) use the database's own logins.
Every command takes `--json`. [settings.md](settings.md) tells all variables.
"""


def command_line() -> str:
    """The whole document."""
    program = typer.main.get_command(cli)
    _say_all(program)
    told = get_docs_for_click(obj=program, ctx=typer.Context(program), name="factory")
    _, _, body = told.partition("\n")
    return f"{_HEAD}\n{body.strip()}\n"


def _say_all(command: Any) -> None:
    """Keep summaries whole, which are cut off after 45 characters otherwise."""
    command.short_help = command.get_short_help_str(limit=_WHOLE)
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _say_all(each)


if __name__ == "__main__":
    DOCUMENT.write_text(command_line(), encoding="utf-8")
