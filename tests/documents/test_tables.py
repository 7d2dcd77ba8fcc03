"""Tables are those of the parser's own rule, in other tokens."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.documents.errors import DocumentTooLargeError
from app.documents.fragments import as_fragment
from app.documents.markdown import parse
from app.documents.tables import MAX_FILLED, table
from tests.support.documents import section

_ROWS = frozenset({"thead_open", "thead_close", "tbody_open", "tbody_close"})

_BITS = (
    *("|", "|", "|", "-", "--", ":", "\n", "\n", " ", "\t", "    ", "\u00a0", "\f"),
    *("a", "b", "\\", "`", "> ", "- ", "# ", "***\n"),
    *("|-|\n", "|a|b|\n|:-|-:|\n", "| | |\n|-|-|\n"),
)
_written = st.lists(st.sampled_from(_BITS), max_size=40).map("".join)


def theirs(text: str) -> list[tuple[str, ...]]:
    return list(comparable(MarkdownIt("commonmark").enable("table").parse(text)))


def ours(text: str) -> list[tuple[str, ...]]:
    parser = MarkdownIt("commonmark").enable("table")
    parser.block.ruler.at("table", table, {"alt": ["paragraph", "reference"]})
    return list(comparable(parser.parse(text)))


def comparable(tokens: Sequence[Token]) -> Iterator[tuple[str, ...]]:
    """Kind, text and alignment of each token, whether or not an empty head was left out.

    Of a cell that is one token as of the parser's three.
    """
    for i, token in enumerate(tokens):
        if token.type == "thead_open":
            end = next(j for j in range(i, len(tokens)) if tokens[j].type == "thead_close")
            if not any(cell.content for cell in tokens[i:end]):
                yield from comparable(tokens[end + 1 :])
                return
        if token.type not in _ROWS:
            style = str(token.attrs.get("style", "")).removeprefix("text-align:")
            kind = token.type.replace("th_", "td_")
            aligned = style or str(token.attrs.get("class", "")).removeprefix("facts")
            if token.tag in {"td", "th"} and kind == "inline":
                yield from (
                    ("td_open", "", aligned),
                    (kind, token.content, ""),
                    ("td_close", "", ""),
                )
            else:
                yield kind, token.content, aligned


@given(text=_written)
@example("a | b\n--|--\nc")
@example("| a \\| b |\n|---|\n| \\\\| |")
@example("||a|\n|-|-|\n|")
@example("a|\n--\n- b|")
@example("| a |\n|---|\n> b|")
@example("> | a |\n> |---|\n| b |")
@example("|a|\n- -|\n|a|\n:\t:|")
@example("    |a|\n|-|\n|a|\n    |-|")
def test_the_same_texts_are_tables_of_the_same_cells(text: str) -> None:
    assert ours(text) == theirs(text)


def test_a_row_has_a_cell_for_each_column() -> None:
    assert ours("| a | b |\n|:-:|---|\n| c |") == [
        ("table_open", "", ""),
        ("tr_open", "", ""),
        ("td_open", "", "center"),
        ("inline", "a", ""),
        ("td_close", "", ""),
        ("td_open", "", ""),
        ("inline", "b", ""),
        ("td_close", "", ""),
        ("tr_close", "", ""),
        ("tr_open", "", ""),
        ("td_open", "", "center"),
        ("inline", "c", ""),
        ("td_close", "", ""),
        ("td_open", "", ""),
        ("inline", "", ""),
        ("td_close", "", ""),
        ("tr_close", "", ""),
        ("table_close", "", ""),
    ]


def test_rows_leave_out_so_many_cells() -> None:
    columns = 1024
    head = "|" + "a|" * columns + "\n" + "|" + "-|" * columns + "\n"
    rows = MAX_FILLED // (columns - 1)
    filling = " " * MAX_FILLED

    def shown(rows: int) -> str:
        return as_fragment(
            parse([section("# T"), section(head + "|a|\n" * rows + filling, 2)]).parts[1]
        )

    assert shown(rows).count("<td>") == rows * columns
    with pytest.raises(DocumentTooLargeError, match="leave out more cells"):
        shown(rows + 1)
