"""Whatever a text in the data holds, the reader sees that text, wherever an author puts it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.documents.liquid import Flaw
from tests.support.liquid import fill, flaws, unfillable

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

TEXTS = st.text(
    st.one_of(
        st.sampled_from(list("\\`*_{}[]()<>#+-.!|~&;:=/@$%^\"' \t\n\r\x00\x0b\x1f\x7f\x85\u2028")),
        st.sampled_from(list("aZ09é√字🙂\u00a0\ue000\ufffe\ud800")),
        st.characters(exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"),
    ),
    min_size=1,
    max_size=12,
)
"""Mostly of what means something to Markdown, or can't be shown."""


def shown(markdown: str) -> str:
    """The text that a reader sees: of all lines, in order."""
    return "".join(
        "\n" if part.type in {"softbreak", "hardbreak"} else part.content
        for block in MARKDOWN.parse(markdown)
        for part in (block.children or ([block] if block.type in {"fence", "code_block"} else []))
    )


def showable(text: str) -> str:
    """What of a text can be shown: U+FFFD for the rest, and one kind of line break."""
    unshowable = {*range(32), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF}
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join("\ufffd" if ord(c) in unshowable - {9, 10} else c for c in text)


CONTEXTS = {
    "paragraph": ("{{ x }}", "{}"),
    "after a line": ("before\n{{ x }}", "before\n{}"),
    "before a line": ("{{ x }}\nafter", "{}\nafter"),
    "underlined": ("a {{ x }}\n---", "a {}"),
    "within a line": ("a {{ x }} b", "a {} b"),
    "within a word": ("a{{ x }}b", "a{}b"),
    "heading": ("# {{ x }}", "{}"),
    "closed heading": ("## a {{ x }} b ##", "a {} b"),
    "item": ("- {{ x }}", "{}"),
    "numbered item": ("1. {{ x }}", "{}"),
    "quote": ("> {{ x }}", "{}"),
    "table": ("| a | {{ x }}|b |\n|---|---|---|\n| c |{{ x }}| d |", "a{}bc{}d"),
    "in place of a table's head": ("| a\n{{ x }}", "| a\n{}"),
    "link": ("[{{ x }}](https://example.org)", "{}"),
    "before a link": ("{{ x }}[a](https://example.org)", "{}a"),
    "before brackets": ("{{ x }}(b)", "{}(b)"),
    "twice": ("{{ x }}{{ x }}", "{}{}"),
    "twice, apart": ("{{ x }} {{ x }}", "{} {}"),
    "captured": ("{% capture y %}{{ x }}{% endcapture %}{{ y }}", "{}"),
    "lengthened": ("{{ x | append: x }}", "{}{}"),
}


TELLING_TEXTS = [
    "# Boss",
    "#",
    "a ##",
    "[x](javascript:alert(1))",
    "![",
    "<script>alert(1)</script>",
    "<https://example.org>",
    "&lt;&amp&#x3c;",
    "a | b\\|",
    "\\",
    "***\n___\n---\n===\n```\n~~~",
    "    code\n\tcode\n",
    "1. a\n- b\n+ c\n> d\n1) e",
    "- - -",
    "_a_ __b__ a_b *c* ~~d~~ `e`",
    ":--|--:",
    "[a]: https://example.org",
    "- [ ] task",
    "{{ x }} {% raw %}",
    " ",
    "\r\n\x00\x1b\ud800\ufffe",
]


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("text", TELLING_TEXTS)
def test_a_text_is_shown_as_it_is_wherever_it_stands(context: str, text: str) -> None:
    body, expected = CONTEXTS[context]

    assert shown(fill(body, x=text)) == expected.replace("{}", showable(text))


@given(st.sampled_from(sorted(CONTEXTS)), TEXTS)
def test_any_text_is_shown_as_it_is(context: str, text: str) -> None:
    body, expected = CONTEXTS[context]

    assert shown(fill(body, x=text)) == expected.replace("{}", showable(text))


@given(TEXTS, TEXTS)
@example("&lt", ";")
@example("1", ". a")
@example("!", "[")
@example("-", " a")
def test_neighbours_mean_nothing_together(one: str, other: str) -> None:
    body = "{{ one }}{{ other }}\n{{ other }} {{ one }}"
    a, b = showable(one), showable(other)

    assert shown(fill(body, one=one, other=other)) == f"{a}{b}\n{b} {a}"


