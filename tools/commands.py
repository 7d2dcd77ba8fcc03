"""Write what is made from the catalogue of commands: the database's rows, and docs/commands.md."""

from collections.abc import Iterable
from pathlib import Path

from app.commands import COMMANDS
from app.commands.spec import Command

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "migrations" / "grants" / "0200_commands.sql"
DOCUMENT = ROOT / "docs" / "commands.md"

_SCRIPT_HEAD = """\
-- Made by `make docs` from app/commands/. Change that, not this.
-- The rows of the catalogue are what the program says of itself, whatever they were before.
DELETE FROM iu_core.dot_iu_command_catalog;
INSERT INTO iu_core.dot_iu_command_catalog
       (command_code, title, authority, required_scope, elevated_scope, elevated_for,
        required_gates, reversible, reversed_by,
        handler_functions, http_operation, cli_commands)
VALUES
"""

_DOCUMENT_HEAD = """\
<!-- Made by `make docs` from app/commands/. Change that, not this. -->

# Commands

Every operation that may change state. `GET /commands` answers the same, from the table
`dot_iu_command_catalog`, which has a row for each. The code is what the command record calls it;
of an HTTP operation it is the operationId too.

- **Needs**: a caller's scope, and in brackets the scope of that form which asks for more; or a
  *signature* of each request; or it is the *service* itself, or whoever has the login of the
  database's *owner*, or of a *superuser*.
- **Gates** refuse it while they are closed. What it only sets going meets the gates of its own
  commands: an event is taken in at a closed gate of composing, and refused along its routes.
- **Taken back by**: the command that undoes it. *no*: none does. *leaves nothing*: there is nothing
  to undo.

| command | needs | gates | taken back by | HTTP, `factory` | carried out by |
|---|---|---|---|---|---|
"""


def script() -> str:
    """The statements that fill `dot_iu_command_catalog`."""
    return _SCRIPT_HEAD + ",\n".join(map(_values, COMMANDS.values())) + ";\n"


def document() -> str:
    """The whole page."""
    return _DOCUMENT_HEAD + "".join(map(_line, COMMANDS.values()))


def _values(command: Command) -> str:
    elevated = command.elevated
    who = [
        _text(command.code),
        _text(command.title),
        _text(command.authority),
        _text(command.scope),
        _text(elevated.scope if elevated else None),
        _text(elevated.needed_for if elevated else None),
    ]
    undone = [
        _array(command.gates),
        str(command.reversible).lower(),
        _text(command.reversed_by),
    ]
    done = [_array(command.functions), _text(command.http), _array(command.command_line)]
    return "    (" + ",\n     ".join(", ".join(part) for part in (who, undone, done)) + ")"


def _text(text: str | None) -> str:
    if text is None:
        return "NULL"
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _array(texts: Iterable[str]) -> str:
    return _text("{" + ", ".join(texts) + "}")


def _line(command: Command) -> str:
    needs = f"`{command.needs}`" if command.scope else f"*{command.needs}*"
    if command.elevated:
        needs += f" (`{command.elevated.scope}`: {command.elevated.needed_for})"
    given = [command.http, *(f"factory {name}" for name in command.command_line)]
    undone = f"`{command.reversed_by}`" if command.reversed_by else "no"
    if command.leaves_nothing:
        undone = "leaves nothing"
    cells = (
        f"`{command.code}`: {command.title}",
        needs,
        _codes(gate.removeprefix("iu_core.") for gate in command.gates),
        undone,
        _codes(filter(None, given)),
        _codes(command.functions),
    )
    return f"| {' | '.join(cells)} |\n"


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


if __name__ == "__main__":
    SCRIPT.write_text(script(), encoding="utf-8")
    DOCUMENT.write_text(document(), encoding="utf-8")
