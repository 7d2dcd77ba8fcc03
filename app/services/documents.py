"""Reading an instance, or the preview of a template, as a document."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from app.db import instances_read as instances_db
from app.db import templates as templates_db
from app.db.engine import Database, Transaction
from app.db.rows import Row
from app.documents.errors import (
    DocumentError,
    FormatUnavailableError,
    RendererBusyError,
)
from app.documents.formats import FORMATS, RENDERER_VERSION, Format
from app.documents.liquid import Deadline, FlawedError, UnfillableError, parse_piece
from app.documents.models import MARKDOWN, Document, Provenance, Section
from app.documents.renderer import Renderer
from app.errors import Refusal
from app.refusals.unavailable import RETRY_AFTER_SECONDS
from app.security import Caller
from app.services.instances_read import readable, template_id_of
from app.services.judging import Schemas, payload_invalid

MAX_SOURCE_BYTES = 4 * 1024 * 1024
"""Of the bodies of all pieces, before they are filled."""

_COLUMNS = (
    *(name for name in Provenance.model_fields if name != "instance_collection_id"),
    "instance_collection_id",
    "data",
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document in a format; `body` None: the reader has it already, under this `entity_tag`."""

    format: Format
    file_name: str
    entity_tag: str | None
    body: bytes | None


async def read_instance_document(
    database: Database,
    renderer: Renderer,
    caller: Caller,
    instance_id: UUID,
    *,
    format_: Format,
    known: Container[str],
) -> Rendered:
    """An instance as a document: the same bytes every time, for the same renderer.

    One that no event composed is filled with no data. `known` are the entity tags of what the
    reader has.

    Refuses with `instance_not_found`, `rolled_back` (410), `actor_not_allowed`; with
    `document_not_renderable` where its pieces can't be filled with its data; with `not_acceptable`
    where the machine lacks what the format needs, and `overloaded` where too many wait.
    """

    async def work(tx: Transaction) -> tuple[Mapping[str, Any], Sequence[Row]]:
        row = await instances_db.find_instance(tx, instance_id, _COLUMNS)
        instance = await readable(tx, caller, instance_id, row)
        _refuse_large(await instances_db.source_size(tx, instance_id))
        return instance, await instances_db.all_pieces(tx, instance_id)

    instance, pieces = await database.run(work)
    provenance = Provenance(**{name: _text(instance[name]) for name in Provenance.model_fields})
    tag = _entity_tag(provenance, format_)
    if tag in known:
        return Rendered(format_, "", tag, None)
    # Where no event composed it there is none.
    data = instance["data"] or {}
    document, body = await _made(renderer, format_, pieces, data, provenance)
    return Rendered(format_, format_.file_name(document), tag, body)


async def preview_template(
    database: Database,
    renderer: Renderer,
    schemas: Schemas,
    reference: str,
    *,
    data: dict[str, Any],
    format_: Format,
) -> Rendered:
    """A template filled with data. Nothing is stored.

    Refuses with `template_collection_not_found`, `template_not_marked`, `payload_invalid`, and as
    reading an instance does.
    """

    async def work(tx: Transaction) -> tuple[Row, Sequence[Row]]:
        template_id = await template_id_of(tx, reference)
        template = await templates_db.template(tx, template_id)
        assert template is not None  # noqa: S101 - it was resolved in this transaction
        _refuse_large(await templates_db.source_size(tx, template_id))
        return template, await templates_db.all_pieces(tx, template_id)

    template, pieces = await database.run(work)
    if template["schema_digest"] is not None:
        schema = await schemas.by_digest(template["schema_digest"])
        if errors := schema.errors(data):
            raise payload_invalid(errors, template)
    document, body = await _made(renderer, format_, pieces, data, None)
    return Rendered(format_, format_.file_name(document), None, body)


def _entity_tag(provenance: Provenance, format_: Format) -> str:
    """The tag of what depends on nothing but the product, where it comes from, and the program."""
    what = provenance.product_digest or provenance.composition_digest
    return f'"{what}-{provenance.digest}-{RENDERER_VERSION}-{format_.name}"'


def _refuse_large(size: int) -> None:
    """Refuse what would be too large for memory before it is read at all."""
    if size > MAX_SOURCE_BYTES:
        raise Refusal(
            "document_not_renderable",
            f"The pieces have {size:,} bytes of text; at most {MAX_SOURCE_BYTES:,} are filled.",
        )


async def _made(
    renderer: Renderer,
    format_: Format,
    pieces: Sequence[Row],
    data: Mapping[str, Any],
    provenance: Provenance | None,
) -> tuple[Document, bytes]:
    try:
        return await renderer.render(partial(_filled, pieces, data, provenance), format_)
    except FormatUnavailableError as error:
        others = [other.media_type for other in FORMATS.values() if not other.heavy]
        raise Refusal("not_acceptable", str(error), available=others) from error
    except RendererBusyError as error:
        raise Refusal("overloaded", str(error), retry_after=RETRY_AFTER_SECONDS) from error
    except DocumentError as error:
        raise Refusal("document_not_renderable", str(error)) from error


def _filled(
    pieces: Sequence[Row], data: Mapping[str, Any], provenance: Provenance | None
) -> Document:
    until = Deadline()
    sections = (
        Section(
            position=piece["position"],
            role=piece["role"],
            title=piece["title"],
            media_type=piece["media_type"],
            text=_text_of(piece, data, until),
        )
        for piece in pieces
    )
    return Document(sections=tuple(sections), provenance=provenance)


def _text_of(piece: Row, data: Mapping[str, Any], until: Deadline) -> str:
    body: str = piece["body"]
    if piece["media_type"] != MARKDOWN:
        return body
    try:
        return parse_piece(body).fill(data, until)
    except FlawedError as error:
        flaw = error.flaws[0]
    except UnfillableError as error:
        flaw = error.flaw
    raise Refusal(
        "document_not_renderable",
        f"Piece {piece['position']} ({piece['role']}), line {flaw.line}: {flaw.detail}.",
        position=piece["position"],
        role=piece["role"],
        line=flaw.line,
        column=flaw.column,
        rule=flaw.rule,
    )


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
