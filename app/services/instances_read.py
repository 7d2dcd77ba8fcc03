"""Reading instances. A producer sees what its own actors composed, a viewer everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.db import instances_read as db
from app.db.engine import Database, Transaction
from app.db.instances_read import InstanceFilters
from app.errors import Refusal
from app.paging import Keyset, Position
from app.schemas.base import Page
from app.schemas.instances_read import (
    ComposedWithin,
    InstanceLineage,
    InstanceList,
    InstancePage,
    InstancePiece,
    InstancePiecePage,
    InstanceVerification,
    InstanceWithData,
    StoredInstance,
)
from app.security import Caller

_INSTANCES = Keyset("instances", (datetime, UUID))
_PIECES = Keyset("instance pieces", (int,))


async def list_instances(database: Database, caller: Caller, query: InstanceList) -> InstancePage:
    """Instances that the caller may read, newest first.

    Refuses with `actor_not_allowed` for an actor that it may not, with
    `template_collection_not_found`, `template_not_marked` or `template_family_not_found` for a
    filter that names nothing.
    """

    async def work(transaction: Transaction) -> InstancePage:
        walk = await template_walk(transaction, _INSTANCES, query.template, query)
        return await _page(transaction, caller, query, walk, await _templates(transaction, query))

    return await database.run(work)


async def list_template_instances(
    database: Database, caller: Caller, reference: str, query: ComposedWithin
) -> InstancePage:
    """One template's instances, newest first. Refuses like `list_instances`."""

    async def work(transaction: Transaction) -> InstancePage:
        walk = await template_walk(transaction, _INSTANCES, reference, query)
        return await _page(transaction, caller, query, walk)

    return await database.run(work)


async def get_instance(database: Database, caller: Caller, instance_id: UUID) -> InstanceWithData:
    """One instance with its data.

    Refuses with `instance_not_found`; with `rolled_back` (410) when it was; with
    `actor_not_allowed` when it is another's.
    """

    async def work(transaction: Transaction) -> InstanceWithData:
        names = list(InstanceWithData.model_fields)
        row = await db.find_instance(transaction, instance_id, names)
        return InstanceWithData(**await readable(transaction, caller, instance_id, row))

    return await database.run(work)


async def list_instance_pieces(
    database: Database, caller: Caller, instance_id: UUID, page: Page
) -> InstancePiecePage:
    """The pieces of an instance with their content, in order. Refuses like `get_instance`."""
    within = {"instance": instance_id}
    position = _PIECES.position(page.page_token, within)

    async def work(transaction: Transaction) -> InstancePiecePage:
        row = await db.find_instance(transaction, instance_id, ["actor"])
        await readable(transaction, caller, instance_id, row)
        rows = await db.list_pieces(transaction, instance_id, position, page.limit)
        found = _PIECES.page(rows, page.limit, lambda piece: (piece["position"],), within)
        return InstancePiecePage(
            items=[InstancePiece(**piece) for piece in found.items],
            next_page_token=found.next_page_token,
        )

    return await database.run(work)


async def get_instance_lineage(
    database: Database, caller: Caller, instance_id: UUID
) -> InstanceLineage:
    """Where an instance comes from. Refuses like `get_instance`."""

    async def work(transaction: Transaction) -> InstanceLineage:
        row = await db.find_lineage(transaction, instance_id)
        return InstanceLineage(**await readable(transaction, caller, instance_id, row))

    return await database.run(work)


async def verify_instance(
    database: Database, caller: Caller, instance_id: UUID
) -> InstanceVerification:
    """An instance, computed again from its content. Refuses like `get_instance`.

    Unlike the other reads it also answers for an instance whose lineage is gone, and says so.
    """

    async def work(transaction: Transaction) -> InstanceVerification:
        answer = await db.verify_instance(transaction, instance_id)
        found = answer if answer["status"] == "ok" else None
        members = await readable(transaction, caller, instance_id, found)
        named = InstanceVerification.model_fields
        return InstanceVerification(**{name: members[name] for name in named})

    return await database.run(work)


async def template_id_of(transaction: Transaction, reference: str) -> UUID:
    """The template that a reference means now.

    Refuses with `template_collection_not_found` and `template_not_marked`.
    """
    found = await db.resolve_template(transaction, reference)
    if not found["collection_exists"]:
        raise Refusal("template_collection_not_found", template=reference)
    if not found["is_marked"]:
        raise Refusal("template_not_marked")
    template_id: UUID = found["template_collection_id"]
    return template_id


