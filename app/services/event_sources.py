"""Sources of raw webhooks: how each signs, and where its webhooks say which event they tell of."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from app.db import event_rules as db
from app.db.accountable import Accountable
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.errors import Refusal
from app.events.signatures import (
    SECRETS,
    Signature,
    SignatureError,
    secret_digest,
    secret_headers,
    verify,
)
from app.events.webhook import (
    GITHUB_TYPE,
    Origin,
    RawWebhook,
    WebhookMapping,
    event_from_webhook,
    from_expression,
    from_header,
    own_type,
)
from app.expressions import (
    OF_WEBHOOKS,
    Expression,
    FlawedExpressionError,
    Prepared,
    compile_expression,
)
from app.paging import Keyset
from app.refusals.from_database import refusal_from_status
from app.refusals.invalid import invalid_input
from app.refusals.members import InvalidField
from app.refusals.validation import invalid_fields
from app.schemas.base import Page
from app.schemas.event_rules import From, PutSource, Source, SourcePage
from app.schemas.events import TakenEvent
from app.security import Caller
from app.services.intake import Intake, Sender

_SOURCES = Keyset("event sources", (str,))
_SIGNATURE: TypeAdapter[Signature] = TypeAdapter(Signature)


async def list_event_sources(database: Database, page: Page) -> SourcePage:
    """The sources, sorted by name."""
    position = _SOURCES.position(page.page_token)

    async def work(tx: Transaction) -> list[Row]:
        return await db.sources(tx, position, page.limit)

    found = _SOURCES.page(await database.run(work), page.limit, lambda row: (row["source_name"],))
    return SourcePage(
        items=[_source(row) for row in found.items], next_page_token=found.next_page_token
    )


async def get_event_source(database: Database, name: str) -> Source:
    """One source, without its secrets. Refuses with `event_source_not_found`."""

    async def work(tx: Transaction) -> Row | None:
        return await db.source(tx, name)

    row = await database.run(work)
    if row is None:
        raise Refusal("event_source_not_found", source=name)
    return _source(row)


async def put_event_source(
    database: Database, caller: Caller, name: str, order: PutSource
) -> tuple[Source, bool]:
    """Make a source, or change it; and whether it is new.

    Refuses with `invalid_input` and `actor_not_allowed`.
    """
    actor = caller.act_as(order.actor)
    _check(order)
    secrets = order.secrets
    if secrets is not None and order.signature == "header":
        secrets = [secret_digest(secret) for secret in secrets]
    new = db.SourceDefinition(
        source_name=name,
        enabled=order.enabled,
        signature=order.signature,
        signature_header=order.header,
        secrets=secrets,
        source=order.source,
        id_from=_json(order.id),
        type_from=_json(order.type),
        source_actor=actor,
        description=order.description,
        reason=order.reason,
    )
    by = Accountable(actor, caller.principal, caller.request_id)

    async def work(tx: Transaction) -> tuple[dict[str, Any], Row | None]:
        answer = await db.put_source(tx, new, by)
        return answer, await db.source(tx, name)

    answer, row = await database.run(work, repeatable=True)
    if answer["status"] != "ok" or row is None:
        raise refusal_from_status(answer)
    return _source(row), answer["created"]


async def receive_webhook(
    database: Database, intake: Intake, name: str, webhook: RawWebhook, request_id: UUID
) -> TakenEvent:
    """Take the event that a signed webhook tells of.

    Refuses with `event_source_not_found`, `signature_invalid`, `invalid_input` where it is not said
    which event it is, and as `Intake.take` does.
    """

    async def work(tx: Transaction) -> dict[str, Any] | None:
        return await db.source_with_secrets(tx, name)

    source = await database.run(work, repeatable=True)
    if source is None or not source["enabled"]:
        raise Refusal("event_source_not_found", source=name)
    try:
        verify(_signature(source), webhook.headers, webhook.body, datetime.now(UTC))
    except SignatureError as error:
        raise Refusal("signature_invalid", str(error), reason=error.reason) from error
    secret = secret_headers(source["signature"], source["signature_header"])
    told = {name: values for name, values in webhook.headers.items() if name not in secret}
    event = event_from_webhook(_mapping(source), RawWebhook(told, webhook.body))
    channel = f"event-source:{name}"
    # Who signs is the source, whoever its actor was when the event came first.
    sender = Sender(source["actor"], None, channel, channel)
    return await intake.take(sender, event, request_id)


def _signature(source: Mapping[str, Any]) -> Signature:
    kind, secrets = source["signature"], source["secrets"]
    if kind == "header":
        described = {"kind": kind, "header": source["signature_header"], "sha256": secrets}
    else:
        described = {"kind": kind, "secrets": secrets}
    return _SIGNATURE.validate_python(described)


def _mapping(source: Mapping[str, Any]) -> WebhookMapping:
    kind = source["signature"]
    id_ = _origin("id", source["id_from"])
    type_ = _origin("type", source["type_from"])
    if id_ is None and kind == "standard_webhooks":
        id_ = from_header("webhook-id")  # its signature covers it
    if type_ is None:
        type_ = GITHUB_TYPE if kind == "github" else own_type(f"webhook.{source['source_name']}")
    return WebhookMapping(source["source"], id=id_, type=type_)


def _origin(attribute: str, where: Mapping[str, str] | None) -> Origin | None:
    if where is None:
        return None
    if "header" in where:
        return from_header(where["header"])
    expression = _compiled(where["expression"])

    def extract(headers: Mapping[str, str], body: Any) -> str:
        verdict = expression.evaluate(Prepared({"headers": dict(headers), "body": body}))
        if verdict.failure is not None:
            raise ValueError(verdict.detail)
        text: str = verdict.value
        return text

    return from_expression(attribute, extract)


def _compiled(text: str) -> Expression:
    return compile_expression(text, wants="string", names=OF_WEBHOOKS)


def _check(order: PutSource) -> None:
    errors = []
    secret = secret_headers(order.signature, order.header)
    for name, where in (("id", order.id), ("type", order.type)):
        if where is not None and where.header in secret:
            errors.append(_wrong(f"/{name}/header", "secret", "its value is not to be seen"))
        if where is not None and where.expression is not None:
            try:
                _compiled(where.expression)
            except FlawedExpressionError as flaw:
                errors.append(_wrong(f"/{name}/expression", "expression", str(flaw)))
    if order.secrets is not None:
        try:
            SECRETS[order.signature].validate_python(order.secrets)
        except ValidationError as error:
            errors += [
                _wrong(f"/secrets{wrong.pointer}", "secret", wrong.detail)
                for wrong in invalid_fields(error, order.secrets)
            ]
    if errors:
        raise invalid_input(errors)


def _wrong(pointer: str, rule: str, detail: str) -> InvalidField:
    return InvalidField(location="body", pointer=pointer, rule=rule, detail=detail)


def _json(where: From | None) -> str | None:
    return None if where is None else json.dumps(where.model_dump(exclude_none=True))


def _source(row: Row) -> Source:
    members = {name: row[name] for name in Source.model_fields if name in row}
    return Source(
        **members,
        name=row["source_name"],
        header=row["signature_header"],
        id=row["id_from"],
        type=row["type_from"],
    )
