"""Reading templates: one, as it is or was; lists; pieces; what is different."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import templates as db
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.errors import Refusal
from app.paging import Keyset
from app.refusals.members import InvalidField
from app.schemas.base import Page
from app.schemas.templates import (
    ComparedTemplate,
    Template,
    TemplateDiff,
    TemplateList,
    TemplatePage,
    TemplatePiece,
    TemplatePiecePage,
    TemplateWithParameters,
)
from app.services.instances_read import template_id_of, template_walk
from app.services.piece_diff import piece_changes

_TEMPLATES = Keyset("templates", (str, int))
_PIECES = Keyset("template pieces", (int,))
_FAMILY = re.compile(r"tpl:[a-z0-9-]+:[a-z0-9-]+")


async def list_templates(database: Database, query: TemplateList) -> TemplatePage:
    """Templates, by family and version."""
    within = query.model_dump(exclude={"limit", "page_token"})
    position = _TEMPLATES.position(query.page_token, within)

    async def work(tx: Transaction) -> list[Row]:
        return await db.templates(tx, query.family, query.status, position, query.limit)

    found = _TEMPLATES.page(await database.run(work), query.limit, _place, within)
    return TemplatePage(
        items=[Template(**members(row)) for row in found.items],
        next_page_token=found.next_page_token,
    )


async def get_template(
    database: Database, reference: str, at: datetime | None
) -> tuple[TemplateWithParameters, int | None]:
    """One template, and the revision of its family's chain; None: it has none.

    `at` asks a family for the version that was current then. Refuses with
    `template_collection_not_found`, `template_not_marked`, and `invalid_input` where something
    else than a family is asked what was current.
    """
    if at is not None and not _FAMILY.fullmatch(reference):
        raise _only_families()

    async def work(tx: Transaction) -> tuple[Row, Any]:
        row = await template_row(tx, await _template_id(tx, reference, at))
        digest = row["schema_digest"]
        return row, None if digest is None else await db.schema(tx, digest)

    row, parameters = await database.run(work)
    return TemplateWithParameters(**members(row), parameters=parameters), row["chain_revision"]


async def list_template_pieces(database: Database, reference: str, page: Page) -> TemplatePiecePage:
    """A template's pieces with their content, in order.

    A family's pages are those of the version that was current when the first was asked for. Refuses
    with `template_collection_not_found`, `template_not_marked`, and `invalid_input` for a page
    token of another reference.
    """

    async def work(tx: Transaction) -> TemplatePiecePage:
        walk = await template_walk(tx, _PIECES, reference, page)
        (template_id,) = walk.pinned
        rows = await db.pieces(tx, template_id, walk.position, page.limit)
        found = walk.keyset.page(
            rows, page.limit, lambda row: (template_id, row["position"]), walk.within
        )
        return TemplatePiecePage(
            items=[TemplatePiece(**row) for row in found.items],
            next_page_token=found.next_page_token,
        )

    return await database.run(work)


async def diff_templates(database: Database, reference: str, against: str) -> TemplateDiff:
    """What is different in a template, compared with another.

    Refuses with `template_collection_not_found` and `template_not_marked` for either.
    """

    async def work(tx: Transaction) -> TemplateDiff:
        new, new_pieces = await _with_pieces(tx, reference)
        old, old_pieces = await _with_pieces(tx, against)
        return TemplateDiff(
            template=new,
            against=old,
            same=new.composition_digest == old.composition_digest,
            parameters_changed=new.schema_digest != old.schema_digest,
            changes=piece_changes(old_pieces, new_pieces),
        )

    return await database.run(work)


async def template_row(tx: Transaction, template_id: UUID) -> Row:
    """A template that is known to be there."""
    row = await db.template(tx, template_id)
    if row is None:
        raise Refusal("template_collection_not_found", template=str(template_id))
    return row


def members(row: Row) -> dict[str, Any]:
    """The members of a Template, from its row."""
    return {name: row[name] for name in Template.model_fields}


async def _template_id(tx: Transaction, reference: str, at: datetime | None) -> UUID:
    if at is None:
        return await template_id_of(tx, reference)
    template_id = await db.current_at(tx, reference, at)
    if template_id is None:
        raise Refusal(
            "template_collection_not_found",
            "The family had no current version at this time.",
            template=reference,
        )
    return template_id


async def _with_pieces(tx: Transaction, reference: str) -> tuple[ComparedTemplate, list[Row]]:
    row = await template_row(tx, await template_id_of(tx, reference))
    side = ComparedTemplate(**{name: row[name] for name in ComparedTemplate.model_fields})
    return side, await db.piece_list(tx, side.template_collection_id)


def _only_families() -> Refusal:
    field = InvalidField(
        location="query",
        pointer="/at",
        rule="family",
        detail="only of a family, such as tpl:wf:onboarding, is something current",
    )
    return Refusal("invalid_input", errors=[field.model_dump(exclude_none=True)])


def _place(row: Row) -> tuple[Any, ...]:
    return (row["family"], row["version_number"])
