"""Markdown becomes one document with one title, and HTML that is safe to show whatever it says."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html  # type: ignore[import-untyped]
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.documents.errors import DocumentTooLargeError
from app.documents.fragments import as_fragment
from app.documents.markdown import Chapter, parse, plain_text
from app.documents.models import MAX_BYTES
from tests.support.documents import document, section


def fragment(text: str) -> str:
    """The HTML of a section that is not the first, and so has no title to give."""
    return as_fragment(parse([section("# Title"), section(text, 2)]).parts[1]).strip()


def headings(*texts: str) -> list[tuple[str, str, str]]:
    """Level, id and text of each heading but the title."""
    manuscript = parse(document(*texts).sections)
    return [
        (token.tag, str(token.attrs["id"]), plain_text(tokens[i + 1]))
        for tokens in manuscript.parts
        for i, token in enumerate(tokens)
        if token.type == "heading_open"
    ]


# ------------------------------------------------------------------------ title and chapters


@pytest.mark.parametrize(
    ("first", "title"),
    [
        ("# Aurora: status report\n\nText.", "Aurora: status report"),
        ("\n\n# Bold **and** `code`\nText.", "Bold and code"),
        ("Aurora\n===\n\nText.", "Aurora"),
        ("# One\n\n# Two", "One"),
        ("Text first.\n\n# Late", "Piece 1"),
        ("## Only a chapter", "Piece 1"),
        ("> # Quoted", "Piece 1"),
        ("#\n\nText.", "Piece 1"),
        ("", "Piece 1"),
    ],
)
def test_the_title_is_what_the_first_section_begins_with(first: str, title: str) -> None:
    manuscript = parse(document(first, "# Another section").sections)

    assert manuscript.title == title
    assert "h1" not in {token.tag for tokens in manuscript.parts for token in tokens}


def test_the_title_is_taken_out_of_the_text() -> None:
    [tokens] = parse([section("# Title\n\nText.")]).parts

    assert as_fragment(tokens) == "<p>Text.</p>\n"


def test_a_further_level_1_heading_makes_a_chapter_of_the_rest_of_its_section_only() -> None:
    assert headings(
        "# Title\n## Before\n# Chapter\n## Inside\n###### Deepest",
        "## Plain\n### Below",
        "# Piece of another document\n## Inside",
    ) == [
        ("h2", "before", "Before"),
        ("h2", "chapter", "Chapter"),
        ("h3", "inside", "Inside"),
        ("h6", "deepest", "Deepest"),
        ("h2", "plain", "Plain"),
        ("h3", "below", "Below"),
        ("h2", "piece-of-another-document", "Piece of another document"),
        ("h3", "inside-1", "Inside"),
    ]


def test_chapters_are_headings_of_level_2_outside_of_lists_and_quotes() -> None:
    manuscript = parse(document("# T\n## A *b*\n### C\n> ## D\n\n- ## E", "# F").sections)

    assert list(manuscript.chapters()) == [Chapter("a-b", "A b"), Chapter("f", "F")]


def test_ids_of_headings_are_unique_and_never_that_of_the_table_of_contents() -> None:
    texts = ["Next", "Next-1", "Next", "Next", "Contents", "!?", "Über uns", "x" * 200, "x" * 200]

    ids = [id_ for _, id_, _ in headings("# T\n" + "\n".join(f"## {text}" for text in texts))]

    assert ids == [
        "next",
        "next-1",
        "next-2",
        "next-3",
        "contents-1",
        "section",
        "über-uns",
        "x" * 80,
        "x" * 80 + "-1",
    ]


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "text/html"])
def test_a_section_of_another_type_is_shown_as_it_is(media_type: str) -> None:
    other = section("{{ <b># x</b>\n", 2, media_type)

    assert parse([other]).title == "Piece 2"
    assert as_fragment(parse([section("# T"), other]).parts[1]) == (
        '<h2 id="piece-2">Piece 2</h2>\n<pre><code>{{ &lt;b&gt;# x&lt;/b&gt;\n</code></pre>\n'
    )


# ----------------------------------------------------------------------------------- tables


def test_cells_of_a_head_say_what_they_are_the_head_of() -> None:
    assert fragment("| a | b |\n|---|--:|\n| 1 | 2 |") == (
        '<div class="table"><table>\n<thead>\n<tr>\n'
        '<th scope="col">a</th>\n<th scope="col" class="right">b</th>\n'
        "</tr>\n</thead>\n<tbody>\n<tr>\n"
        '<td>1</td>\n<td class="right">2</td>\n'
        "</tr>\n</tbody>\n</table>\n</div>"
    )


def test_a_cell_with_a_long_word_says_so() -> None:
    shown = fragment(f"| {'a' * 21} | b {'c' * 20} |\n|---|--:|\n| d e | `{'f' * 20}` |")

    assert re.findall(r"<t[hd]\b.*?>", shown) == [
        '<th scope="col" class="long">',
        '<th scope="col" class="right">',
        "<td>",
        '<td class="right long">',
    ]


def test_a_table_with_an_empty_head_names_its_rows() -> None:
    assert fragment("| | |\n|---|---|\n| Lead | Nowak |") == (
        '<div class="table"><table class="facts">\n<tbody>\n<tr>\n'
        '<th scope="row">Lead</th>\n<td>Nowak</td>\n'
        "</tr>\n</tbody>\n</table>\n</div>"
    )


def test_a_table_that_is_nothing_but_an_empty_head_is_empty() -> None:
    assert (
        fragment("| | |\n|---|---|") == '<div class="table"><table class="facts"></table>\n</div>'
    )


# -------------------------------------------------------------------------------- sanitising


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # HTML, wherever it stands, is text.
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("a <b onclick=x>b</b>", "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>"),
        ("<!-- a -->", "<p>&lt;!-- a --&gt;</p>"),
        ("**<i>**", "<p><strong>&lt;i&gt;</strong></p>"),
        ("`<i>`", "<p><code>&lt;i&gt;</code></p>"),
        ("```<i>\n<i>\n```", "<pre><code>&lt;i&gt;\n</code></pre>"),
        ("- <i>", "<ul>\n<li>&lt;i&gt;</li>\n</ul>"),
        ("> <i>", "<blockquote>\n<p>&lt;i&gt;</p>\n</blockquote>"),
        ("## <i>", '<h2 id="i">&lt;i&gt;</h2>'),
        ("&lt;i&gt; &#60;i>", "<p>&lt;i&gt; &lt;i&gt;</p>"),
        ("\\<i>", "<p>&lt;i&gt;</p>"),
        # A link leads to the web, to a mailbox or into the document.
        ("[a](https://a.b/?c=d&e)", '<p><a href="https://a.b/?c=d&amp;e" rel="R">a</a></p>'),
        ("[a](mailto:a@b.c)", '<p><a href="mailto:a@b.c" rel="R">a</a></p>'),
        ("<https://a.b>", '<p><a href="https://a.b" rel="R">https://a.b</a></p>'),
        ("<a@b.c>", '<p><a href="mailto:a@b.c" rel="R">a@b.c</a></p>'),
        ("[a](#b)", '<p><a href="#b" rel="R">a</a></p>'),
        ('[a](#b "\\"><i>")', '<p><a href="#b" title="&quot;&gt;&lt;i&gt;" rel="R">a</a></p>'),
        ('[a](https://b"onclick=x)', '<p><a href="https://b%22onclick=x" rel="R">a</a></p>'),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](JavaScript:x)", "<p>[a](JavaScript:x)</p>"),
        ("[a](&#106;avascript:x)", "<p>[a](javascript:x)</p>"),
        ("[a](java\tscript:x)", "<p>[a](java\tscript:x)</p>"),
        ("[a](vbscript:x)", "<p>[a](vbscript:x)</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        ("[a](file:///etc/passwd)", "<p>[a](file:///etc/passwd)</p>"),
        ("[a](//b.c)", "<p>[a](//b.c)</p>"),
        ("[a](/livez)", "<p>[a](/livez)</p>"),
        ("[a]\n\n[a]: javascript:x", "<p>[a]</p>\n<p>[a]: javascript:x</p>"),
        ("<javascript:x>", "<p>&lt;javascript:x&gt;</p>"),
        # An image is its alternative text.
        ("![a *b*](https://c.d/e.png)", "<p>a b</p>"),
        ("![](https://c.d/e.png)", "<p></p>"),
        ("![<i>](data:image/png;base64,AA)", "<p>![&lt;i&gt;](data:image/png;base64,AA)</p>"),
        ("[![a](https://b/c)](https://d)", '<p><a href="https://d" rel="R">a</a></p>'),
        # What nothing is known of is text.
        ("a\x00b\x1bc", "<p>a\ufffdb\x1bc</p>"),
        ("{{ 7 * 7 }}", "<p>{{ 7 * 7 }}</p>"),
    ],
)
def test_what_is_dangerous_is_text(text: str, shown: str) -> None:
    assert fragment(text) == shown.replace('rel="R"', 'rel="noopener noreferrer"')


def test_boxes_of_tasks_have_a_name_and_can_not_be_changed() -> None:
    box = '<li class="task-list-item"><input type="checkbox" aria-label="Done" disabled=""'

    assert fragment("- [ ] open\n- [x] done") == (
        f'<ul class="contains-task-list">\n{box}> open</li>\n{box} checked=""> done</li>\n</ul>'
    )


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("<script>alert(1)</script><style>a{}</style>", ""),
        ("<img src=x onerror=x><svg onload=x></svg><iframe src=//a></iframe>", ""),
        ('<p onclick="x" style="x" class="x" id="x">a</p>', "<p>a</p>"),
        ('<a href="javascript:x" target="_top">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<a href="/livez">a</a>', '<a rel="noopener noreferrer">a</a>'),
        ('<input type="image" src="https://a" formaction="https://a">', "<input>"),
        ('<form action="https://a"><button>a</button></form>', "a"),
        ('<meta http-equiv="refresh" content="0"><base href="https://a"><link href="a">', ""),
        ("<math><mtext><table><mglyph><style><img src=x onerror=x>", ""),
    ],
)
def test_what_the_renderer_writes_is_cleaned_all_the_same(written: str, left: str) -> None:
    assert as_fragment([Token("html_block", "", 0, content=written)]) == left


@given(st.text(alphabet=string.ascii_letters[:3] + " \n\t*_`~\\&;#<>[]()!:/\"'=|-+.1\u00e9\u2028"))
def test_no_text_makes_anything_but_what_is_allowed(text: str) -> None:
    allowed = {"href", "title", "rel", "id", "class", "scope", "start", "type"}
    allowed |= {"aria-label", "disabled", "checked"}

    for element in html.fragment_fromstring(fragment(text), create_parent="div").iter():
        assert isinstance(element.tag, str)
        assert element.tag not in {"script", "style", "img", "iframe", "form", "object", "svg"}
        assert set(element.attrib) <= allowed
        assert element.get("href", "#").startswith(("#", "http:", "https:", "mailto:"))


@given(st.text(alphabet="ab *_`~\\&;<.,!?:@+%{>\n"))
def test_text_that_is_not_marked_up_is_parsed_as_ever(text: str) -> None:
    """The parser of ours passes by the rules where none applies, and nowhere else."""
    stock = MarkdownIt("commonmark", {"html": False, "tasklists": True})
    stock.enable(["strikethrough", "table"])
    ours = parse([section(text)]).parts[0]

    for token in ours:
        if token.type == "inline" and token.content and not token.children:
            token.children = [Token("text", "", 0, content=token.content)]
    assert list(ours) == stock.parse(text)


# ------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (">" * 19 + " a", True),
        (">" * 20 + " a", False),
        ("\n".join("  " * depth + "- a" for depth in range(9)), True),
        ("\n".join("  " * depth + "- a" for depth in range(10)), False),
        (">" * 100_000, False),
        ("1. " * 100_000, False),
    ],
)
def test_what_nests_too_deeply_is_refused_and_not_left_out(text: str, allowed: bool) -> None:
    if allowed:
        assert "a" in fragment(text)
    else:
        with pytest.raises(DocumentTooLargeError, match="Section 2 nests lists or quotes deeper"):
            fragment(text)


def test_rows_that_leave_out_a_few_cells_are_filled_up() -> None:
    filled = fragment("| a | b | c | d | e |\n|---|---|---|---|---|\n" + "| 1 |\n" * 20)

    assert filled.count("<td>") == 100


@pytest.mark.parametrize("tables", [1, 10])
def test_tables_that_are_hardly_written_are_refused_before_they_are_filled_up(tables: int) -> None:
    columns = "|" + "a|" * 60
    text = f"{columns}\n{columns.replace('a', '-')}\n" + "|\n" * 200

    with pytest.raises(DocumentTooLargeError, match="leave out more cells"):
        fragment("\n".join([text] * tables))


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "![",
        "[a](",
        "*a_ ",
        "_a*",
        "`a``",
        "~~a",
        "\\",
        "<a@b.",
        "&#35;",
        "a|",
        "# a\n",
        "- a\n",
    ],
)
def test_few_characters_repeated_stay_few_levels_of_a_tree(text: str) -> None:
    """They made parsers of Markdown slow or recurse; here they are text, and nothing is lost."""
    repeated = fragment(text * 2000)

    assert len(repeated) > 1000


def test_a_document_has_a_mebibyte_of_text_at_most() -> None:
    half = "ä" * (MAX_BYTES // 4)

    assert document(half, half).size == MAX_BYTES
    with pytest.raises(DocumentTooLargeError) as refused:
        document(half, half, "b")
    assert str(refused.value) == (
        "The document has 1,048,577 bytes of text; at most 1,048,576 are rendered."
    )
