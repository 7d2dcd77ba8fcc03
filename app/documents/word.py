"""The document for Word, written by python-docx: for whoever goes on writing in it.

It is made of the same tokens as the page, and looks alike. The same document gives the same bytes:
its dates are those of the composition, and the files in its archive have none.

Importing this module refuses with FormatUnavailableError where python-docx is missing.
"""

from importlib import resources
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from app.documents.errors import FormatUnavailableError
from app.documents.markdown import parse
from app.documents.models import Document, Provenance
from app.documents.provenance import (
    HEADING,
    PREVIEW,
    byline,
    digest_line,
    how_to_verify,
    statements,
)

try:
    import docx
    from docx.document import Document as Word
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml.ns import nsdecls
    from docx.oxml.parser import parse_xml
    from docx.shared import Mm, Pt
    from docx.text.paragraph import Paragraph

    from app.documents.word_blocks import Blocks
    from app.documents.word_text import readable
except ImportError as error:
    raise FormatUnavailableError(
        "Word documents need python-docx, which comes with product-factory[documents]."
    ) from error

_STYLES = (resources.files("app.documents") / "word_styles.xml").read_bytes()
_LONGEST_PROPERTY = 255


def as_docx(document: Document) -> bytes:
    """The document as DOCX. Refuses with DocumentTooLargeError what nests too deeply."""
    manuscript = parse(document.sections)
    title = readable(manuscript.title)
    word = _empty()
    _describe(word, title, document.provenance)
    word.add_paragraph(title, style="Title")
    word.add_paragraph(readable(byline(document)), style="Subtitle")
    blocks = Blocks(word)
    for tokens in manuscript.parts:
        blocks.write(tokens)
    if document.provenance:
        _tell(word, document.provenance)
    _foot(word, title, document.provenance)
    return _packed(word)


def _empty() -> Word:
    """A document of ours: A4, our styles, and no picture of another one."""
    word = docx.Document()
    word.styles.element[:] = parse_xml(_STYLES)[:]
    [page] = word.sections
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(18)
    page.top_margin = page.bottom_margin = Mm(20)
    package = word.part.package
    [thumbnail] = [
        name
        for name, relationship in package.rels.items()
        if relationship.reltype == RELATIONSHIP_TYPE.THUMBNAIL
    ]
    del package.rels[thumbnail]
    return word


def _describe(word: Word, title: str, provenance: Provenance | None) -> None:
    properties = word.core_properties
    properties._element.clear()
    properties.title = title[:_LONGEST_PROPERTY]
    if provenance:
        properties.author = provenance.template_key
        properties.created = properties.modified = provenance.composed_at


def _tell(word: Word, provenance: Provenance) -> None:
    heading = word.add_paragraph(style="Provenance")
    heading.paragraph_format.space_before = Pt(30)
    heading.add_run(HEADING).bold = True
    for name, value in statements(provenance):
        word.add_paragraph(readable(f"{name}\t{value}"), style="Provenance")
    last = word.add_paragraph(readable(how_to_verify(provenance)), style="Provenance")
    last.paragraph_format.keep_with_next = False


def _foot(word: Word, title: str, provenance: Provenance | None) -> None:
    """The foot of every page: the title and the page, and what the whole is verified by."""
    footer = word.sections[0].footer
    [line] = footer.paragraphs
    line.add_run(f"{title}\tPage ")
    _field(line, "PAGE")
    line.add_run(" of ")
    _field(line, "NUMPAGES")
    footer.add_paragraph(digest_line(provenance) if provenance else PREVIEW, style="Footer")


def _field(paragraph: Paragraph, name: str) -> None:
    """A number that Word fills in."""
    field = f'<w:fldSimple {nsdecls("w")} w:instr="{name}"><w:r><w:t>1</w:t></w:r></w:fldSimple>'
    paragraph._p.append(parse_xml(field))


def _packed(word: Word) -> bytes:
    saved, packed = BytesIO(), BytesIO()
    word.save(saved)
    with ZipFile(saved) as dated, ZipFile(packed, "w", ZIP_DEFLATED) as undated:
        for name in dated.namelist():
            undated.writestr(ZipInfo(name), dated.read(name), ZIP_DEFLATED)
    return packed.getvalue()
