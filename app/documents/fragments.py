"""From tokens to HTML that is safe to show, whatever the pieces and the data say.

The renderer escapes all text already. What it writes is cleaned all the same, by an allow-list that
knows nothing of it (2-design §13): a defect in one of the two does no harm.
"""

import re
from collections.abc import Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

_HEADINGS = frozenset({"h2", "h3", "h4", "h5", "h6"})
_CELLS = frozenset({"td", "th"})
_BLOCKS = frozenset({"blockquote", "div", "hr", "li", "ol", "p", "pre", "ul"})
_INLINE = frozenset({"a", "br", "code", "em", "input", "s", "strong"})
_TABLE = frozenset({"table", "tbody", "thead", "tr"})

_LONG_WORD = re.compile(r"\S{21}")
"""A word that may be wider than its column's share of the paper."""

_cleaner = nh3.Cleaner(
    tags=_BLOCKS | _INLINE | _HEADINGS | _TABLE | _CELLS,
    attributes={
        "a": {"href", "title"},
        "input": {"aria-label", "checked", "disabled"},
        "ol": {"start"},
        **{heading: {"id"} for heading in _HEADINGS},
    },
    tag_attribute_values={
        "input": {"type": {"checkbox"}},
        "th": {"scope": {"col", "row"}},
    },
    allowed_classes={
        "div": {"table"},
        "li": {"task-list-item"},
        "ol": {"contains-task-list"},
        "table": {"facts"},
        "ul": {"contains-task-list"},
        **{cell: {"center", "left", "long", "right"} for cell in _CELLS},
    },
    url_schemes={"http", "https", "mailto"},
    # Of the relative URLs, those that stay in the document.
    url_relative=lambda url: url if url.startswith("#") else None,
    link_rel="noopener noreferrer",
)


def as_fragment(tokens: Sequence[Token]) -> str:
    """The HTML of a section's tokens, clean."""
    return _cleaner.clean(_html.renderer.render(tokens, _html.options, {}))


class _Renderer(RendererHTML):
    """The parser's own renderer, but for what a page needs otherwise."""

    def render(self, tokens: Sequence[Token], options: OptionsDict, env: EnvType) -> str:
        """The HTML of a section. As of the parser's own, but that text with a tag is a cell."""
        written: list[str] = []
        for idx, token in enumerate(tokens):
            if token.type == "inline":
                text = self._text(token, options, env)
                written.append(self._cell(token, text) if token.tag else text)
            elif rule := self.rules.get(token.type):
                written.append(rule(tokens, idx, options, env))
            else:
                written.append(self.renderToken(tokens, idx, options, env))
        return "".join(written)

    def renderToken(  # noqa: N802 - by this name the renderer asks
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A tag. Most of those in a text say nothing but their name."""
        token = tokens[idx]
        if token.block or token.attrs or token.nesting == 0:
            return super().renderToken(tokens, idx, options, env)
        return f"<{token.tag}>" if token.nesting > 0 else f"</{token.tag}>"

    def _text(self, token: Token, options: OptionsDict, env: EnvType) -> str:
        """What is marked up, or else just text."""
        if token.children:
            return self.renderInline(token.children, options, env)
        return escapeHtml(token.content)

    def _cell(self, cell: Token, text: str) -> str:
        """A cell; one with a long word says so, since paper may have no room for that."""
        if _LONG_WORD.search(cell.content):
            cell.attrJoin("class", "long")
        attributes = self.renderAttrs(cell) if cell.attrs else ""
        return f"<{cell.tag}{attributes}>{text}</{cell.tag}>\n"

    def table_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """A table in a box, which can be scrolled where the table is wider than a telephone."""
        return '<div class="table">' + self.renderToken(tokens, idx, options, env)

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """The end of the table, and of its box."""
        return self.renderToken(tokens, idx, options, env) + "</div>\n"

    def tr_open(self, *_: object) -> str:
        """A row."""
        return "<tr>\n"

    def tr_close(self, *_: object) -> str:
        """The end of a row."""
        return "</tr>\n"

    def list_item_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
    ) -> str:
        """An item; one of a task list begins with a box that has a name for those who hear it."""
        opening = self.renderToken(tokens, idx, options, env)
        checked = tokens[idx].meta.get("checked")
        if checked is None:
            return opening
        state = " checked" if checked else ""
        return f'{opening}<input type="checkbox" aria-label="Done" disabled{state}> '


_html = MarkdownIt("commonmark", renderer_cls=_Renderer)
