"""Block tokens as paragraphs and tables of Word."""

from collections.abc import Sequence
from dataclasses import dataclass

from docx.document import Document as Word
from docx.oxml.ns import nsdecls
from docx.oxml.parser import parse_xml
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.shared import Mm
from docx.text.paragraph import Paragraph
from markdown_it.token import Token

from app.documents.tables import table_of
from app.documents.word_tables import add_table
from app.documents.word_text import add_text, readable

INDENT = Mm(6.5)
"""Of each level of a list or a quote."""

_LEVELS = 9
"""Of a list in Word. More are never asked for: MAX_NESTING of `markdown` counts two for each."""

_BULLETS, _NUMBERS = 1, 2


@dataclass(slots=True)
class _List:
    """A list that is open: its number in Word, and the item whose first paragraph comes next."""

    number: int
    item: Token | None = None


class Blocks:
    """Writes the tokens of sections to the end of a document."""

    def __init__(self, word: Word) -> None:
        self._word = word
        self._lists: list[_List] = []
        self._quotes = 0
        self._numbering = word.part.numbering_part.element
        self._numbering[:] = [
            _described(_BULLETS, "bullet", "•"),
            _described(_NUMBERS, "decimal", "%{level}."),
            _list(_BULLETS, _BULLETS),
        ]
        self._last_number = _BULLETS

    def write(self, tokens: Sequence[Token]) -> None:
        """Write a section."""
        walk = iter(tokens)
        for token in walk:
            match token.type:
                case "heading_open":
                    level = int(token.tag[1]) - 1
                    add_text(self._paragraph(f"Heading {level}"), next(walk))
                case "paragraph_open":
                    add_text(self._paragraph(self._style()), next(walk))
                case "fence" | "code_block":
                    self._paragraph("Code").add_run(readable(token.content.rstrip("\n")))
                case "table":
                    add_table(self._word, table_of(token))
                case "hr":
                    _rule(self._paragraph("Normal"))
                case "bullet_list_open":
                    self._lists.append(_List(_BULLETS))
                case "ordered_list_open":
                    self._lists.append(_List(self._numbered(int(token.attrs.get("start", 1)))))
                case "list_item_open":
                    self._lists[-1].item = token
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "blockquote_open" | "blockquote_close":
                    self._quotes += token.nesting

    def _style(self) -> str:
        return "List Paragraph" if self._lists else "Quote" if self._quotes else "Normal"

    def _paragraph(self, style: str) -> Paragraph:
        """A paragraph in its place; the first one of a list's item has the item's mark."""
        paragraph = self._word.add_paragraph(style=style)
        if not self._lists:
            return paragraph
        level = len(self._lists)
        paragraph.paragraph_format.left_indent = INDENT * level
        item, self._lists[-1].item = self._lists[-1].item, None
        if item and "checked" in item.meta:
            paragraph.paragraph_format.first_line_indent = -INDENT
            paragraph.add_run("☑\t" if item.meta["checked"] else "☐\t")
        elif item:
            paragraph.paragraph_format.first_line_indent = -INDENT
            properties = paragraph._p.get_or_add_pPr().get_or_add_numPr()
            properties.get_or_add_ilvl().val = level - 1
            properties.get_or_add_numId().val = self._lists[-1].number
        return paragraph

    def _numbered(self, start: int) -> int:
        """A list of numbers that begins at `start`, whatever the one before has counted to."""
        self._last_number += 1
        level = len(self._lists)
        begin = (
            f'<w:lvlOverride w:ilvl="{level}"><w:startOverride w:val="{start}"/></w:lvlOverride>'
        )
        self._numbering.append(_list(self._last_number, _NUMBERS, begin))
        return self._last_number


def _rule(paragraph: Paragraph) -> None:
    line = '<w:bottom w:val="single" w:sz="4" w:space="1" w:color="D5DBE3"/>'
    border = parse_xml(f"<w:pBdr {nsdecls('w')}>{line}</w:pBdr>")
    paragraph._p.get_or_add_pPr().append(border)


def _list(number: int, kind: int, begin: str = "") -> BaseOxmlElement:
    """A list of a kind, which may begin at another number than 1."""
    kind_of = f'<w:abstractNumId w:val="{kind}"/>'
    return parse_xml(f'<w:num {nsdecls("w")} w:numId="{number}">{kind_of}{begin}</w:num>')


def _described(number: int, kind: str, mark: str) -> BaseOxmlElement:
    """How lists of a kind look, at each of their levels."""
    levels = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
        f'<w:lvlText w:val="{mark.format(level=level + 1)}"/><w:lvlJc w:val="left"/></w:lvl>'
        for level in range(_LEVELS)
    )
    return parse_xml(
        f'<w:abstractNum {nsdecls("w")} w:abstractNumId="{number}">'
        f'<w:multiLevelType w:val="hybridMultilevel"/>{levels}</w:abstractNum>'
    )
