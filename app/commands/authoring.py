"""Commands that make and change pieces and templates."""

from app.commands.spec import Command
from app.security import Scope

_PIECES = "iu_core.piece_write_enabled"
_TEMPLATES = "iu_core.template_authoring_enabled"

AUTHORING = (
    Command(
        "create_piece",
        "Make a piece",
        Scope.OPERATOR,
        functions=("fn_iu_piece_create",),
        gates=(_PIECES,),
        http="POST /pieces",
        command_line=("piece create",),
    ),
    Command(
        "revise_piece",
        "Revise a piece",
        Scope.OPERATOR,
        functions=("fn_iu_piece_revise",),
        gates=(_PIECES,),
        http="POST /pieces/{unit_id}/revise",
        command_line=("piece revise",),
    ),
    Command(
        "change_piece_life",
        "Activate or retire a piece",
        Scope.OPERATOR,
        functions=("fn_iu_unit_lifecycle",),
        gates=("iu_core.lifecycle_enabled",),
        http="POST /pieces/{unit_id}/lifecycle",
        command_line=("piece life",),
    ),
    Command(
        "put_piece_axes",
        "Give a piece other axes",
        Scope.OPERATOR,
        functions=("fn_iu_unit_axes_put",),
        gates=(_PIECES, "iu_core.envelope_refresh_enabled"),
        reversed_by="put_piece_axes",
        http="PUT /pieces/{unit_id}/axes",
        command_line=("piece axes",),
    ),
    Command(
        "create_template",
        "Make a family with its first version",
        Scope.OPERATOR,
        functions=("fn_iu_template_create",),
        gates=(_TEMPLATES, _PIECES),
        reversed_by="withdraw_template",
        http="POST /templates",
        command_line=("template create", "seed", "evaluate"),
    ),
    Command(
        "create_template_version",
        "Make a family's next version",
        Scope.OPERATOR,
        functions=("fn_iu_template_version_create",),
        gates=(_TEMPLATES, _PIECES),
        reversed_by="withdraw_template",
        http="POST /templates/families/{family}/versions",
        command_line=("template version", "seed", "evaluate"),
    ),
    Command(
        "mark_template",
        "Mark a collection as a template",
        Scope.OPERATOR,
        functions=("fn_iu_template_mark",),
        gates=(_TEMPLATES,),
        http="POST /templates/mark",
    ),
    Command(
        "register_template_version",
        "Give a template its place in the version chain",
        Scope.OPERATOR,
        functions=("fn_iu_template_register_version",),
        gates=(_TEMPLATES,),
        reversed_by="withdraw_template",
        http="POST /templates/{ref}/register-version",
    ),
    Command(
        "withdraw_template",
        "Withdraw a version",
        Scope.OPERATOR,
        functions=("fn_iu_template_withdraw",),
        gates=(_TEMPLATES,),
        http="POST /templates/{ref}/withdraw",
        command_line=("template withdraw",),
    ),
)
