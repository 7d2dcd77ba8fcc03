"""The document as one page of HTML: to be read, on a telephone too, to be printed, or to be sent.

The page is one file. It runs no script and refers to nothing outside of it but by links that a
reader may follow; CONTENT_SECURITY_POLICY lets a browser hold it to that.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources

from app.documents.fragments import as_fragment
from app.documents.markdown import Chapter, Manuscript, parse
from app.documents.models import Document, Provenance
from app.documents.provenance import HEADING, byline, how_to_verify, statements

_STYLE = (resources.files("app.documents") / "page.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
"""For whoever serves the page: its own style, and nothing else."""

FEWEST_CHAPTERS = 3
"""With fewer, a table of contents says nothing that can't be seen."""


def as_page(document: Document) -> str:
    """The page. Refuses with DocumentTooLargeError what nests too deeply."""
    return "".join(_page(document, parse(document.sections)))


def _page(document: Document, manuscript: Manuscript) -> Iterator[str]:
    title = escape(manuscript.title)
    yield f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
"""
    if document.provenance:
        yield from _metadata(document.provenance)
    yield f"""\
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{escape(byline(document))}</p>
</header>
"""
    yield from _contents(tuple(manuscript.chapters()))
    yield "<main>\n"
    for tokens in manuscript.parts:
        yield f"<section>\n{as_fragment(tokens)}</section>\n"
    yield "</main>\n"
    if document.provenance:
        yield from _footer(document.provenance)
    yield "</body>\n</html>\n"


def _metadata(provenance: Provenance) -> Iterator[str]:
    at = f"{provenance.composed_at:%Y-%m-%dT%H:%M:%SZ}"
    yield f'<meta name="author" content="{escape(provenance.template_key)}">\n'
    yield f'<meta name="dcterms.created" content="{at}">\n'
    yield f'<meta name="dcterms.modified" content="{at}">\n'


def _contents(chapters: Sequence[Chapter]) -> Iterator[str]:
    if len(chapters) >= FEWEST_CHAPTERS:
        yield '<nav aria-labelledby="contents">\n<h2 id="contents">Contents</h2>\n<ol>\n'
        for chapter in chapters:
            yield f'<li><a href="#{escape(chapter.id)}">{escape(chapter.text)}</a></li>\n'
        yield "</ol>\n</nav>\n"


def _footer(provenance: Provenance) -> Iterator[str]:
    yield f"<footer>\n<h2>{HEADING}</h2>\n<dl>\n"
    for name, value in statements(provenance):
        yield f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>\n"
    yield f"</dl>\n<p>{escape(how_to_verify(provenance))}</p>\n</footer>\n"
