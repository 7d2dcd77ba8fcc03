"""A Word document holds what the page shows, in Word's terms, and is the same file every time."""

from collections.abc import Sequence
from io import BytesIO
from zipfile import ZipFile

import docx
import pytest
from docx.document import Document as Word
from docx.oxml.ns import qn
from docx.text.paragraph import Paragraph

from app.documents.formats import FORMATS
from app.documents.renderer import Renderer
from app.documents.word import as_docx
from app.documents.word_tables import MOST_COLUMNS
from tests.support.documents import PROVENANCE, document, example, rendered


def word(*texts: str) -> Word:
    return docx.Document(BytesIO(as_docx(document(*texts, provenance=None))))


def written(read: Word) -> list[tuple[str, str]]:
    """Style and text of each paragraph outside of tables, below the title block."""
    paragraphs = [(paragraph.style, paragraph.text) for paragraph in read.paragraphs[2:]]
    return [(str(style.name), text) for style, text in paragraphs if style]


def cells(read: Word) -> list[list[list[str]]]:
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in read.tables]


def numbering(paragraph: Paragraph) -> tuple[int, int] | None:
    """The list that a paragraph is an item of, and its level there."""
    values = {
        name: element.get(qn("w:val"))
        for name in ("numId", "ilvl")
        for element in paragraph._p.iter(qn(f"w:{name}"))
    }
    return (int(values["numId"]), int(values["ilvl"])) if values else None


def marked(paragraphs: Sequence[Paragraph]) -> list[tuple[str, str]]:
    return [
        (
            run.text,
            "".join(
                mark
                for mark, there in (("b", run.bold), ("i", run.italic), ("s", run.font.strike))
                if there
            ),
        )
        for paragraph in paragraphs
        for run in paragraph.runs
        if run.text
    ]


def test_title_block_headings_and_paragraphs() -> None:
    read = word("# Report\n\nText.\n\n## One\n### Two\n\n> Quote\n\n---\n", "# Chapter\n\nMore.")

    assert [paragraph.text for paragraph in read.paragraphs[:2]] == [
        "Report",
        "Preview: not stored",
    ]
    assert written(read) == [
        ("Normal", "Text."),
        ("Heading 1", "One"),
        ("Heading 2", "Two"),
        ("Quote", "Quote"),
        ("Normal", ""),
        ("Heading 1", "Chapter"),
        ("Normal", "More."),
    ]


def test_marks_nest_and_lines_break() -> None:
    read = word("a **b *c* ~~d~~** `e`\nf\\\ng")

    assert marked(read.paragraphs[2:]) == [
        ("a ", ""),
        ("b ", "b"),
        ("c", "bi"),
        (" ", "b"),
        ("d", "bs"),
        (" ", ""),
        ("e", ""),
        (" ", ""),
        ("f", ""),
        ("\n", ""),
        ("g", ""),
    ]
    [code] = [run for run in read.paragraphs[2].runs if run.style.name == "Inline Code"]
    assert code.text == "e"


def test_links_lead_outside_and_nowhere_else() -> None:
    read = word("# T\n\n[a `b`](https://a.b/?c=d) [inside](#t) [bad](javascript:x)")
    paragraph = read.paragraphs[2]

    assert [(link.text, link.address) for link in paragraph.hyperlinks] == [
        ("a ", "https://a.b/?c=d"),
        ("b", "https://a.b/?c=d"),
    ]
    assert paragraph.text == "a b inside [bad](javascript:x)"
    external = [rel.target_ref for rel in read.part.rels.values() if rel.is_external]
    assert external == ["https://a.b/?c=d"]


def test_lists_nest_and_each_counts_by_itself() -> None:
    read = word("1. a\n   - b\n     - c\n\n       d\n2. e\n\nText.\n\n3. f")
    a, b, c, d, e, _, f = read.paragraphs[2:]

    assert [paragraph.text for paragraph in (a, b, c, d, e, f)] == ["a", "b", "c", "d", "e", "f"]
    assert numbering(a) == numbering(e) != numbering(f)
    assert [numbering(b), numbering(c)] == [(1, 1), (1, 2)]
    assert numbering(d) is None
    assert d.paragraph_format.left_indent == c.paragraph_format.left_indent
    starts = read.part.numbering_part.element.findall(f".//{qn('w:startOverride')}")
    assert [start.get(qn("w:val")) for start in starts] == ["1", "3"]


def test_tasks_have_boxes_instead_of_bullets() -> None:
    read = word("- [ ] open\n- [x] done\n- plain")

    assert written(read) == [
        ("List Paragraph", "☐\topen"),
        ("List Paragraph", "☑\tdone"),
        ("List Paragraph", "plain"),
    ]
    assert [numbering(paragraph) for paragraph in read.paragraphs[2:]] == [None, None, (1, 0)]


