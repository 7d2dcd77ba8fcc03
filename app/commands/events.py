"""Commands that take events in, and those that say what comes of them."""

from app.commands.spec import Authority, Command, Elevated
from app.security import Scope

_INTAKE = "iu_core.event_intake_enabled"
_TAKE = ("fn_iu_event_intake_many", "fn_iu_event_fire_many")

EVENTS = (
    Command(
        "post_events",
        "Send an event",
        Scope.PRODUCER,
        functions=_TAKE,
        gates=(_INTAKE,),
        http="POST /events",
    ),
    Command(
        "receive_webhook",
        "Send a webhook",
        Authority.SIGNATURE,
        functions=_TAKE,
        gates=(_INTAKE,),
        http="POST /event-sources/{name}",
    ),
    Command(
        "consume_events",
        "Take events from a broker",
        Authority.SERVICE,
        functions=_TAKE,
        gates=(_INTAKE,),
        command_line=("consume nats", "consume kafka", "consume rabbitmq"),
    ),
    Command(
        "refire_events",
        "Fire events again",
        Scope.OPERATOR,
        functions=("fn_iu_event_fire_many",),
        reversed_by="apply_rollback",
        http="POST /events/refire",
    ),
    Command(
        "put_event_type",
        "Register an event type",
        Scope.OPERATOR,
        functions=("fn_iu_event_type_put",),
        reversed_by="put_event_type",
        http="PUT /event-types/{event_type}",
        elevated=Elevated(Scope.ADMIN, "the lane `live`"),
    ),
    Command(
        "create_event_route",
        "Make an event route",
        Scope.OPERATOR,
        functions=("fn_iu_event_route_put",),
        reversed_by="remove_event_route",
        http="POST /event-routes",
    ),
    Command(
        "put_event_route",
        "Change an event route",
        Scope.OPERATOR,
        functions=("fn_iu_event_route_put",),
        reversed_by="put_event_route",
        http="PUT /event-routes/{route_id}",
    ),
    Command(
        "remove_event_route",
        "Take an event route away",
        Scope.OPERATOR,
        functions=("fn_iu_event_route_remove",),
        reversed_by="create_event_route",
        http="DELETE /event-routes/{route_id}",
    ),
    Command(
        "put_event_source",
        "Make or change an event source",
        Scope.OPERATOR,
        functions=("fn_iu_event_source_put",),
        reversed_by="put_event_source",
        http="PUT /event-sources/{name}",
    ),
)
