"""The page as PDF, laid out by WeasyPrint: for whoever prints, files or sends it.

On one machine, the same page gives the same bytes in whatever process: the dates are those of the
page, and the file's identifier is a digest of it. It conforms to PDF/UA, so that a screen reader
finds its way. The layout keeps a processor busy, for minutes where the text is hostile: `renderer`
runs it in a worker.

Paper can't be scrolled. A table that its longest words make wider than the paper is laid out once
more, with words that break in the columns that take more than their share.

Importing this module refuses with FormatUnavailableError where WeasyPrint or Pango is missing.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from app.documents.errors import DocumentTooLargeError, FormatUnavailableError
from app.documents.models import Document
from app.documents.page import as_page

try:
    from weasyprint import HTML  # type: ignore[import-untyped]
    from weasyprint.document import Document as Layout  # type: ignore[import-untyped]
    from weasyprint.formatting_structure.boxes import (  # type: ignore[import-untyped]
        BlockBox,
        TableBox,
    )
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


_OPTIONS: dict[str, Any] = {"pdf_variant": "pdf/ua-1"}

_ROUNDING = 0.01
"""Pixels that a sum of widths may be off by."""

_NARROW = 40
"""Pixels of a column that white space on both sides of its words leaves nothing of."""


def as_pdf(document: Document) -> bytes:
    """The document as PDF.

    Refuses with DocumentTooLargeError what nests too deeply, and a table that does not fit on the
    paper whatever is done about it.
    """
    return lay_out(as_page(document))


def lay_out(page: str) -> bytes:
    """The PDF of a page. Nothing is fetched: a page that asks for something raises."""
    html = HTML(string=page, url_fetcher=_NoFetcher())
    layout = html.render(**_OPTIONS)
    if wide := list(_wide_tables(layout)):
        for table, room in wide:
            _break_words(table, room)
        layout = html.render(**_OPTIONS)
        if any(_wide_tables(layout)):
            raise DocumentTooLargeError("A table has more columns than fit on the paper.")
    identifier = hashlib.sha256(page.encode()).hexdigest()[:32].encode()
    with _without_a_clock():
        pdf: bytes = layout.write_pdf(pdf_identifier=identifier, **_OPTIONS)
    return pdf


@contextmanager
def _without_a_clock() -> Iterator[None]:
    """Where HarfBuzz-Subset is missing, fontTools cuts the fonts, and writes the time into each."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before


def _wide_tables(layout: Layout) -> Iterator[tuple[TableBox, float]]:
    """The tables that are wider than their place, each with the width of that, in pixels."""
    for page in layout.pages:
        yield from _wide_below(page._page_box, page.width)  # WeasyPrint offers no other way


def _wide_below(box: Any, room: float) -> Iterator[tuple[TableBox, float]]:
    for child in box.children:
        if isinstance(child, TableBox):
            if child.width > room + _ROUNDING:
                yield child, room
        elif isinstance(child, BlockBox):
            # The box around a table is as wide as the table.
            yield from _wide_below(child, room if child.is_table_wrapper else child.width)


def _break_words(table: TableBox, room: float) -> None:
    """Style the cells of the page, for its next layout, so that the columns share the room."""
    # Of a table that is too wide, each column is as wide as its longest word.
    most = _share(table.column_widths, room)
    for cell in (
        cell for group in table.children for row in group.children for cell in row.children
    ):
        column = table.column_widths[cell.grid_x]
        style = "padding-left: 1px; padding-right: 1px;" if most < _NARROW else ""
        if column > most:
            around = 2 if style else column - cell.width
            style += f"min-width: {most - around}px; overflow-wrap: anywhere; white-space: normal"
        cell.element.set("style", style)


def _share(widths: Sequence[float], room: float) -> float:
    """The width that each may take at most, so that together they take no more than the room."""
    for count, width in enumerate(sorted(widths)):
        share = room / (len(widths) - count)
        if width > share:
            break
        room -= width
    return share


class _NoFetcher(URLFetcher):  # type: ignore[misc]
    """What WeasyPrint would fetch images, styles and fonts by."""

    def fetch(self, url: str, headers: object = None) -> NoReturn:  # noqa: ARG002 - its interface
        """Stop the layout; WeasyPrint passes over what is an Exception."""
        raise FatalURLFetchingError(f"nothing is ever fetched, and the page asks for {url}")
