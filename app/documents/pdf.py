"""The page as PDF, laid out by WeasyPrint: for whoever prints, files or sends it.

On one machine, the same page gives the same bytes in whatever process: the dates are those of the
page, and the file's identifier is a digest of it. It conforms to PDF/UA, so that a screen reader
finds its way. The layout keeps a processor busy, for minutes where the text is hostile: `renderer`
runs it in a worker.

Importing this module refuses with FormatUnavailableError where WeasyPrint or Pango is missing.
"""

import hashlib
from typing import NoReturn

from app.documents.errors import FormatUnavailableError
from app.documents.models import Document
from app.documents.page import as_page

try:
    from weasyprint import HTML  # type: ignore[import-untyped]
    from weasyprint.urls import (  # type: ignore[import-untyped]
        FatalURLFetchingError,
        URLFetcher,
    )
except (ImportError, OSError) as error:  # without Pango it is an OSError
    raise FormatUnavailableError(
        "PDF needs WeasyPrint, Pango and a font. WeasyPrint comes with product-factory[documents];"
        " Pango and a font with the system (Debian and Ubuntu: apt install libpangoft2-1.0-0"
        " libharfbuzz-subset0 fonts-liberation)."
    ) from error


def as_pdf(document: Document) -> bytes:
    """The document as PDF. Refuses with DocumentTooLargeError what nests too deeply."""
    return lay_out(as_page(document))


def lay_out(page: str) -> bytes:
    """The PDF of a page. Nothing is fetched: a page that asks for something raises."""
    pdf: bytes = HTML(string=page, url_fetcher=_NoFetcher()).write_pdf(
        pdf_identifier=hashlib.sha256(page.encode()).hexdigest()[:32].encode(),
        pdf_variant="pdf/ua-1",
    )
    return pdf


class _NoFetcher(URLFetcher):  # type: ignore[misc]
    """What WeasyPrint would fetch images, styles and fonts by."""

    def fetch(self, url: str, headers: object = None) -> NoReturn:  # noqa: ARG002 - its interface
        """Stop the layout; WeasyPrint passes over what is an Exception."""
        raise FatalURLFetchingError(f"nothing is ever fetched, and the page asks for {url}")
