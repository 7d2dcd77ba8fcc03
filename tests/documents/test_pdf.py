"""A PDF says what the page says, asks for nothing, and is the same file every time."""

import copy
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from fontTools.misc import timeTools  # type: ignore[import-untyped]
from pypdf import PageObject, PdfReader
from weasyprint.urls import FatalURLFetchingError  # type: ignore[import-untyped]

from app.documents.errors import DocumentTooLargeError
from app.documents.formats import FORMATS
from app.documents.pdf import as_pdf, lay_out
from app.documents.renderer import Renderer
from tests.support.commands import environment
from tests.support.documents import PROVENANCE, document, example, rendered, sample


@pytest.fixture(scope="module")
def report() -> PdfReader:
    return PdfReader(BytesIO(as_pdf(example("status-report"))))


def text_of(pdf: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in pdf.pages)


def runs(page: PageObject) -> Iterator[tuple[float, str]]:
    """Each run of text on a page, with where it begins: points from the paper's left edge."""
    found: list[tuple[float, str]] = []

    def visit(text: str, scale: Any, at: Any, *_: Any) -> None:
        found.append((at[4] * scale[0] + scale[4], text.strip()))

    page.extract_text(visitor_text=visit)
    return ((x, text) for x, text in found if text)


MARGIN = 18 / 25.4 * 72


def off_the_paper(pdf: PdfReader) -> list[str]:
    """What stands in or beyond a margin, with 3 points as the least that a letter takes."""
    return [
        text
        for page in pdf.pages
        for x, text in runs(page)
        if not MARGIN - 1 < x <= x + 3 * len(text) < float(page.mediabox.right) - MARGIN + 1
    ]


def test_the_text_is_that_of_the_document(report: PdfReader) -> None:
    text = text_of(report)

    assert "Aurora: status report" in text
    assert "The pilot slips by four days, the end date holds." in text
    assert str(PROVENANCE.product_digest) in text
    assert f"Page 1 of {len(report.pages)}" in text


def test_chapters_are_bookmarks_and_contents_lead_to_them(report: PdfReader) -> None:
    [title] = [entry for entry in report.outline if not isinstance(entry, list)]
    [chapters] = [entry for entry in report.outline if isinstance(entry, list)]
    names = [str(entry.title) for entry in chapters if not isinstance(entry, list)]

    assert title.title == "Aurora: status report"
    assert names[:3] == [
        "Executive summary",
        "Status at a glance",
        "Progress since the last report",
    ]
    assert "status-at-a-glance" in report.named_destinations


def test_it_says_what_it_is_and_when_it_was_composed(report: PdfReader) -> None:
    assert report.metadata
    assert report.metadata.title == "Aurora: status report"
    assert report.metadata.author == "tpl:file:status-report/v3"
    assert report.metadata.creation_date == PROVENANCE.composed_at
    assert report.metadata.modification_date == PROVENANCE.composed_at
    assert str(report.root_object["/Lang"]) == "en"
    assert str(report.root_object["/MarkInfo"]) == "{'/Marked': True}"
    assert report.xmp_metadata
    assert report.xmp_metadata.xmp_create_date == PROVENANCE.composed_at.replace(tzinfo=None)


def test_a_preview_has_no_date() -> None:
    preview = PdfReader(BytesIO(as_pdf(document("# T", provenance=None))))

    assert preview.metadata
    assert set(preview.metadata) == {"/Title", "/Producer"}
    assert preview.xmp_metadata
    assert preview.xmp_metadata.xmp_create_date is None


async def test_two_processes_make_the_same_file() -> None:
    files = []
    for _ in range(2):
        renderer = Renderer()
        files.append(await rendered(renderer, example("status-report"), FORMATS["pdf"]))
        await renderer.close()

    assert files[0] == files[1]


def test_fonts_that_fonttools_cuts_are_the_same_at_any_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("weasyprint.pdf.fonts.harfbuzz_subset", None)
    files = []
    for seconds in (1_000_000_000, 2_000_000_000):
        monkeypatch.setattr(timeTools, "time", SimpleNamespace(time=lambda now=seconds: now))
        files.append(as_pdf(document("# T")))

    assert files[0] == files[1]


def test_other_documents_have_other_identifiers(report: PdfReader) -> None:
    other = PdfReader(BytesIO(as_pdf(document("# T"))))

    assert report.trailer["/ID"] != other.trailer["/ID"]


def test_no_word_makes_a_table_wider_than_the_paper() -> None:
    data = copy.deepcopy(sample("status-report"))
    data["project"]["lead"] = "X" * 120
    data["status"]["dimensions"][0] |= {"name": "W" * 120, "reason": "W" * 200}
    data["risks"][0] |= {"risk": "Donaudampfschiff" * 4, "owner": "a.b@example.com" * 6}

    pdf = PdfReader(BytesIO(as_pdf(example("status-report", data))))

    assert off_the_paper(pdf) == []
    words = [text for page in pdf.pages for _, text in runs(page)]
    # Words break in the columns that are too wide only.
    assert {"Dimension", "Amber", "Likelihood", "Maria Lindqvist", "Owner"} <= set(words)
    assert sum(len(word) for word in words if set(word) == {"W"}) == 320


def test_a_table_in_a_list_keeps_to_its_place_and_numbers_may_break() -> None:
    text = f"> - a\n>\n>   | {'W' * 90} | b |\n>   |---|--:|\n>   | c | {'12 ' * 60}|"

    assert off_the_paper(PdfReader(BytesIO(as_pdf(document(text))))) == []


def table(columns: int) -> str:
    """A table with a word in each column that hardly fits there."""
    return "\n".join("|" + cell * columns for cell in ("word|", "---|", "12345|"))


def test_many_columns_are_narrow() -> None:
    pdf = PdfReader(BytesIO(as_pdf(document(table(40)))))

    assert off_the_paper(pdf) == []
    assert text_of(pdf).replace(" ", "").count("word") == 40


def test_more_columns_than_fit_are_refused() -> None:
    with pytest.raises(DocumentTooLargeError, match="A table has more columns than fit"):
        as_pdf(document(table(100)))


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="{}">',
        "<style>p {{ background: url({}) }}</style><p>a",
        '<link rel=stylesheet href="{}">',
    ],
)
def test_nothing_is_fetched(markup: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"

        with pytest.raises(FatalURLFetchingError, match="nothing is ever fetched"):
            lay_out(markup.format(url))
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    "missing",
    [
        "sys.modules['weasyprint'] = None",
        # What cffi does where there is no Pango.
        "import cffi\ndef dlopen(*_): raise OSError('no library')\ncffi.FFI.dlopen = dlopen",
    ],
)
def test_without_its_libraries_it_says_what_to_install(missing: str) -> None:
    program = f"""
import sys
{missing}
from app.documents.errors import FormatUnavailableError
from app.documents.formats import FORMATS
from tests.support.documents import document
try:
    FORMATS["pdf"].render(document("# T"))
except FormatUnavailableError as error:
    print(error, file=sys.stderr)
"""
    said = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stderr == (
        "PDF needs WeasyPrint, Pango and a font. WeasyPrint comes with product-factory[documents];"
        " Pango and a font with the system (Debian and Ubuntu: apt install libpangoft2-1.0-0"
        " libharfbuzz-subset0 fonts-liberation).\n"
    )
