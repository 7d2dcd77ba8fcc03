"""`GET /instances…`: what was composed, with its pieces, its origin and its verification."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from app.dependencies import DatabaseDep
from app.http.route import FactoryRoute
from app.problems import refusals
from app.schemas.base import Page, TemplateInPath, Uuid
from app.schemas.instances_read import (
    ComposedWithin,
    InstanceLineage,
    InstanceList,
    InstancePage,
    InstancePiecePage,
    InstanceVerification,
    InstanceWithData,
)
from app.security import Caller, Scope, require
from app.services import instances_read as service

router = APIRouter(tags=["instances"], route_class=FactoryRoute)

Producer = Annotated[Caller, Depends(require(Scope.PRODUCER))]
Viewer = Annotated[Caller, Depends(require(Scope.VIEWER))]
InstanceId = Annotated[Uuid, Path(description="The instance's id.")]

_ONE = ("instance_not_found", "rolled_back:410", "actor_not_allowed")
_TEMPLATE = ("template_collection_not_found", "template_not_marked")


@router.get(
    "/instances",
    summary="List instances",
    responses=refusals("actor_not_allowed", "template_family_not_found", *_TEMPLATE),
)
async def list_instances(
    query: Annotated[InstanceList, Query()], caller: Producer, database: DatabaseDep
) -> InstancePage:
    """Lists instances, newest first. A producer sees what its own actors composed."""
    return await service.list_instances(database, caller, query)


@router.get(
    "/templates/{ref}/instances",
    summary="List a template's instances",
    responses=refusals(*_TEMPLATE),
)
async def list_template_instances(
    ref: Annotated[TemplateInPath, Path()],
    query: Annotated[ComposedWithin, Query()],
    caller: Viewer,
    database: DatabaseDep,
) -> InstancePage:
    """Lists the instances of one template, newest first. A family means its current version."""
    return await service.list_template_instances(database, caller, ref, query)


@router.get("/instances/{instance_id}", summary="Read one instance", responses=refusals(*_ONE))
async def get_instance(
    instance_id: InstanceId, caller: Producer, database: DatabaseDep
) -> InstanceWithData:
    """Reads an instance, with the data of its event."""
    return await service.get_instance(database, caller, instance_id)


@router.get(
    "/instances/{instance_id}/pieces",
    summary="Read an instance's pieces",
    responses=refusals(*_ONE),
)
async def list_instance_pieces(
    instance_id: InstanceId,
    page: Annotated[Page, Query()],
    caller: Producer,
    database: DatabaseDep,
) -> InstancePiecePage:
    """Reads the pieces of an instance with their content, in their order."""
    return await service.list_instance_pieces(database, caller, instance_id, page)


@router.get(
    "/instances/{instance_id}/lineage",
    summary="Tell where an instance comes from",
    responses=refusals(*_ONE),
)
async def get_instance_lineage(
    instance_id: InstanceId, caller: Producer, database: DatabaseDep
) -> InstanceLineage:
    """Tells the template, its place in the version chain, the event, and the digests of all."""
    return await service.get_instance_lineage(database, caller, instance_id)


@router.get(
    "/instances/{instance_id}/verify",
    summary="Verify an instance from its content",
    responses=refusals(*_ONE),
)
async def verify_instance(
    instance_id: InstanceId, caller: Producer, database: DatabaseDep
) -> InstanceVerification:
    """Computes the digests again: of the pieces, the composition and the data.

    Compares them with what is stored, and template, lineage, event log and identity with each
    other. Answers also for an instance whose lineage is gone.
    """
    return await service.verify_instance(database, caller, instance_id)
