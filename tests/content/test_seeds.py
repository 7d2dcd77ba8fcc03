"""The examples that `factory seed` loads: the two families of the requirements, worth reading."""

from functools import reduce
from importlib import resources
from itertools import pairwise

import pytest

from app.content import CreateFile, Edit, Insert, Move, Piece, Remove, VersionFile, seeds
from app.content.reading import SEEDS

ONBOARDING = ["welcome", "preparation", "first_day", "first_month", "review"]
STATUS_REPORT = ["status", "progress", "milestones", "risks", "next_steps"]


def edited(pieces: list[Piece], edit: Edit) -> list[Piece]:
    """The list after one edit, positions counted from 1 in the list before it."""
    assert edit.position <= len(pieces) + isinstance(edit, Insert)
    before, rest = pieces[: edit.position - 1], pieces[edit.position - 1 :]
    if isinstance(edit, Insert):
        return [*before, edit.piece, *rest]
    if isinstance(edit, Remove):
        return [*before, *rest[1:]]
    if isinstance(edit, Move):
        others = [*before, *rest[1:]]
        return [*others[: edit.to - 1], rest[0], *others[edit.to - 1 :]]
    return [*before, edit.piece, *rest[1:]]


def versions() -> dict[str, list[list[Piece]]]:
    """The pieces of each family's versions, made as the service makes them."""
    chains: dict[str, list[list[Piece]]] = {}
    for template in seeds():
        if isinstance(template, CreateFile):
            assert template.family not in chains
            chains[template.family] = [list(template.pieces)]
        else:
            chain = chains[template.family]
            assert template.supersedes == f"v{len(chain)}"
            chain.append(reduce(edited, template.edits, chain[-1]))
    return chains


def roles(pieces: list[Piece]) -> list[str]:
    return [piece.role for piece in pieces]


def test_onboarding_has_two_versions_of_five_pieces_that_differ() -> None:
    first, second = versions()["tpl:wf:onboarding"]

    assert (roles(first), roles(second)) == (ONBOARDING, ONBOARDING)
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, False, True, True]


def test_the_status_report_gains_a_summary_and_keeps_its_five_pieces() -> None:
    first, second = versions()["tpl:file:status-report"]

    assert roles(first) == STATUS_REPORT
    assert roles(second) == ["executive_summary", *STATUS_REPORT]
    assert second[1:] == first


def test_there_are_just_these_two_families() -> None:
    assert sorted(versions()) == ["tpl:file:status-report", "tpl:wf:onboarding"]


def test_every_file_is_loaded_and_a_version_after_what_it_supersedes() -> None:
    folder = resources.files("app.content") / "seeds"

    assert sorted(file.name for file in folder.iterdir()) == sorted(SEEDS)
    assert [isinstance(template, VersionFile) for template in seeds()] == [False, True] * 2


def test_no_content_stands_twice() -> None:
    contents = [
        (piece.media_type, piece.title, piece.body)
        for chain in versions().values()
        for piece in {piece.title: piece for pieces in chain for piece in pieces}.values()
    ]

    assert len(set(contents)) == len(contents) == 13


@pytest.mark.parametrize(
    "piece",
    [piece for chain in versions().values() for pieces in chain for piece in pieces],
    ids=lambda piece: piece.role,
)
def test_a_piece_is_markdown_that_can_be_used_as_it_is(piece: Piece) -> None:
    lines = piece.body.splitlines()

    assert piece.media_type == "text/markdown"
    assert lines[0].startswith("# ")
    assert 150 <= len(piece.body.split()) <= 400
    # A table for who, when and what; blanks to be filled come with data, not with the text.
    assert any(set(line) == set("|-") for line in lines)
    assert not any(blank in piece.body for blank in ("{{", "TBD", "Lorem", "XXX", "<name"))
    assert piece.axes
    # Every row of a table has as many cells as its head, or it is shown wrongly.
    for above, line in pairwise(lines):
        if above.startswith("|") and line.startswith("|"):
            assert line.count("|") == above.count("|"), line
