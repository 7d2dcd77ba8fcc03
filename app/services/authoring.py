"""Authoring templates: first and next versions, marking, registering, withdrawing (design, §15)."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.canonical_json import canonical_json
from app.db import templates as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.db.templates import ChainChange, NewFamily, NextVersion, Parameters
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
from app.services.judging import checked_schema, data_errors
from app.services.piece_diff import piece_changes
from app.services.placeholders import Placeholders, checked
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
    `unit_not_found`, `unit_not_active`, `invalid_input` for parameters that are no schema and for
    placeholders that they do not know, and `actor_not_allowed`.
    """
    change = _change(caller, order)
    new = NewFamily(
        order.family,
        order.title,
        order.description,
        _documents(order.pieces),
        _parameters(order.parameters),
    )

    async def work(tx: Transaction) -> _Made:
        return await _with_template(tx, await db.create_template(tx, new, change))

    return _authored(await database.run(work))


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
    `invalid_input` for an edit's position, parameters that are no schema and placeholders that
    they do not know, and `actor_not_allowed`.
    """
    change = _change(caller, order, seen_revisions)
    content = NextVersion(
        pieces=None if order.pieces is None else _documents(order.pieces),
        edits=None if order.edits is None else _documents(order.edits),
        parameters=None if order.keeps_parameters else _parameters(order.parameters),
    )

    async def publish(tx: Transaction) -> tuple[_Made, Sequence[Row], Sequence[Row]]:
        answer = await db.create_version(tx, family, content, change, dry_run=False)
        made = await _with_template(tx, answer)
        if made.row is None:
            return made, (), ()
        after = await db.piece_list(tx, made.row["template_collection_id"])
        return made, await _pieces_of(tx, answer["supersedes"]), after

    async def try_out(tx: Transaction) -> tuple[_Answer, Sequence[Row]]:
        answer = await db.create_version(tx, family, content, change, dry_run=True)
        return answer, await _pieces_of(tx, answer.get("supersedes"))

    if order.dry_run:
        answer, before = await database.run(try_out)
        if answer["status"] != "ok":
            raise refusal_from_status(answer)
        # Of what it would be made of, only a version that is made can say.
        (tried, _, _) = await database.undone(publish)
        dry_run = VersionDryRun.model_validate(
            {
                "outcome": "dry_run",
                "would_be": answer["would_be"],
                "changes": piece_changes(before, answer["pieces"]),
                "parameters_changed": answer["parameters_changed"],
                "warnings": answer["warnings"],
                **tried.told,
            }
        )
        return dry_run, answer["chain_revision"]
    made, before, after = await database.run(publish)
    row = made.granted()
    published = PublishedVersion(
        **members(row),
        outcome="published",
        changes=piece_changes(before, after),
        parameters_changed=made.answer["parameters_changed"],
        warnings=made.answer["warnings"],
        **made.told,
    )
    return published, row["chain_revision"]


async def mark_template(
    database: Database, caller: Caller, order: MarkTemplate
) -> tuple[AuthoredTemplate, Revision]:
    """Mark a plain collection as a template.

    Refuses with `template_authoring_gate_closed`, `template_collection_not_found`,
    `already_exists`, `unit_not_active`, `invalid_input` for an instance or parameters that are no
    schema, and `actor_not_allowed`.
    """
    change = _change(caller, order)
    parameters = _parameters(order.parameters)

    async def work(tx: Transaction) -> _Made:
        answer = await db.mark_template(
            tx, order.collection_id, order.template_key, parameters, change
        )
        return await _with_template(tx, answer)

    return _authored(await database.run(work))


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

    async def work(tx: Transaction) -> _Made:
        answer = await db.register_version(tx, reference, order.title, order.description, change)
        return await _with_template(tx, answer)

    return _authored(await database.run(work))


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

    async def work(tx: Transaction) -> tuple[_Answer, Row]:
        answer = await db.withdraw_template(tx, reference, change)
        if answer["status"] != "ok":
            raise refusal_from_status(answer)
        return answer, await template_row(tx, UUID(answer["template_collection_id"]))

    answer, row = await database.run(work)
    withdrawn = WithdrawnTemplate(
        **members(row), current=answer["current"], warnings=answer["warnings"]
    )
    return withdrawn, row["chain_revision"]


def _change(caller: Caller, order: _Order, seen_revisions: list[int] | None = None) -> ChainChange:
    by = Accountable(caller.act_as(order.actor), caller.principal, caller.request_id)
    return ChainChange(by, order.reason, seen_revisions)


def _parameters(document: dict[str, Any] | None) -> Parameters:
    """What a template asks for; refuses with `invalid_input` what is no schema."""
    if document is None:
        return Parameters()
    schema = checked_schema(document, "/parameters")
    return Parameters(canonical_json(document), data_errors(schema, {}))


def _documents(parts: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [part.model_dump(mode="json") for part in parts]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a function answered, and the template that it made; None where it refused."""

    answer: _Answer
    row: Row | None = None
    placeholders: Placeholders | None = None

    def granted(self) -> Row:
        """The template's row, or the refusal."""
        if self.row is None:
            raise refusal_from_status(self.answer)
        return self.row

    @property
    def told(self) -> dict[str, Any]:
        """What the answer says of placeholders."""
        return {} if self.placeholders is None else asdict(self.placeholders)


async def _with_template(tx: Transaction, answer: _Answer) -> _Made:
    """The template that an answer names. Its placeholders are looked at before it is committed.

    Refuses with `invalid_input`; then nothing of it is made.
    """
    if answer["status"] != "ok":
        return _Made(answer)
    row = await template_row(tx, UUID(answer["template_collection_id"]))
    digest = row["schema_digest"]
    schema = None if digest is None else await db.schema(tx, digest)
    pieces = await db.all_pieces(tx, row["template_collection_id"])
    # Thousands of pieces may have to be parsed: others have their turns meanwhile.
    placeholders = await asyncio.to_thread(checked, pieces, schema)
    return _Made(answer, row, placeholders)


async def _pieces_of(tx: Transaction, key: str | None) -> Sequence[Row]:
    row = None if key is None else await db.template_by_key(tx, key)
    return () if row is None else await db.piece_list(tx, row["template_collection_id"])


def _authored(made: _Made) -> tuple[AuthoredTemplate, Revision]:
    row = made.granted()
    authored = AuthoredTemplate(**members(row), warnings=made.answer["warnings"], **made.told)
    return authored, row["chain_revision"]
