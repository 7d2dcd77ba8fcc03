"""From tokens to HTML that is safe to show, whatever the pieces and the data say.

The renderer escapes all text already. What it writes is cleaned all the same, by an allow-list that
knows nothing of it (2-design §13): a defect in one of the two does no harm.
"""

import re
from collections.abc import Iterator, Sequence

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from app.documents.tables import Cell, table_of

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


_Column = tuple[str, str, str]
"""Of a column's cells: the name of their tag, the tag, and the tag of one with a long word."""


def _column(tag: str, alignment: str, scope: str = "") -> _Column:
    named = f'<{tag} scope="{scope}"' if scope else f"<{tag}"
    if not alignment:
        return tag, f"{named}>", f'{named} class="long">'
    return tag, f'{named} class="{alignment}">', f'{named} class="{alignment} long">'


class _Renderer(RendererHTML):
    """The parser's own renderer, but for what a page needs otherwise."""

    def render(self, tokens: Sequence[Token], options: OptionsDict, env: EnvType) -> str:
        """The HTML of a section. As of the parser's own, but that text may have no children."""
        written: list[str] = []
        for idx, token in enumerate(tokens):
            if token.type == "inline":
                written.append(self._text(token, options, env))
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

    def table(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """A table in a box, which can be scrolled where the table is wider than a telephone."""
        table = table_of(tokens[idx])
        columns = [_column("td", alignment) for alignment in table.alignments]
        written = ['<div class="table">']
        if idx and tokens[idx - 1].hidden:
            written.append("\n")
        if table.head:
            heads = [_column("th", alignment, "col") for alignment in table.alignments]
            written.append("<table>\n<thead>\n")
            written += self._rows([table.head], heads, options, env)
            written.append("</thead>\n")
        else:
            columns[0] = _column("th", table.alignments[0], "row")
            written.append('<table class="facts">' + ("\n" if table.rows else ""))
        if table.rows:
            written.append("<tbody>\n")
            written += self._rows(table.rows, columns, options, env)
            written.append("</tbody>\n")
        written.append("</table>\n</div>\n")
        return "".join(written)

    def _rows(
        self,
        rows: Sequence[Sequence[Cell]],
        columns: Sequence[_Column],
        options: OptionsDict,
        env: EnvType,
    ) -> Iterator[str]:
        for row in rows:
            yield "<tr>\n"
            for cell, (tag, plain, long) in zip(row, columns, strict=True):
                opening = long if _LONG_WORD.search(cell.content) else plain
                yield f"{opening}{self._text(cell, options, env)}</{tag}>\n"
            yield "</tr>\n"

    def _text(self, inline: Token | Cell, options: OptionsDict, env: EnvType) -> str:
        """What is marked up, or else just text."""
        if inline.children:
            return self.renderInline(inline.children, options, env)
        return escapeHtml(inline.content)

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
