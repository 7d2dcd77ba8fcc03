"""Inline tokens as runs of a paragraph in Word."""

import re

from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.oxml.parser import OxmlElement
from docx.text.paragraph import Paragraph
from docx.text.run import Run
from markdown_it.token import Token

from app.documents.tables import Cell

_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def readable(text: str) -> str:
    """The text, with a mark for each character that XML, and so Word, can't hold."""
    return _NOT_IN_XML.sub("\ufffd", text)


def add_text(paragraph: Paragraph, inline: Token | Cell, *, bold: bool = False) -> None:
    """Add the text of an inline token or a cell, marked up as it is, and bold throughout."""
    marks = {"strong": int(bold), "em": 0, "s": 0}
    href = ""
    for token in inline.children or [Token("text", "", 0, content=inline.content)]:
        match token.type:
            case "text" | "code_inline" | "softbreak":
                text = " " if token.type == "softbreak" else readable(token.content)
                run = paragraph.add_run(text)
                run.bold = marks["strong"] > 0 or None
                run.italic = marks["em"] > 0 or None
                run.font.strike = marks["s"] > 0 or None
                if token.type == "code_inline":
                    run.style = "Inline Code"
                elif href:
                    run.style = "Hyperlink"
                if href:
                    _link(paragraph, run, href)
            case "hardbreak":
                paragraph.add_run().add_break()
            case "link_open":
                href = _outside(str(token.attrs["href"]))
            case "link_close":
                href = ""
            case _:
                marks[token.tag] += token.nesting


def _outside(href: str) -> str:
    """Where a link leads. Headings have no names in Word, so a link to one is just its text."""
    return "" if href.startswith("#") else href


def _link(paragraph: Paragraph, run: Run, href: str) -> None:
    link = OxmlElement("w:hyperlink")
    target = paragraph.part.relate_to(href, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    link.set(qn("r:id"), target)
    run._r.addprevious(link)
    link.append(run._r)
