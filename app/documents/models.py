"""A document before it is rendered: text that is filled already, and where it comes from.

Everything that is shown is covered by the digests in the provenance or is the provenance itself, so
that a document of the same provenance has the same content for ever.
"""

import hashlib
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.documents.errors import DocumentTooLargeError
from app.schemas.base import Timestamp, WireModel

MARKDOWN = "text/markdown"

MAX_BYTES = 1024 * 1024
"""Of the text of all sections, in UTF-8."""


class Section(WireModel):
    """A piece in its place: Markdown whose placeholders are filled, or another type's raw body."""

    position: Annotated[int, Field(description="From 1.")]
    role: str
    title: str
    media_type: str
    text: str


class Provenance(WireModel):
    """Which instance the document shows, what composed it, and how it can be verified.

    The event, its actor, and the digests of data and product are None where no event composed it.
    """

    instance_collection_id: str
    instance_key: str
    template_key: str
    event_id: str | None
    event_type: str | None
    actor: str | None
    composed_at: Timestamp
    composition_digest: str
    data_digest: str | None
    product_digest: str | None

    @property
    def digest(self) -> str:
        """What tells it from any other: 16 hex digits.

        The same product can be composed again, after a rollback, by another actor's event.
        """
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


class Document(WireModel):
    """One or more sections in order; without provenance it is a preview, which is not stored.

    Refuses with DocumentTooLargeError more than MAX_BYTES of text.
    """

    sections: Annotated[tuple[Section, ...], Field(min_length=1)]
    provenance: Provenance | None = None

    @property
    def size(self) -> int:
        """The bytes of the text of all sections, in UTF-8."""
        return sum(len(section.text.encode()) for section in self.sections)

    @model_validator(mode="after")
    def _is_not_too_large(self) -> Self:
        if self.size > MAX_BYTES:
            raise DocumentTooLargeError(
                f"The document has {self.size:,} bytes of text; at most {MAX_BYTES:,} are rendered."
            )
        return self
