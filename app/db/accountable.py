"""Who a command is recorded under: the last three arguments of every command function."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Accountable:
    """The actor that the work is done as, the principal behind it, and the request's id."""

    actor: str
    principal: str
    request_id: UUID

    @property
    def arguments(self) -> tuple[str, str, UUID]:
        """As the functions take them: p_actor, p_principal, p_request_id."""
        return (self.actor, self.principal, self.request_id)