@dataclass(frozen=True, slots=True)
class TemplateWalk:
    """Going page by page through a list that may be of one template.

    `pinned` is that template, or empty. What the reference to it meant when the walk began is kept
    in the page tokens: a version that is published meanwhile does not disturb who is under way.
    """

    keyset: Keyset
    within: Mapping[str, object]
    pinned: tuple[UUID, ...]
    position: Position | None

    def token_after(self, position: Position | None) -> str | None:
        """The token of the page after the position; None: there is no further page."""
        after = None if position is None else (*self.pinned, *position)
        return token_after(self.keyset, after, self.within)


async def template_walk(
    transaction: Transaction, keyset: Keyset, reference: str | None, query: Page
) -> TemplateWalk:
    """A walk through the list of the keyset: it begins, or goes on with the query's page token.

    Takes the reference to the template that the list is of; None: it is of all. Refuses with
    `template_collection_not_found`, `template_not_marked`, and `invalid_input` for a page token of
    another list.
    """
    asked = query.model_dump(exclude={"limit", "page_token"})
    if reference is None:
        return TemplateWalk(keyset, asked, (), keyset.position(query.page_token, asked))
    within = asked | {"template": reference}
    of_one = Keyset(f"{keyset.name} of one template", (UUID, *keyset.types))
    begun = of_one.position(query.page_token, within)
    if begun is None:
        pinned = (await template_id_of(transaction, reference),)
        return TemplateWalk(of_one, within, pinned, None)
    return TemplateWalk(of_one, within, begun[:1], begun[1:])


async def _templates(transaction: Transaction, query: InstanceList) -> list[UUID] | None:
    """What family and version name; None: they are not asked for."""
    if query.family is None and query.version is None:
        return None
    found = await db.template_ids(transaction, query.family, query.version)
    if not found and query.family is not None:
        raise await _no_such_version(transaction, query.family, query.version)
    return found


async def _no_such_version(transaction: Transaction, family: str, version: str | None) -> Refusal:
    if version is not None and await db.template_ids(transaction, family, None):
        return Refusal("template_collection_not_found", template=f"{family}/{version}")
    return Refusal("template_family_not_found", family=family)


async def _page(
    transaction: Transaction,
    caller: Caller,
    query: ComposedWithin,
    walk: TemplateWalk,
    among: Sequence[UUID] | None = None,
) -> InstancePage:
    filters = filters_of(caller, query, _both(walk.pinned, among))
    items, after = await db.list_instances(
        transaction, list(StoredInstance.model_fields), filters, walk.position, query.limit
    )
    return InstancePage(
        items=[StoredInstance(**item) for item in items], next_page_token=walk.token_after(after)
    )


def _both(pinned: Sequence[UUID], among: Sequence[UUID] | None) -> Sequence[UUID] | None:
    if not pinned:
        return among
    return [one for one in pinned if among is None or one in among]


def token_after(
    keyset: Keyset, position: Position | None, within: Mapping[str, object]
) -> str | None:
    """The token of the page after the position; None: there is no further page."""
    return None if position is None else keyset.token(position, within)


def filters_of(
    caller: Caller,
    query: ComposedWithin,
    template_ids: Sequence[UUID] | None,
    *,
    events_only: bool = False,
) -> InstanceFilters:
    """The filters of a list, narrowed to what the caller may read.

    Refuses with `actor_not_allowed` for an actor whom it may not.
    """
    limited = caller.allowed_actors is not None
    if limited and query.actor is not None and not caller.may_act_as(query.actor):
        raise Refusal("actor_not_allowed", actor=query.actor)
    return InstanceFilters(
        template_ids=template_ids,
        actor=query.actor,
        event_id=query.event_id,
        operation_id=query.operation_id,
        composed_from=query.composed_from,
        composed_to=query.composed_to,
        digest_state=query.digest_state,
        allowed_actors=caller.allowed_actors,
        events_only=events_only,
    )


async def readable(
    transaction: Transaction,
    caller: Caller,
    instance_id: UUID,
    found: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    """What was found, if the caller may read it; else the refusal that says why not."""
    buried = None if found is not None else await db.find_tombstone(transaction, instance_id)
    thing = found if found is not None else buried
    if thing is None:
        raise Refusal("instance_not_found")
    limited = caller.allowed_actors is not None
    if limited and (thing["actor"] is None or not caller.may_act_as(thing["actor"])):
        raise Refusal("actor_not_allowed")
    if buried is not None:
        raise Refusal(
            "rolled_back",
            status=410,
            rolled_back_at=buried["rolled_back_at"].astimezone(UTC).isoformat(),
            rolled_back_by=buried["rolled_back_by"],
            reason=buried["reason"],
            operation_id=buried["rollback_operation_id"],
        )
    return thing
