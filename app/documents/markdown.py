"""From the text of the sections to one manuscript: a title, and the tokens that formats render.

The language is CommonMark with GitHub's tables, task lists and strikethrough, without HTML: what
looks like a tag is text. A link leads to the web, to a mailbox or to a heading of the document; any
other is text too. An image is its alternative text, since nothing is ever fetched.

Pieces that were written apart make one document by three rules:

    title      the level-1 heading that the first section begins with, which is taken out of the
               text; without one, the title of that section's piece
    chapters   a level-1 heading that remains makes a chapter of what follows it in its section:
               all headings from there on stand one level lower
    other      a section that is no Markdown is shown as it is, as code, below the title of its
    types      piece as a level-1 heading

So level 1 is the title alone. And a table whose head is empty states facts: each of its rows has a
name, and its columns have none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from app.documents.blocks import block
from app.documents.errors import DocumentTooLargeError
from app.documents.models import MARKDOWN, Section
from app.documents.tables import Cell, table, table_of

MAX_NESTING = 20
"""Levels of lists and quotes, of which an item has one too. It also bounds what a character costs:
for each `[` the parser looks ahead once per level that may still come."""

_HEADING = 3
"""The tokens of a heading: where it opens, its text, and where it closes."""

_MARKS = re.compile(r"[\n!&*<\[\\\]_`~]")
"""What the rules for inline text react to. The parser stops at others, too, for the sake of rules
that it might have: at each hyphen, colon and `@`."""

_TEXTS = frozenset({"text", "text_special", "image"})
_CONTAINERS = frozenset({"blockquote_open", "list_item_open"})
_LINK = re.compile(r"#|https?://|mailto:", re.IGNORECASE)
_NOT_IN_AN_ID = re.compile(r"[^\w -]")
_LONGEST_ID = 80


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading of level 2: its text, and the id that leads to it."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Manuscript:
    """The title, and the tokens of each section; the ids of headings are unique among them."""

    title: str
    parts: tuple[Sequence[Token], ...]

    def chapters(self) -> Iterator[Chapter]:
        """The headings of level 2 that stand in no list or quote, in order."""
        for tokens in self.parts:
            for token, content in pairwise(tokens):
                if token.type == "heading_open" and token.tag == "h2" and token.level == 0:
                    yield Chapter(str(token.attrs["id"]), plain_text(content))


def parse(sections: Sequence[Section]) -> Manuscript:
    """The manuscript of one section or more.

    Refuses with DocumentTooLargeError what nests deeper than MAX_NESTING, which the parser would
    leave out without a word, and tables that are hardly written.
    """
    parts = [_tokens(section) for section in sections]
    title = _opening_title(parts[0])
    if title is not None:
        del parts[0][:_HEADING]
    ids = {"contents": 0}
    for tokens in parts:
        _lower_chapters(tokens)
        _name_headings(tokens, ids)
    return Manuscript(title or sections[0].title, tuple(parts))


def begins_with_title(section: Section) -> bool:
    """Whether a first section that is shown as it is would show the document's title."""
    return section.media_type != MARKDOWN or bool(_opening_title(_parser.parse(section.text)))


def plain_text(inline: Token | Cell) -> str:
    """The text of an inline token or a cell, without what is marked up in it."""
    if not inline.children:
        return inline.content
    return "".join(
        " " if child.type in {"softbreak", "hardbreak"} else child.content
        for child in inline.children
    ).strip()


def _tokens(section: Section) -> list[Token]:
    if section.media_type != MARKDOWN:
        return [
            Token("heading_open", "h1", 1, block=True),
            Token("inline", "", 0, content=section.title),
            Token("heading_close", "h1", -1, block=True),
            Token("code_block", "code", 0, content=section.text, block=True),
        ]
    tokens = _parser.parse(section.text)
    if any(token.level >= MAX_NESTING - 1 and token.type in _CONTAINERS for token in tokens):
        raise DocumentTooLargeError(
            f"Section {section.position} nests lists or quotes deeper than {MAX_NESTING - 1} levels"
            " (a list in a list counts as two)."
        )
    return tokens


def _opening_title(tokens: Sequence[Token]) -> str | None:
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return plain_text(tokens[1])
    return None


def _lower_chapters(tokens: Sequence[Token]) -> None:
    in_chapter = False
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            in_chapter = in_chapter or token.tag == "h1"
            if in_chapter:
                token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"


def _name_headings(tokens: Sequence[Token], ids: dict[str, int]) -> None:
    """Give each heading an id made of its text, and a number where others have the same.

    `ids` holds those that are given already, each with the last number that was tried for it.
    """
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            text = _NOT_IN_AN_ID.sub("", plain_text(content).lower())
            name = unique = text[:_LONGEST_ID].strip().replace(" ", "-") or "section"
            while unique in ids:
                ids[name] += 1
                unique = f"{name}-{ids[name]}"
            ids[unique] = 0
            token.attrs["id"] = unique


def _parse_inline(state: StateCore) -> None:
    """Parse what may be marked up. Most cells of tables may not, and have no children."""
    for inline in _inlines(state.tokens):
        if _MARKS.search(inline.content):
            children: list[Token] = []
            state.md.inline.parse(inline.content, state.md, state.env, children)
            inline.children = list(_joined(children))


def _inlines(tokens: Sequence[Token]) -> Iterator[Token | Cell]:
    for token in tokens:
        if token.type == "inline":
            yield token
        elif token.type == "table":
            yield from table_of(token).cells()


def _joined(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tokens with one for each run of text, whether it is as written, escaped or an image's.

    The text of an image is the alternative one, without what is marked up in it.
    """
    for is_text, run in groupby(tokens, lambda token: token.type in _TEXTS):
        if is_text:
            texts = list(run)
            texts[0].content = "".join(
                plain_text(text) if text.type == "image" else text.content for text in texts
            )
            texts[0].type = "text"
            yield texts[0]
        else:
            yield from run


class _Parser(MarkdownIt):
    """The parser with the links that a document may have."""

    def __init__(self) -> None:
        super().__init__(
            "commonmark", {"html": False, "maxNesting": MAX_NESTING, "tasklists": True}
        )
        self.enable(["strikethrough", "table"])
        self.disable(["html_block", "html_inline", "text_join"])
        self.block.ruler.at("table", table, {"alt": ["paragraph", "reference"]})
        self.block.ruler.before("table", "block", block)
        self.core.ruler.at("inline", _parse_inline)
        self.inline.terminator_re = _MARKS

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the parser asks for it by this name
        """Whether the URL may be linked to."""
        return _LINK.match(url) is not None


_parser = _Parser()
