"""Documents to render: small ones of given texts, and the examples filled with their samples."""

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from app.content import VersionFile, read_template
from app.documents.formats import Format
from app.documents.liquid import Deadline, parse_piece
from app.documents.models import Document, Provenance, Section
from app.documents.renderer import Renderer

SAMPLES = Path(__file__).parents[1] / "documents" / "samples"
EXAMPLES = ("onboarding", "status-report")

PROVENANCE = Provenance(
    instance_collection_id="0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f",
    instance_key="tpl-inst:auto:2025-w19",
    template_key="tpl:file:status-report/v3",
    event_id="7d0b3a52-8a36-5b8e-9f0e-1c2d3e4f5a6b",
    event_type="project.week.closed",
    actor="iu-core-reports",
    composed_at=datetime(2025, 5, 9, 14, 2, 11, tzinfo=UTC),
    composition_digest="519e5b8fe5ca97c5abdec85eb1b2a393744a043e2817f0ed29195a9e83061585",
    data_digest="964a9fd7aaa15b4641f110f939be56406079128586a7a815a20cc2f46f12bfde",
    product_digest="e840637449d8622e0cc211e8ea86992f17056acfc6b4ae7b0da180b2d9c59c75",
)


def section(text: str, position: int = 1, media_type: str = "text/markdown") -> Section:
    """A section of the text, whose piece is called `Piece <position>`."""
    return Section(
        position=position,
        role="text",
        title=f"Piece {position}",
        media_type=media_type,
        text=text,
    )


def document(*texts: str, provenance: Provenance | None = PROVENANCE) -> Document:
    """A document with a section of Markdown for each text."""
    sections = tuple(section(text, position) for position, text in enumerate(texts, start=1))
    return Document(sections=sections, provenance=provenance)


def sample(name: str) -> dict[str, Any]:
    """Data for an example."""
    data: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return data


def example(name: str, data: dict[str, Any] | None = None) -> Document:
    """The newest version of an example, filled with its sample or with other data."""
    sections = tuple(
        Section(
            position=edit.position,
            role=edit.piece.role,
            title=edit.piece.title,
            media_type=edit.piece.media_type,
            text=parse_piece(edit.piece.body).fill(data or sample(name), Deadline()),
        )
        for edit in newest(name).edits
        if edit.op in {"insert", "replace"}
    )
    return Document(sections=sections, provenance=PROVENANCE)


async def rendered(renderer: Renderer, document: Document, format_: Format) -> bytes:
    """The bytes of a document that needs no filling."""
    _, body = await renderer.render(lambda: document, format_)
    return body


def newest(name: str) -> VersionFile:
    """The newest version of an example, which has no piece of an older one."""
    template = read_template(resources.files("app.content") / "seeds" / f"{name}-v3.yaml")
    assert isinstance(template, VersionFile)
    return template
