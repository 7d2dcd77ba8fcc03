"""`/operations`: what is under way, what became of it, and how it goes on."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.commands import RequireCommand
from app.dependencies import DatabaseDep, RunnerDep
from app.http.last_resort import is_stopping
from app.http.methods import wants_body
from app.http.route import EVENT_STREAM, FactoryRoute, produces
from app.problems import refusals
from app.schemas.base import Uuid
from app.schemas.operations import (
    Operation,
    OperationItemList,
    OperationItemPage,
    OperationList,
    OperationPage,
    OperationStep,
)
from app.security import Caller, Scope, require
from app.services import operations as service
from app.services.operations import Watchers

router = APIRouter(prefix="/operations", tags=["operations"], route_class=FactoryRoute)

Producer = Annotated[Caller, Depends(require(Scope.PRODUCER))]
OperationId = Annotated[Uuid, Path(description="The operation's id.")]

_ONE = ("operation_not_found", "actor_not_allowed")


@router.get("", summary="List operations", responses=refusals("actor_not_allowed"))
async def list_operations(
    query: Annotated[OperationList, Query()], caller: Producer, database: DatabaseDep
) -> OperationPage:
    """Lists operations, newest first. A producer sees its own, and those of its actors."""
    return await service.list_operations(database, caller, query)


@router.get("/{operation_id}", summary="Read one operation", responses=refusals(*_ONE))
async def get_operation(
    operation_id: OperationId, caller: Producer, database: DatabaseDep
) -> Operation:
    """Tells how far an operation is. Its counts add up to its total."""
    return await service.get_operation(database, caller, operation_id)


@router.get("/{operation_id}/items", summary="List an operation's items", responses=refusals(*_ONE))
async def list_operation_items(
    operation_id: OperationId,
    query: Annotated[OperationItemList, Query()],
    caller: Producer,
    database: DatabaseDep,
) -> OperationItemPage:
    """Lists what became of each item, in their order; each that was refused has its code."""
    return await service.list_operation_items(database, caller, operation_id, query)


@router.post(
    "/{operation_id}/cancel",
    responses=refusals(*_ONE, "operation_state"),
)
async def cancel_operation(
    operation_id: OperationId,
    order: OperationStep,
    caller: Annotated[Caller, Depends(RequireCommand("cancel_operation"))],
    database: DatabaseDep,
) -> Operation:
    """Ends an operation after the chunk that runs: what was done stays, the rest is not attempted.

    Another's needs the scope `operator`.
    """
    return await service.cancel_operation(database, caller, operation_id, order)


@router.post(
    "/{operation_id}/resume",
    responses=refusals(*_ONE, "operation_state"),
)
async def resume_operation(
    operation_id: OperationId,
    order: OperationStep,
    caller: Annotated[Caller, Depends(RequireCommand("resume_operation"))],
    database: DatabaseDep,
    runner: RunnerDep,
) -> Operation:
    """Lets an operation that a closed gate halted go on where it stopped.

    Another's needs the scope `operator`.
    """
    return await service.resume_operation(database, runner, caller, operation_id, order)


@router.post(
    "/{operation_id}/retry-failed",
    responses=refusals(*_ONE, "operation_state"),
)
async def retry_failed_operation(
    operation_id: OperationId,
    order: OperationStep,
    caller: Annotated[Caller, Depends(RequireCommand("retry_failed_operation"))],
    database: DatabaseDep,
    runner: RunnerDep,
) -> Operation:
    """Attempts the items that were refused or failed once more, after the cause was removed.

    Another's needs the scope `operator`.
    """
    return await service.retry_failed_operation(database, runner, caller, operation_id, order)


async def _watched(
    request: Request, operation_id: OperationId, caller: Producer, database: DatabaseDep
) -> AsyncIterator[AsyncIterator[Operation]]:
    """The changes of an operation. Here and not in the stream, so that a refusal is an answer."""
    first = await service.get_operation(database, caller, operation_id)
    watchers: Watchers = request.app.state.watchers
    with watchers.one():
        yield service.watch_operation(
            database, first, lambda: is_stopping(request.app) or not wants_body(request.scope)
        )


@router.get(
    "/{operation_id}/stream",
    summary="Watch an operation",
    response_class=EventSourceResponse,
    responses={
        200: {
            "description": "Server-sent events, each with the operation as its `data` and the"
            " revision as its `id`.",
        },
        **refusals(*_ONE),
    },
)
@produces(EVENT_STREAM)
async def stream_operation(
    changes: Annotated[AsyncIterator[Operation], Depends(_watched)],
) -> AsyncIterator[ServerSentEvent]:
    """Tells how far an operation is whenever that changes, until it has ended: server-sent events.

    Each event has the operation as its `data` and the revision as its `id`. While nothing changes
    a comment is sent now and then. Where the service stops, the stream ends before the operation
    does: ask again.
    """
    async for operation in changes:
        yield ServerSentEvent(data=operation, id=str(operation.revision))
