"""Every operation that may change state, in one catalogue: who may, at which gates, what undoes it.

`COMMANDS` is where routers take scopes and gates from, and services the scopes of what asks for
more. `python tools/commands.py` writes it into the database's script
(migrations/grants/0200_commands.sql, the rows of `dot_iu_command_catalog`) and docs/commands.md.
"""

from collections.abc import Mapping
from types import MappingProxyType

from app.commands.authoring import AUTHORING
from app.commands.composing import COMPOSING
from app.commands.delivery import DELIVERY
from app.commands.events import EVENTS
from app.commands.governing import GOVERNING
from app.commands.spec import Command
from app.security import RequireScope, Scope

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {command.code: command for command in (*COMPOSING, *AUTHORING, *EVENTS, *DELIVERY, *GOVERNING)}
)


class RequireCommand(RequireScope):
    """The dependency of a command's HTTP operation: the caller, whose scope reaches the command's.

    Used as `caller: Annotated[Caller, Depends(RequireCommand("set_gate"))]`. Raises KeyError for a
    code that is not in the catalogue, ValueError for a command that no caller can give.
    """

    def __init__(self, code: str) -> None:
        self.command = COMMANDS[code]
        if self.command.scope is None:
            raise ValueError(f"{code} asks for no scope")
        super().__init__(self.command.scope)


def elevated_scope(code: str) -> Scope:
    """The scope of the form of a command that asks for more. Raises ValueError where none does."""
    elevated = COMMANDS[code].elevated
    if elevated is None:
        raise ValueError(f"{code} has no form that asks for more")
    return elevated.scope
