"""`POST /instances/…`: events become instances."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from app.dependencies import CoalescerDep, DatabaseDep, MetricsDep
from app.http.route import FactoryRoute, bulk
from app.problems import refusals
from app.schemas.composing import (
    BulkAnswer,
    BulkItems,
    BulkOptions,
    Composed,
    DryRun,
    InstantiateFromEvent,
)
from app.security import Caller, Scope, require
from app.services import composing

router = APIRouter(prefix="/instances", tags=["instances"], route_class=FactoryRoute)

Producer = Annotated[Caller, Depends(require(Scope.PRODUCER))]

_REFUSALS = (
    "actor_not_allowed",
    "invalid_emit_mode",
    "idempotency_conflict",
    "rolled_back",
    "live_gate_closed",
    "composer_gate_closed",
    "template_collection_not_found",
    "template_not_marked",
    "template_withdrawn",
    "template_superseded",
)
_MADE: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {"Location": {"description": "The instance.", "schema": {"type": "string"}}},
    },
    200: {
        "model": Composed | DryRun,
        "description": "The original of an earlier request (`Idempotent-Replayed: true`), or"
        " what a dry run says.",
        "headers": {
            "Idempotent-Replayed": {
                "description": "Comes with the original of an earlier request.",
                "schema": {"const": "true"},
            }
        },
    },
}
# FastAPI describes the JSON array alone.
_ALSO_LINES = {
    "requestBody": {
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/components/schemas/InstantiateFromEvent"},
                    "description": "One item on each line.",
                }
            }
        }
    }
}


def _say_how_it_came(response: Response, result: Composed | DryRun) -> Composed | DryRun:
    match result.outcome:
        case "composed":
            response.headers["Location"] = f"/instances/{result.instance_collection_id}"
        case "idempotent_replay":
            response.status_code = 200
            response.headers["Idempotent-Replayed"] = "true"
        case "dry_run":
            response.status_code = 200
    return result


@router.post(
    "/from-event",
    status_code=201,
    summary="Compose one instance",
    responses={**_MADE, **refusals(*_REFUSALS)},
)
async def instantiate_from_event(
    order: InstantiateFromEvent,
    caller: Producer,
    coalescer: CoalescerDep,
    metrics: MetricsDep,
    response: Response,
) -> Composed | DryRun:
    """Composes the instance of an event: once, however often the event is sent.

    The same event, template and suffix answer the original again, also after the gates were closed
    or a new version was published; with other data it is a conflict. A dry run does everything but
    write.
    """
    result = await composing.compose_from_event(coalescer, metrics, caller, order)
    return _say_how_it_came(response, result)


@router.post(
    "/bulk",
    status_code=201,
    summary="Compose many instances, all or none",
    responses=refusals(*_REFUSALS, "gate_sealed"),
    openapi_extra=_ALSO_LINES,
)
@bulk
async def instantiate_bulk(
    orders: BulkItems,
    options: Annotated[BulkOptions, Query()],
    caller: Producer,
    database: DatabaseDep,
    metrics: MetricsDep,
) -> BulkAnswer:
    """Composes every item in one transaction, or none. Takes a JSON array, or one item per line.

    When items are refused the problem has the first one's code, and lists them all. The gate
    window opens the gates of composing inside this transaction alone.
    """
    return await composing.compose_bulk(
        database, metrics, caller, orders, gate_window=options.gate_window
    )
