"""Tables in Word."""

from collections.abc import Sequence

from docx.document import Document as Word
from docx.enum.text import WD_PARAGRAPH_ALIGNMENT as ALIGN
from docx.oxml.ns import nsdecls
from docx.oxml.parser import OxmlElement, parse_xml
from docx.shared import Length, Mm
from docx.table import _Cell, _Row

from app.documents.markdown import plain_text
from app.documents.tables import Cell, Table
from app.documents.word_text import add_text, readable

TEXT_WIDTH = Mm(174)
"""Of a page, between its margins."""

MOST_COLUMNS = 63
"""Of a table in Word, which opens no document with a wider one."""

_ALIGNMENTS = {"left": ALIGN.LEFT, "center": ALIGN.CENTER, "right": ALIGN.RIGHT}


def add_table(word: Word, written: Table) -> None:
    """Add a table; a wider one than Word takes as a line for each row."""
    rows = [written.head, *written.rows] if written.head else written.rows
    if not rows:
        return
    if len(rows[0]) > MOST_COLUMNS:
        for row in rows:
            word.add_paragraph(readable("\t".join(map(plain_text, row))))
        return
    widths = _widths(rows)
    table = word.add_table(len(rows), len(widths), style="Document Table")
    table.autofit = False
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width
    for made, row in zip(table.rows, rows, strict=True):
        _fill(made, row, widths, written)
    # Without a paragraph between them, Word takes two tables for one.
    word.add_paragraph(style="After Table")


def _widths(rows: Sequence[Sequence[Cell]]) -> list[Length]:
    """Shares of the page by the longest text of each column, since not every Word measures it.

    Longer texts wrap; what is added is for the margins of a cell.
    """
    shares = [
        min(max(len(plain_text(cell)) for cell in column), 30) + 6
        for column in zip(*rows, strict=True)
    ]
    return [Length(TEXT_WIDTH * share // sum(shares)) for share in shares]


def _fill(made: _Row, row: Sequence[Cell], widths: Sequence[Length], written: Table) -> None:
    properties = made._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    is_head = row is written.head
    if is_head:
        properties.append(OxmlElement("w:tblHeader"))  # on every page
    columns = zip(made.cells, widths, written.alignments, row, strict=True)
    for i, (cell, width, alignment, text) in enumerate(columns):
        cell.width = width
        paragraph = cell.paragraphs[0]
        paragraph.style = "Table Text"
        paragraph.alignment = _ALIGNMENTS.get(alignment)
        names = is_head or (i == 0 and not written.head)
        add_text(paragraph, text, bold=names)
        if is_head:
            _shade(cell)


def _shade(cell: _Cell) -> None:
    shade = f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="F3F6F9"/>'
    cell._tc.get_or_add_tcPr().append(parse_xml(shade))
