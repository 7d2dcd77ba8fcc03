"""The formats, their names, and their bytes: the same document is the same for ever, by version."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.documents.formats import FORMATS, RENDERER_VERSION
from app.documents.fragments import as_fragment
from app.documents.markdown import MAX_NESTING, parse
from app.documents.models import MAX_BYTES, Document
from app.documents.renderer import AT_ONCE_BYTES, MOST_AT_ONCE, MOST_WAITING
from tests.support.commands import environment
from tests.support.documents import PROVENANCE, document, section

EVERYTHING = Document(
    sections=(
        section(
            """\
# Everything *there* is

Text with **strong**, *emphasis*, ~~strike~~, `code`, <b>no HTML</b>, a [link](https://a.example/),\\
a break, ![an image](https://a.example/b.png) and [no link](javascript:x).

| | |
|---|---|
| Name | Value |

## A chapter

| Left | Centre | Right |
|:--|:-:|--:|
| 1 | 2 | 3 |

- [ ] open
- [x] done
  1. nested

> A quote.

---

```py
code
```

## Another chapter

## Another chapter
""",
        ),
        section("Begins with text.\n\n# A chapter of its own\n\n## Below", 2),
        section('{"raw": "```"}\n', 3, "application/json"),
    ),
    provenance=PROVENANCE,
)

GOLDEN = {
    1: {
        "md": "15e23a6828e0a0709d03b6f17d2976fb6e785fe258f1b1bd1fb7bf388cccba74",
        "html": "910c2c61033dcbcf74597ad69619875a37856aeaea59c7f754f4bc6a948df504",
        "json": "41939ff156b2d7fa38986ab9f2e70d2573b83f703c508431b4982ce0dcc51262",
    },
}
"""What the bytes of EVERYTHING digest to, by the renderer's version: only added to, but for the
version that is not released yet."""


@pytest.mark.parametrize("name", ["md", "html", "json"])
def test_the_bytes_change_only_with_the_version(name: str) -> None:
    digest = hashlib.sha256(FORMATS[name].render(EVERYTHING)).hexdigest()

    assert digest == GOLDEN[RENDERER_VERSION][name], (
        "raise RENDERER_VERSION, and give the new version's digests here"
    )


def test_the_formats_have_names_and_types() -> None:
    assert {name: (format_.name, format_.media_type) for name, format_ in FORMATS.items()} == {
        "md": ("md", "text/markdown"),
        "html": ("html", "text/html"),
        "pdf": ("pdf", "application/pdf"),
        "docx": (
            "docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        "json": ("json", "application/json"),
    }


@pytest.mark.parametrize(
    ("instance_key", "name"),
    [
        ("tpl-inst:auto:2025-w19", "status-report-2025-w19.pdf"),
        ('tpl-inst:auto:a/b "c"\u00e4.d', "status-report-a-b-c-.d.pdf"),
        ("tpl-inst:auto:../..", f"status-report-{PROVENANCE.instance_collection_id}.pdf"),
        ("tpl-inst:auto:", f"status-report-{PROVENANCE.instance_collection_id}.pdf"),
        ("tpl-inst:auto:" + "x" * 200, f"status-report-{'x' * 80}.pdf"),
    ],
)
def test_a_file_is_named_after_template_and_suffix(instance_key: str, name: str) -> None:
    provenance = PROVENANCE.model_copy(update={"instance_key": instance_key})

    assert FORMATS["pdf"].file_name(document("a", provenance=provenance)) == name


def test_the_file_of_a_preview_is_called_so() -> None:
    assert FORMATS["docx"].file_name(document("a", provenance=None)) == "preview.docx"


def test_markdown_is_the_text_as_it_is_with_a_footer() -> None:
    first, second = "# Title\n\nText  \n", "\n\n## More\n\n- a"

    assert (
        FORMATS["md"].render(document(first, second)).decode()
        == f"""\
# Title

Text  \n
## More

- a

---

Composed on 2025-05-09 at 14:02 UTC by iu-core-reports

- Template: tpl:file:status-report/v3
- Instance: tpl-inst:auto:2025-w19
- Instance id: {PROVENANCE.instance_collection_id}
- Event: project.week.closed, {PROVENANCE.event_id}
- Composition digest: {PROVENANCE.composition_digest}
- Data digest: {PROVENANCE.data_digest}
- Product digest: {PROVENANCE.product_digest}

The digests are SHA-256. To recompute them from what is stored: factory verify \
{PROVENANCE.instance_collection_id}
"""
    )


def test_code_that_a_section_leaves_open_ends_with_it_in_markdown() -> None:
    shown = FORMATS["md"].render(document("# T\n\n~~~~\ncode\n", "## More", provenance=None))

    assert shown.decode() == "# T\n\n~~~~\ncode\n~~~~\n\n## More\n\n---\n\nPreview: not stored\n"


@pytest.mark.parametrize(
    ("text", "media_type", "shown"),
    [
        ("Text.", "text/markdown", "# Piece 1\n\nText."),
        ("#\n\nText.", "text/markdown", "# Piece 1\n\n#\n\nText."),
        ("a ```` b\n", "text/plain", "# Piece 1\n\n`````\na ```` b\n`````"),
    ],
)
def test_markdown_always_begins_with_a_title(text: str, media_type: str, shown: str) -> None:
    preview = Document(sections=(section(text, 1, media_type),))

    assert FORMATS["md"].render(preview).decode() == f"{shown}\n\n---\n\nPreview: not stored\n"


def test_what_data_say_of_the_instance_is_no_markup_in_markdown() -> None:
    provenance = PROVENANCE.model_copy(update={"instance_key": "tpl-inst:auto:**[a](b)** <i>"})

    shown = FORMATS["md"].render(document("# T", provenance=provenance)).decode()

    assert "- Instance: tpl-inst:auto:\\*\\*\\[a\\](b)\\*\\* \\<i\\>\n" in shown


def test_json_holds_title_text_html_and_provenance() -> None:
    sections = EVERYTHING.sections
    parts = parse(sections).parts

    assert json.loads(FORMATS["json"].render(EVERYTHING)) == {
        "title": "Everything there is",
        "sections": [
            {**section.model_dump(), "html": as_fragment(tokens)}
            for section, tokens in zip(sections, parts, strict=True)
        ],
        "provenance": {**PROVENANCE.model_dump(), "composed_at": "2025-05-09T14:02:11Z"},
    }


def test_json_of_a_preview_has_no_provenance() -> None:
    assert json.loads(FORMATS["json"].render(document("# T", provenance=None))) == {
        "title": "T",
        "sections": [{**section("# T").model_dump(), "html": ""}],
        "provenance": None,
    }


def test_light_formats_load_nothing_of_the_heavy_ones() -> None:
    program = """
import sys
from app.documents.formats import FORMATS
from app.documents.renderer import Renderer
from tests.support.documents import document
for format_ in FORMATS.values():
    format_.heavy or format_.render(document("# T"))
print(*{"weasyprint", "docx"}.intersection(sys.modules))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, check=True
    )

    assert said.stdout == b"\n"


def test_formats_and_limits_are_documented() -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "documents.md").read_text()

    for format_ in FORMATS.values():
        assert f"| `{format_.media_type}` | `{format_.name}` |" in documentation
    assert f"| {MAX_BYTES // 1024**2} MiB |" in documentation
    assert f"| {MAX_NESTING - 1} levels," in documentation
    assert f"more than {AT_ONCE_BYTES // 1024} KiB of text | {MOST_WAITING}, none" in documentation
    assert f"wait for anything else | {MOST_AT_ONCE}, none longer" in documentation
