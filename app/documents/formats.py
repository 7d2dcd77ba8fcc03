"""The formats that a document is read in, and what makes its bytes.

    FORMATS["pdf"].render(document)

The same document gives the same bytes every time: no format looks at a clock.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.documents.models import Document
from app.documents.page import as_page
from app.documents.texts import as_json, as_markdown

RENDERER_VERSION = 1
"""Part of a document's ETag: to be raised whenever the bytes of the same document change."""

_NOT_IN_A_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_SUFFIX = 80


@dataclass(frozen=True, slots=True)
class Format:
    """A format: what `?format=` calls it, which is also what its files end in, and its type.

    `render` refuses with DocumentTooLargeError, and with FormatUnavailableError where a library is
    missing. A heavy format loads libraries that the service itself has no use for, and computes
    for long.
    """

    name: str
    media_type: str
    render: Callable[[Document], bytes]
    heavy: bool = False

    def file_name(self, document: Document) -> str:
        """A name for a file of it: `status-report-2025-w19.pdf`, ASCII that needs no quoting."""
        if document.provenance is None:
            return f"preview.{self.name}"
        template = document.provenance.template_key.split("/")[0].rsplit(":", 1)[-1]
        suffix = document.provenance.instance_key.removeprefix("tpl-inst:auto:")
        plain = _NOT_IN_A_FILE_NAME.sub("-", suffix)[:_LONGEST_SUFFIX].strip("-.")
        which = plain or document.provenance.instance_collection_id
        return f"{template}-{which}.{self.name}"


def _pdf(document: Document) -> bytes:
    from app.documents.pdf import as_pdf  # noqa: PLC0415 - it may be missing, and it is large

    return as_pdf(document)


def _docx(document: Document) -> bytes:
    from app.documents.word import as_docx  # noqa: PLC0415 - it may be missing, and it is large

    return as_docx(document)


_ALL = (
    Format("md", "text/markdown", lambda document: as_markdown(document).encode()),
    Format("html", "text/html", lambda document: as_page(document).encode()),
    Format("pdf", "application/pdf", _pdf, heavy=True),
    Format(
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _docx,
        heavy=True,
    ),
    Format("json", "application/json", lambda document: as_json(document).encode()),
)

FORMATS: Mapping[str, Format] = {format_.name: format_ for format_ in _ALL}
"""All of them, by name."""
