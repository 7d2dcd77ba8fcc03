"""Commands that let messages leave, and what is sent."""

from app.commands.spec import Authority, Command
from app.security import Scope

DELIVERY = (
    Command(
        "create_outbound_route",
        "Make an outbound route",
        Scope.ADMIN,
        functions=("fn_iu_outbound_route_put",),
        reversed_by="remove_outbound_route",
        http="POST /delivery/routes",
    ),
    Command(
        "put_outbound_route",
        "Change an outbound route",
        Scope.ADMIN,
        functions=("fn_iu_outbound_route_put",),
        reversed_by="put_outbound_route",
        http="PUT /delivery/routes/{route_id}",
    ),
    Command(
        "remove_outbound_route",
        "Take an outbound route away",
        Scope.ADMIN,
        functions=("fn_iu_outbound_route_remove",),
        reversed_by="create_outbound_route",
        http="DELETE /delivery/routes/{route_id}",
    ),
    Command(
        "replay_dead_letters",
        "Send dead letters again",
        Scope.ADMIN,
        functions=("fn_iu_dead_letters_replay",),
        http="POST /delivery/dead-letters/replay",
    ),
    Command(
        "replay_messages",
        "Send messages again",
        Scope.ADMIN,
        functions=("fn_iu_delivery_replay",),
        http="POST /delivery/replay",
    ),
    Command(
        "deliver_messages",
        "Send what may leave",
        Authority.SERVICE,
        functions=("fn_iu_delivery_claim", "fn_iu_delivery_finish"),
        gates=("iu_core.delivery_enabled",),
        command_line=("deliver", "serve", "evaluate"),
    ),
    Command(
        "probe_boundary",
        "Prove what keeps messages inside",
        Scope.OPERATOR,
        functions=("fn_iu_boundary_probe",),
        http="POST /observability/boundary/probe",
        leaves_nothing=True,
    ),
)
