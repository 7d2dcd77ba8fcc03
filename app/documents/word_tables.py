"""Tables in Word."""

from collections.abc import Iterator, Sequence

from docx.document import Document as Word
from docx.enum.text import WD_PARAGRAPH_ALIGNMENT as ALIGN
from docx.oxml.ns import nsdecls
from docx.oxml.parser import OxmlElement, parse_xml
from docx.shared import Length, Mm
from docx.table import _Cell, _Row
from markdown_it.token import Token

from app.documents.markdown import plain_text
from app.documents.word_text import add_text, readable

TEXT_WIDTH = Mm(174)
"""Of a page, between its margins."""

MOST_COLUMNS = 63
"""Of a table in Word, which opens no document with a wider one."""

_ALIGNMENTS = {"left": ALIGN.LEFT, "center": ALIGN.CENTER, "right": ALIGN.RIGHT}


def add_table(word: Word, tokens: Sequence[Token]) -> None:
    """Add the table that the tokens are; a wider one than Word takes as a line for each row."""
    rows = list(_rows(tokens))
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
        _fill(made, row, widths)
    # Without a paragraph between them, Word takes two tables for one.
    word.add_paragraph(style="After Table")


def _rows(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    row: list[Token] = []
    for token in tokens:
        if token.type == "inline":
            row.append(token)
        elif token.type == "tr_close":
            yield row
            row = []


def _widths(rows: Sequence[Sequence[Token]]) -> list[Length]:
    """Shares of the page by the longest text of each column, since not every Word measures it.

    Longer texts wrap; what is added is for the margins of a cell.
    """
    shares = [
        min(max(len(plain_text(cell)) for cell in column), 30) + 6
        for column in zip(*rows, strict=True)
    ]
    return [Length(TEXT_WIDTH * share // sum(shares)) for share in shares]


def _fill(made: _Row, row: Sequence[Token], widths: Sequence[Length]) -> None:
    properties = made._tr.get_or_add_trPr()
    properties.append(OxmlElement("w:cantSplit"))
    is_head = row[0].attrs.get("scope") == "col"
    if is_head:
        properties.append(OxmlElement("w:tblHeader"))  # on every page
    for cell, width, written in zip(made.cells, widths, row, strict=True):
        cell.width = width
        paragraph = cell.paragraphs[0]
        paragraph.style = "Table Text"
        paragraph.alignment = _ALIGNMENTS.get(str(written.attrs.get("class")))
        add_text(paragraph, written, bold=written.tag == "th")
        if is_head:
            _shade(cell)


def _shade(cell: _Cell) -> None:
    shade = f'<w:shd {nsdecls("w")} w:val="clear" w:color="auto" w:fill="F3F6F9"/>'
    cell._tc.get_or_add_tcPr().append(parse_xml(shade))
