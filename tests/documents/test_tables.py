"""Tables are those of the parser's own rule, in one token."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.documents.errors import DocumentTooLargeError
from app.documents.fragments import as_fragment
from app.documents.markdown import parse
from app.documents.tables import MAX_FILLED, Table, table, table_of
from tests.support.documents import section

_BITS = (
    *("|", "|", "|", "-", "--", ":", "\n", "\n", " ", "\t", "    ", "\u00a0", "\f"),
    *("a", "b", "\\", "`", "> ", "- ", "# ", "***\n"),
    *("|-|\n", "|a|b|\n|:-|-:|\n", "| | |\n|-|-|\n"),
)
_written = st.lists(st.sampled_from(_BITS), max_size=40).map("".join)


_Comparable = list[tuple[object, ...]]


def theirs(text: str) -> _Comparable:
    """Kind and text of each token; of a table, the alignments and the text of each row."""
    comparable: _Comparable = []
    alignments: list[str] = []
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        match token.type:
            case "table_open":
                rows = []
            case "tr_open":
                rows.append([])
                alignments = []
            case "th_open" | "td_open":
                alignments.append(str(token.attrs.get("style", "")).removeprefix("text-align:"))
            case "inline" if rows:
                rows[-1].append(token.content)
            case "table_close":
                comparable.append(("table", alignments, rows))
                rows = []
            case "thead_open" | "thead_close" | "tbody_open" | "tbody_close":
                pass
            case "tr_close" | "th_close" | "td_close":
                pass
            case _:
                comparable.append((token.type, token.content))
    return comparable


def ours(text: str) -> _Comparable:
    """The same of our rule, with an empty head where there is none."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.block.ruler.at("table", table, {"alt": ["paragraph", "reference"]})
    return [
        written(table_of(token)) if token.type == "table" else (token.type, token.content)
        for token in parser.parse(text)
    ]


def written(read: Table) -> tuple[object, ...]:
    rows = [[cell.content for cell in row] for row in read.rows]
    head = [cell.content for cell in read.head] or [""] * len(read.alignments)
    return "table", read.alignments, [head, *rows]


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
        ("table", ["center", ""], [["a", "b"], ["c", ""]])
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
