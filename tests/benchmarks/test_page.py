"""benchmarks/README.md: what was measured, each section by itself."""

import pytest

from benchmarks.page import README, Table, page, section, sections
from benchmarks.subjects.all import SUBJECTS

TABLE = Table(("", "rate"), [("one", "1/s")])


def test_every_subject_has_its_section_with_its_title_and_the_machine() -> None:
    written = sections(README.read_text(encoding="utf-8"))

    assert list(written) == list(SUBJECTS)
    for name, text in written.items():
        assert text.startswith(f"## {SUBJECTS[name].TITLE}\n\n")
        assert text.splitlines()[-1].startswith("Measured on: ")


def test_the_page_is_nothing_but_its_sections() -> None:
    text = README.read_text(encoding="utf-8")

    assert page(sections(text), list(SUBJECTS)) == text


def test_measuring_one_subject_leaves_the_others_as_they_are() -> None:
    old = section("One", "What it is.", [TABLE], "a machine; 2026-01-01")
    new = section("Two", "What it is.", [TABLE], "another machine; 2026-02-02")
    before = page({"one": old, "two": old}, ["one", "two"])

    after = page(sections(before) | {"two": new}, ["one", "two"])

    assert sections(after) == {"one": old, "two": new}


def test_a_section_is_prose_tables_and_the_machine() -> None:
    captioned = Table(("", "p50"), [("one", "2 ms")], "Latency:")

    assert section("One", "What it is.\n", [TABLE, captioned], "a machine") == (
        "## One\n\nWhat it is.\n\n"
        "|  | rate |\n| --- | --- |\n| one | 1/s |\n\n"
        "Latency:\n\n|  | p50 |\n| --- | --- |\n| one | 2 ms |\n\n"
        "Measured on: a machine.\n"
    )


def test_a_row_with_too_few_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells for 2 columns"):
        section("One", "What it is.", [Table(("", "rate"), [("one",)])], "a machine")
