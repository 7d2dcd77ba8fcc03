"""The document as text for programs: Markdown, and JSON with the HTML of each section."""

import re
from typing import Annotated

from pydantic import Field

from app.documents.fences import closed
from app.documents.fragments import as_fragment
from app.documents.markdown import begins_with_title, parse
from app.documents.models import MARKDOWN, Document, Provenance, Section
from app.documents.provenance import byline, how_to_verify, statements
from app.schemas.base import WireModel

_MARKUP = re.compile(r"[\\`*_\[\]<>|~&#]")
_FENCE = re.compile(r"`{3,}")


class RenderedSection(Section):
    """A section, and the HTML that its text comes to."""

    html: Annotated[str, Field(description="Sanitised. Headings begin at level 2.")]


class RenderedDocument(WireModel):
    """The document as JSON; without provenance it is a preview."""

    title: str
    sections: list[RenderedSection]
    provenance: Provenance | None


def as_markdown(document: Document) -> str:
    """The text of the sections as they are, a title above if they have none, and a footer.

    A code block that a section leaves open is closed, so that it ends with the section here, too.
    """
    first = document.sections[0]
    blocks = [] if begins_with_title(first) else [f"# {_escaped(first.title)}"]
    blocks += map(_block, document.sections)
    blocks += ["---", _escaped(byline(document))]
    if document.provenance:
        lines = (f"- {name}: {_escaped(value)}" for name, value in statements(document.provenance))
        blocks += ["\n".join(lines), _escaped(how_to_verify(document.provenance))]
    return "\n\n".join(blocks) + "\n"


def as_json(document: Document) -> str:
    """The JSON text of a RenderedDocument."""
    manuscript = parse(document.sections)
    rendered = RenderedDocument(
        title=manuscript.title,
        sections=[
            RenderedSection(**section.model_dump(), html=as_fragment(tokens))
            for section, tokens in zip(document.sections, manuscript.parts, strict=True)
        ],
        provenance=document.provenance,
    )
    return rendered.model_dump_json()


def _block(section: Section) -> str:
    text = section.text.strip("\n")
    if section.media_type == MARKDOWN:
        return closed(text).strip("\n")
    # A fence is closed by one that is at least as long.
    fence = "`" * max((len(ticks) + 1 for ticks in _FENCE.findall(text)), default=3)
    return f"# {_escaped(section.title)}\n\n{fence}\n{text}\n{fence}"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text)