@given(TEXTS)
@example("``a`")
@example(" a ")
def test_a_text_is_shown_as_code_on_one_line(text: str) -> None:
    body = "# {{ x | code }}\n| a {{ x | code }} |\n|---|"
    line = showable(text)
    if line.strip() and "|" not in line:
        line = line.replace("\n", " ")

    assert shown(fill(body, x=text)) == f"{line}a {line}"


@pytest.mark.parametrize(
    "text",
    ["Ann-Marie O'Neill", "anna_b@example.org", "+49 30 1234-56", "-5 °C", "R & D", "2026-05-13"],
)
def test_what_means_nothing_stays_as_it_is(text: str) -> None:
    assert fill("{{ x }}", x=text) == text


def test_data_is_never_read_as_liquid() -> None:
    assert fill("{{ x }}", x="{{ y }}{% if %}") == "{{ y }}{% if %}"


@pytest.mark.parametrize(
    "notes",
    [
        "```\ncode",
        "a\n~~~~ py\n~~~\n```",
        "   ```\n    ```",
        "- a\n\n  ```\n  in the item",
        "> ```\n> in the quote",
        "- a\nb\n```\nafter the item\n",
        "- - -\n  ```\n",
        "# a\n    ```\n\n    code",
        "```\r\rcode",
        "```\ncode\n```",
        "1. a\n   ```\n   in the item\n\n```",
    ],
)
def test_what_data_leave_open_does_not_take_in_what_follows(notes: str) -> None:
    body = "{{ notes | markdown }}\n\n**No decision is needed.**\n\n> From {{ who }}"

    after = MARKDOWN.render(fill(body, notes=notes, who="`a`")).rpartition("<p><strong>No")[2]

    assert (
        after == " decision is needed.</strong></p>\n<blockquote>\n<p>From `a`</p>\n</blockquote>\n"
    )


def test_nothing_is_closed_that_is_not_open() -> None:
    for notes in ("```\ncode\n```", "a ``` b", "- ```\n  a", "~~~\n```\n~~~\n"):
        assert fill("{{ notes | markdown }}", notes=notes) == notes


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("\u202ea", "\u202c"),
        ("\u202a\u202b\u202da\u202c", "\u202c\u202c"),
        ("\u2067a", "\u2069"),
        ("\u2066a\u202eb", "\u202c\u2069"),
        ("\u202b\u2067\u202ca", "\u2069\u202c"),
        ("\u202ba\u2069", "\u202c"),
        ("\u2068a\u2069", ""),
        ("\u2067\u202e\u2069a", ""),
        ("\u2069\u202ca\u200f\u200e", ""),
    ],
)
def test_a_direction_ends_with_the_data_that_turns_to_it(text: str, ends: str) -> None:
    for value in ("x", "x | code", "x | markdown", "x | append: ''"):
        shows = fill(f"**{{{{ {value} }}}}** after", x=text).replace("`", "")

        assert shows == f"**{text}{ends}** after"


def test_an_author_may_let_data_be_markdown() -> None:
    notes = "# Notes\r\n\r\n- *a*\r\n"

    assert fill("{{ notes | markdown }}", notes=notes) == "# Notes\n\n- *a*\n"
    assert MARKDOWN.render(fill("{{ x | markdown }}", x="<b>[a](javascript:b)")) == (
        "<p>&lt;b&gt;[a](javascript:b)</p>\n"
    )


def test_what_is_captured_is_escaped_once() -> None:
    body = "{% capture y %} **{{ x }}** {% endcapture %}{{ y | strip | append: x }}"

    assert fill(body, x="a*b") == r"**a\*b**a\*b"


def test_captured_text_takes_no_filter_that_could_cut_an_escape() -> None:
    body = "{% capture y %}{{ x }}{% endcapture %}\n{{ y | slice: 1, 9 }}"

    assert unfillable(body, x="*a*") == Flaw(
        2, 8, "slice: can't take what was captured, or went through markdown", "filter"
    )


@pytest.mark.parametrize(
    "body",
    ["`{{ x }}`", "```\n{{ x }}\n```", "~~~ {{ x }}\n~~~", "    {{ x }}", "> - ``a {{ x }}``"],
)
def test_a_placeholder_in_code_is_refused(body: str) -> None:
    (flaw,) = flaws(body)

    assert (flaw.rule, flaw.column) == ("code", body.split("\n")[flaw.line - 1].index("{{") + 1)


@pytest.mark.parametrize("body", ["`a` {{ x }} `b`", "\\`{{ x }}\\`", "- a\n\n    {{ x }}"])
def test_a_placeholder_beside_code_is_not(body: str) -> None:
    assert fill(body, x="1") == body.replace("{{ x }}", "1")