def test_a_table_repeats_its_head_and_aligns_its_cells() -> None:
    read = word("| a | b |\n|---|--:|\n| 1 | **2** |\n| 3 | |")
    [table] = read.tables

    assert cells(read) == [[["a", "b"], ["1", "2"], ["3", ""]]]
    heads = [row._tr.find(f".//{qn('w:tblHeader')}") is not None for row in table.rows]
    assert heads == [True, False, False]
    assert all(row._tr.find(f".//{qn('w:cantSplit')}") is not None for row in table.rows)
    assert marked([cell.paragraphs[0] for cell in table.rows[0].cells]) == [("a", "b"), ("b", "b")]
    assert str(table.rows[1].cells[1].paragraphs[0].alignment) == "RIGHT (2)"


def test_facts_have_names_in_bold_and_no_head() -> None:
    read = word("| | |\n|---|---|\n| Lead | Nowak |\n\n| | |\n|---|---|\n| a | b |")

    assert cells(read) == [[["Lead", "Nowak"]], [["a", "b"]]]
    [row] = read.tables[0].rows
    assert marked([cell.paragraphs[0] for cell in row.cells]) == [("Lead", "b"), ("Nowak", "")]


def test_a_table_that_is_wider_than_word_takes_is_written_as_lines() -> None:
    head = "|" + "a|" * (MOST_COLUMNS + 1)

    read = word(f"{head}\n{'|' + '-|' * (MOST_COLUMNS + 1)}\n{head}")

    assert read.tables == []
    assert written(read) == [("Normal", "\t".join("a" * (MOST_COLUMNS + 1)))] * 2


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("```py\na\n  b\n```", [("Code", "a\n  b")]),
        ("a\x01b\ufffec", [("Normal", "a\ufffdb\ufffdc")]),
        ("![alt](https://a.b/c.png)", [("Normal", "alt")]),
        ("<b>&amp;</b>", [("Normal", "<b>&</b>")]),
        ("{{ x }}", [("Normal", "{{ x }}")]),
        ("", []),
    ],
)
def test_the_rest_is_text(text: str, paragraphs: list[tuple[str, str]]) -> None:
    assert written(word(text)) == paragraphs


def test_word_has_a_level_for_each_list_that_is_taken() -> None:
    read = word("\n".join("  " * depth + "- a" for depth in range(9)))

    assert [numbering(paragraph) for paragraph in read.paragraphs[2:]] == [
        (1, level) for level in range(9)
    ]


def test_it_says_what_it_is_and_where_it_comes_from() -> None:
    read = docx.Document(BytesIO(as_docx(example("status-report"))))
    properties = read.core_properties

    assert (properties.title, properties.author) == (
        "Aurora: status report",
        "tpl:file:status-report/v3",
    )
    assert properties.created == properties.modified == PROVENANCE.composed_at
    assert (properties.comments, properties.last_modified_by) == ("", "")
    page, source = (paragraph.text for paragraph in read.sections[0].footer.paragraphs)
    assert page.startswith("Aurora: status report\tPage ")
    assert source == f"tpl:file:status-report/v3, product digest {PROVENANCE.product_digest}"
    told = [text for style, text in written(read) if style == "Provenance"]
    assert f"Composition digest\t{PROVENANCE.composition_digest}" in told
    assert told[-1].endswith(f"factory verify {PROVENANCE.instance_collection_id}")


def test_a_document_of_no_event_names_its_composition() -> None:
    provenance = PROVENANCE.model_copy(update={"event_id": None, "product_digest": None})

    read = docx.Document(BytesIO(as_docx(document("# T", provenance=provenance))))

    assert read.sections[0].footer.paragraphs[1].text == (
        f"tpl:file:status-report/v3, composition digest {PROVENANCE.composition_digest}"
    )
    told = [text for style, text in written(read) if style == "Provenance"]
    assert [text for text in told if "None" in text or text.startswith("Event")] == []


def test_a_preview_has_no_date_and_says_so_on_every_page() -> None:
    read = word("# T")

    assert read.core_properties.created is None
    assert read.core_properties.modified is None
    assert read.sections[0].footer.paragraphs[1].text == "Preview: not stored"


def test_a_long_title_is_cut_where_properties_end() -> None:
    assert word(f"# {'a' * 300}").core_properties.title == "a" * 255


async def test_two_processes_make_the_same_file() -> None:
    files = []
    for _ in range(2):
        renderer = Renderer()
        files.append(await rendered(renderer, example("onboarding"), FORMATS["docx"]))
        await renderer.close()

    assert files[0] == files[1]
    with ZipFile(BytesIO(files[0])) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert [name for name in archive.namelist() if "thumbnail" in name] == []
