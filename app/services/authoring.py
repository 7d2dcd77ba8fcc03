"""Authoring templates: first and next versions, marking, registering, withdrawing (design, §15)."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.db import templates as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.db.templates import ChainChange, NewFamily, PieceList
from app.refusals.from_database import refusal_from_status
from app.schemas.authoring import (
    AuthoredTemplate,
    MarkTemplate,
    NewTemplate,
    NewVersion,
    PublishedVersion,
    RegisterVersion,
    VersionDryRun,
    WithdrawnTemplate,
    WithdrawTemplate,
)
from app.security import Caller
from app.services.piece_diff import piece_changes
from app.services.templates import members, template_row

Revision = int | None
"""The revision of a version chain; None: there is no chain."""

_Answer = dict[str, Any]
_Order = NewTemplate | NewVersion | MarkTemplate | RegisterVersion | WithdrawTemplate


async def create_template(
    database: Database, caller: Caller, order: NewTemplate
) -> tuple[AuthoredTemplate, Revision]:
    """Make a family with its first version.

    Refuses with `template_authoring_gate_closed`, `piece_write_gate_closed`, `already_exists`,
    `unit_not_found`, `unit_not_active` and `actor_not_allowed`.
    """
    change = _change(caller, order)
    new = NewFamily(order.family, order.title, order.description, _documents(order.pieces))

    async def work(tx: Transaction) -> tuple[_Answer, Row | None]:
        return await _with_template(tx, await db.create_template(tx, new, change))

    return _authored(*await database.run(work))


async def create_template_version(
    database: Database,
    caller: Caller,
    family: str,
    order: NewVersion,
    seen_revisions: list[int] | None,
) -> tuple[PublishedVersion | VersionDryRun, Revision]:
    """Make a family's next version, which supersedes the current one; or tell what it would be.

    `seen_revisions` of the chain are those that the author has seen; None: whichever. Refuses with
    `template_authoring_gate_closed`, `piece_write_gate_closed`, `template_family_not_found`,
    `precondition_failed`, `operation_state`, `unit_not_found`, `no_change`, `unit_not_active`,
    `invalid_input` for an edit's position, and `actor_not_allowed`.
    """
    change = _change(caller, order, seen_revisions)
    content = PieceList(
        pieces=None if order.pieces is None else _documents(order.pieces),
        edits=None if order.edits is None else _documents(order.edits),
    )

    async def work(
        tx: Transaction,
    ) -> tuple[_Answer, Row | None, Sequence[Row], Sequence[Row]]:
        answer, row = await _with_template(
            tx, await db.create_version(tx, family, content, change, dry_run=order.dry_run)
        )
        if answer["status"] != "ok":
            return answer, None, (), ()
        after = (
            answer["pieces"]
            if row is None
            else await db.piece_list(tx, row["template_collection_id"])
        )
        return answer, row, await _pieces_of(tx, answer["supersedes"]), after

    answer, row, before, after = await database.run(work)
    if answer["status"] != "ok":
        raise refusal_from_status(answer)
    changes = piece_changes(before, after)
    warnings = answer["warnings"]
    if row is None:
        dry_run = VersionDryRun.model_validate(
            {
                "outcome": "dry_run",
                "would_be": answer["would_be"],
                "changes": changes,
                "warnings": warnings,
            }
        )
        return dry_run, answer["chain_revision"]
    published = PublishedVersion(
        **members(row), outcome="published", changes=changes, warnings=warnings
    )
    return published, row["chain_revision"]


async def mark_template(
    database: Database, caller: Caller, order: MarkTemplate
) -> tuple[AuthoredTemplate, Revision]:
    """Mark a plain collection as a template.

    Refuses with `template_authoring_gate_closed`, `template_collection_not_found`,
    `already_exists`, `unit_not_active`, `invalid_input` for an instance, and `actor_not_allowed`.
    """
    change = _change(caller, order)

    async def work(tx: Transaction) -> tuple[_Answer, Row | None]:
        answer = await db.mark_template(tx, order.collection_id, order.template_key, change)
        return await _with_template(tx, answer)

    return _authored(*await database.run(work))


async def register_template_version(
    database: Database,
    caller: Caller,
    reference: str,
    order: RegisterVersion,
    seen_revisions: list[int] | None,
) -> tuple[AuthoredTemplate, Revision]:
    """Give a marked template its place in its family's chain.

    Refuses with `template_authoring_gate_closed`, `template_collection_not_found`,
    `template_not_marked`, `already_exists`, `precondition_failed` and `actor_not_allowed`.
    """
    change = _change(caller, order, seen_revisions)

    async def work(tx: Transaction) -> tuple[_Answer, Row | None]:
        answer = await db.register_version(tx, reference, order.title, order.description, change)
        return await _with_template(tx, answer)

    return _authored(*await database.run(work))


async def withdraw_template(
    database: Database,
    caller: Caller,
    reference: str,
    order: WithdrawTemplate,
    seen_revisions: list[int] | None,
) -> tuple[WithdrawnTemplate, Revision]:
    """Take a version without instances out of its chain; its predecessor is current again.

    Refuses with `template_authoring_gate_closed`, `template_collection_not_found`,
    `template_not_marked`, `operation_state`, `precondition_failed`, `template_in_use` and
    `actor_not_allowed`.
    """
    change = _change(caller, order, seen_revisions)

    async def work(tx: Transaction) -> tuple[_Answer, Row | None]:
        return await _with_template(tx, await db.withdraw_template(tx, reference, change))

    answer, row = await database.run(work)
    if row is None:
        raise refusal_from_status(answer)
    withdrawn = WithdrawnTemplate(
        **members(row), current=answer["current"], warnings=answer["warnings"]
    )
    return withdrawn, row["chain_revision"]


def _change(caller: Caller, order: _Order, seen_revisions: list[int] | None = None) -> ChainChange:
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)
    return ChainChange(by, order.reason, seen_revisions)


def _documents(parts: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in parts]


async def _with_template(tx: Transaction, answer: _Answer) -> tuple[_Answer, Row | None]:
    """An answer, and the template that it names; None where it names none."""
    template_id = answer.get("template_collection_id")
    return answer, None if template_id is None else await template_row(tx, UUID(template_id))


async def _pieces_of(tx: Transaction, key: str | None) -> Sequence[Row]:
    row = None if key is None else await db.template_by_key(tx, key)
    return () if row is None else await db.piece_list(tx, row["template_collection_id"])


def _authored(answer: Mapping[str, Any], row: Row | None) -> tuple[AuthoredTemplate, Revision]:
    if row is None:
        raise refusal_from_status(answer)
    authored = AuthoredTemplate(**members(row), warnings=answer["warnings"])
    return authored, row["chain_revision"]
