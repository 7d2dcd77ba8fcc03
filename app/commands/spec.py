"""What one command of the catalogue consists of."""

from dataclasses import dataclass
from enum import StrEnum

from app.security import Scope


class Authority(StrEnum):
    """Who may give a command that asks for no scope."""

    SIGNATURE = "signature"
    """A sender without a key, who signs each request."""
    SERVICE = "service"
    """A process of the service by itself, with the service's login."""
    OWNER = "owner"
    """Whoever has the migration login."""
    SUPERUSER = "superuser"
    """Whoever has a superuser's login, once."""


@dataclass(frozen=True, slots=True)
class Elevated:
    """A form of a command that asks for more than the command itself: which scope, and for what."""

    scope: Scope
    needed_for: str


@dataclass(frozen=True, slots=True)
class Command:
    """One operation that may change state (1-requirements, `dot_iu_command_catalog`).

    `code` is what the command record calls it; where there is an HTTP operation, the operationId.
    `functions` are the SQL functions that carry it out, the one that decides first; none where it
    is done by scripts. `gates` refuse it while they are closed; what it only sets going meets the
    gates of its own commands. `reversed_by` is the command that takes its effect back; None: none
    does, unless it `leaves_nothing` to take back. `http` is a method and a path, `command_line`
    are the commands of `factory` that give it.
    """

    code: str
    title: str
    needs: Scope | Authority
    functions: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    reversed_by: str | None = None
    http: str | None = None
    command_line: tuple[str, ...] = ()
    elevated: Elevated | None = None
    leaves_nothing: bool = False

    @property
    def scope(self) -> Scope | None:
        """The scope that a caller needs; None where no caller can give it."""
        return self.needs if isinstance(self.needs, Scope) else None

    @property
    def authority(self) -> str:
        """What it takes to give it: `scope`, or an Authority."""
        return "scope" if isinstance(self.needs, Scope) else str(self.needs)

    @property
    def reversible(self) -> bool:
        """Whether nothing of it has to stay."""
        return self.leaves_nothing or self.reversed_by is not None
