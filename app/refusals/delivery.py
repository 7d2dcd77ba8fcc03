"""Refusals about what leaves."""

from app.refusals.missing import missing
from app.refusals.spec import Kind, Member, RefusalSpec

_UNKNOWN_ID = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"

DELIVERY = (
    missing(
        "outbound_route_not_found",
        "outbound route",
        "No route that leads outside has this id.",
        "`GET /delivery/routes`",
        Member("route", str, "The id.", _UNKNOWN_ID, required=False),
        asked=f"/delivery/routes/{_UNKNOWN_ID}",
    ),
    RefusalSpec(
        "outbound_route_disabled",
        Kind.CONFLICT,
        409,
        "The outbound route is disabled",
        "Nothing is given to a route that is disabled, also not what is sent again.",
        "Enable the route (`PUT /delivery/routes/{route_id}`), then ask again.",
        (Member("route", str, "The route's id.", _UNKNOWN_ID),),
        asked="/delivery/replay",
    ),
)
