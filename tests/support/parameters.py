"""Templates that ask for data: schemas, and items that were judged by them as the service does."""

import dataclasses
import json
from typing import Any

import asyncpg

from app.canonical_json import canonical_json
from app.json_schema import compile_schema
from app.services.judging import judgement
from tests.support.authoring import content, create_template, create_version
from tests.support.composing import Item
from tests.support.templates import Template

Document = dict[str, Any]

NAMED: Document = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}},
}
DATED: Document = {
    "type": "object",
    "required": ["starts"],
    "properties": {"starts": {"type": "string", "minLength": 10}},
}
LENIENT: Document = {"type": "object", "properties": {"name": {"type": "string"}}}

RIGHT = '{"name":"Ada"}'
WRONG = '{"name":7}'


def digest_of_schema(document: Document) -> str:
    """The digest that a schema is known by."""
    return compile_schema(document).digest


def errors_in(document: Document, data: str) -> list[Any]:
    """What a schema finds wrong with data."""
    fields = compile_schema(document).errors(json.loads(data))
    return [field.model_dump(exclude_none=True) for field in fields]


def asking(document: Document | None) -> dict[str, Any]:
    """The arguments by which an author says what data a template asks for."""
    if document is None:
        return {"schema": None, "empty_data_errors": None}
    errors = errors_in(document, "{}")
    return {
        "schema": canonical_json(document),
        "empty_data_errors": json.dumps({"errors": errors}) if errors else None,
    }


def judged(item: Item, document: Document) -> Item:
    """The item, its data judged by a schema."""
    found = judgement(compile_schema(document), json.loads(item.data or "{}"))
    return dataclasses.replace(item, **dataclasses.asdict(found))


async def ask_for(owner: asyncpg.Connection, template: Template, document: Document) -> str:
    """Have a template ask for data from now on, as the owner; the schema's digest."""
    given = asking(document)
    digest: str = await owner.fetchval(
        "SELECT iu_core.fn_iu_template_schema_store($1)", given["schema"]
    )
    await owner.execute(
        """UPDATE iu_core.iu_collection_template_registry
              SET schema_digest = $2, empty_data_errors = $3 WHERE template_collection_id = $1""",
        template.collection_id,
        digest,
        given["empty_data_errors"],
    )
    return digest


async def publish_asking(
    connection: asyncpg.Connection, document: Document | None, family: str = "tpl:wf:onboarding"
) -> str:
    """The key of a family's next version, its first one included, which asks for this."""
    if await connection.fetchval(
        "SELECT EXISTS (SELECT FROM iu_core.v_iu_template WHERE family = $1)", family
    ):
        answer = await create_version(connection, family, keeps_schema=False, **asking(document))
    else:
        pieces = [content(f"{family} {name}", name) for name in ("one", "two")]
        answer = await create_template(connection, family, pieces, **asking(document))
    assert answer["status"] == "ok", answer
    key: str = await connection.fetchval(
        "SELECT template_key FROM iu_core.v_iu_template WHERE template_collection_id = $1::uuid",
        answer["template_collection_id"],
    )
    return key
