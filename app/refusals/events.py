"""Refusals about events: what comes in, by whom it is signed, and which rules it is judged by."""

from typing import Any
from uuid import UUID

from app.refusals.missing import missing
from app.refusals.spec import Kind, Member, RefusalSpec

_UNKNOWN_ID = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"


def _optional(name: str, type_: Any, meaning: str, example: Any) -> Member:
    return Member(name, type_, meaning, example, required=False)


EVENTS = (
    RefusalSpec(
        "event_conflict",
        Kind.INPUT,
        422,
        "The event is known with other content",
        "An event of this source has this id already, and differs in `fields`. The one that is"
        " stored is untouched.",
        "A source gives each event an id of its own. Send the original to get its results again.",
        (
            Member("event_id", UUID, "The stored event.", _UNKNOWN_ID),
            Member("fields", list[str], "The attributes that differ.", ["data"]),
        ),
        asked="/events",
    ),
    RefusalSpec(
        "event_chain_too_deep",
        Kind.INPUT,
        422,
        "The chain of events is too deep",
        "The event came out of a factory, which came out of an event, and so on: `depth` times."
        " Routes that feed each other in a circle would never end.",
        "Look at the routes that lead from one product to the next, and break the circle.",
        (
            Member("depth", int, "How many products of factories led to the event.", 9),
            Member("limit", int, "The deepest chain that is taken.", 8),
        ),
        asked="/events",
    ),
    RefusalSpec(
        "signature_invalid",
        Kind.CALLER,
        401,
        "The webhook is not signed as it should be",
        "The signature is missing, malformed, made with another secret, or of a time too far from"
        " now: `reason` says which.",
        "Compare the secret at the sender with that of the source (`PUT /event-sources/{name}`);"
        " where the time is the reason, the sender's clock.",
        (
            Member(
                "reason",
                str,
                "`missing`, `malformed`, `mismatch`, `too_old` or `too_new`.",
                "mismatch",
            ),
        ),
        asked="/event-sources/github",
    ),
    missing(
        "event_not_found",
        "event",
        "No event that was taken in has this id.",
        "`GET /events`",
        asked=f"/events/{_UNKNOWN_ID}",
    ),
    missing(
        "event_type_not_found",
        "event type",
        "No event type has this name; and events of unknown types are refused where the setting"
        " `iu_core.unknown_event_types` says so.",
        "`GET /event-types`",
        _optional("event_type", str, "The type.", "employee.hired"),
        asked="/event-types/employee.hired",
    ),
    missing(
        "event_route_not_found",
        "event route",
        "No event route has this id.",
        "`GET /event-routes`",
        _optional("route", str, "The id.", _UNKNOWN_ID),
        asked=f"/event-routes/{_UNKNOWN_ID}",
    ),
    missing(
        "event_source_not_found",
        "event source",
        "No source of webhooks has this name, or it is switched off.",
        "`GET /event-sources`",
        _optional("source", str, "The name.", "github"),
        asked="/event-sources/github",
    ),
)
