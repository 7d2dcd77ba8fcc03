"""`POST /instances/…`: events become instances."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from app.commands import RequireCommand
from app.dependencies import CoalescerDep, DatabaseDep, MetricsDep, RunnerDep, SchemasDep
from app.http.accepted import ACCEPTED, accepted
from app.http.document import document
from app.http.route import FactoryRoute, bulk
from app.problems import refusals
from app.schemas.composing import (
    MAX_BULK_ITEMS,
    MAX_OPERATION_ITEMS,
    BulkAnswer,
    BulkItems,
    BulkOptions,
    Composed,
    DryRun,
    IdempotencyKey,
    InstantiateFromEvent,
)
from app.security import Caller
from app.services import composing, operations

router = APIRouter(prefix="/instances", tags=["instances"], route_class=FactoryRoute)


_REFUSALS = (
    "actor_not_allowed",
    "invalid_emit_mode",
    "idempotency_conflict",
    "rolled_back",
    "actor_rolling_back",
    "template_collection_not_found",
    "template_not_marked",
    "template_withdrawn",
    "template_superseded",
    "payload_invalid",
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


def _say_how_it_came(result: Composed | DryRun) -> Response:
    match result.outcome:
        case "composed":
            return document(
                result, 201, {"Location": f"/instances/{result.instance_collection_id}"}
            )
        case "idempotent_replay":
            return document(result, 200, {"Idempotent-Replayed": "true"})
        case "dry_run":
            return document(result, 200)


@router.post(
    "/from-event",
    status_code=201,
    response_model=Composed | DryRun,
    responses={**_MADE, **refusals(*_REFUSALS)},
)
async def instantiate_from_event(
    order: InstantiateFromEvent,
    caller: Annotated[Caller, Depends(RequireCommand("instantiate_from_event"))],
    coalescer: CoalescerDep,
    schemas: SchemasDep,
) -> Response:
    """Composes the instance of an event: once, however often the event is sent.

    The same event, template and suffix answer the original again, also after the gates were closed
    or a new version was published; with other data it is a conflict. A dry run does everything but
    write.
    """
    return _say_how_it_came(await composing.compose_from_event(coalescer, schemas, caller, order))


def _most_items(query: QueryParams) -> int:
    try:
        atomic = BulkOptions.model_validate(dict(query)).atomic
    except ValidationError:
        atomic = False  # refused anyway, with whatever else is wrong
    return MAX_BULK_ITEMS if atomic else MAX_OPERATION_ITEMS


@router.post(
    "/bulk",
    status_code=201,
    response_model=BulkAnswer,
    responses={**ACCEPTED, **refusals(*_REFUSALS, "gate_sealed")},
    openapi_extra=_ALSO_LINES,
)
@bulk(most_items=_most_items)
async def instantiate_bulk(
    *,
    orders: BulkItems,
    options: Annotated[BulkOptions, Query()],
    caller: Annotated[Caller, Depends(RequireCommand("instantiate_bulk"))],
    database: DatabaseDep,
    metrics: MetricsDep,
    runner: RunnerDep,
    schemas: SchemasDep,
    idempotency_key: Annotated[IdempotencyKey | None, Header()] = None,
) -> Response:
    """Composes every item: as an operation, or with `atomic=true` in one transaction or not at all.

    Takes a JSON array, or one item per line. An operation is worked on in chunks: each item has an
    outcome of its own, a closed gate halts it, and it can be watched, cancelled and resumed.

    Of an atomic bulk with refused items the problem has the first one's code, and lists them all.
    Its gate window opens the gates of composing inside this transaction alone.
    """
    if options.atomic:
        answer = await composing.compose_bulk(
            database, metrics, schemas, caller, orders, gate_window=options.gate_window
        )
        return document(answer, 201)
    started = await operations.start_bulk(
        database, runner, schemas, caller, orders, idempotency_key=idempotency_key
    )
    return accepted(started.operation, replayed=started.replayed)
