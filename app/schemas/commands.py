"""The catalogue of commands, over the wire."""

from typing import Literal

from pydantic import Field

from app.schemas.base import WireModel, with_example
from app.security import Scope

_COMMAND = {
    "command_code": "instantiate_bulk",
    "title": "Compose many instances",
    "authority": "scope",
    "required_scope": "producer",
    "elevated_scope": "operator",
    "elevated_for": "a gate window",
    "required_gates": ["iu_core.auto_instantiate_enabled", "iu_core.composer_enabled"],
    "reversible": True,
    "reversed_by": "apply_rollback",
    "handler_functions": ["fn_iu_operation_create", "fn_iu_auto_instantiate_atomic"],
    "http_operation": "POST /instances/bulk",
    "cli_commands": ["instantiate"],
}


class CatalogedCommand(WireModel):
    """One operation that may change state."""

    model_config = with_example(_COMMAND)

    command_code: str = Field(
        description="What the command record calls it; of an HTTP operation, its operationId."
    )
    title: str
    authority: Literal["scope", "signature", "service", "owner", "superuser"] = Field(
        description="What it takes: a caller's scope, a signature of each request, or a login: the"
        " service's, of its processes by themselves; the owner's; a superuser's."
    )
    required_scope: Scope | None
    elevated_scope: Scope | None = Field(description="What the form in `elevated_for` asks for.")
    elevated_for: str | None
    required_gates: list[str] = Field(description="Those that refuse it while they are closed.")
    reversible: bool = Field(description="Whether nothing of it has to stay.")
    reversed_by: str | None = Field(
        description="The command that takes its effect back. Null: none does or, where it is"
        " reversible, there is nothing to take back."
    )
    handler_functions: list[str] = Field(
        description="The SQL functions that carry it out, the one that decides first."
    )
    http_operation: str | None = Field(description="Method and path.")
    cli_commands: list[str] = Field(description="Commands of `factory` that give it.")


class CommandPage(WireModel):
    """The commands, sorted by code."""

    model_config = with_example({"items": [_COMMAND], "next_page_token": None})

    items: list[CatalogedCommand]
    next_page_token: str | None
