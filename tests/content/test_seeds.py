"""The examples that `factory seed` loads: the two families of the requirements, worth reading."""

import re
from functools import reduce
from importlib import resources
from itertools import pairwise

import pytest

from app.content import CreateFile, Edit, Insert, Move, Piece, Remove, VersionFile, seeds
from app.content.reading import SEEDS
from app.documents.liquid import parse_piece
from app.documents.variables import Knowledge
from app.json_schema import compile_schema

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


def test_the_first_two_onboardings_have_five_pieces_that_differ() -> None:
    first, second, _ = versions()["tpl:wf:onboarding"]

    assert (roles(first), roles(second)) == (ONBOARDING, ONBOARDING)
    assert [a == b for a, b in zip(first, second, strict=True)] == [True, False, False, True, True]


def test_the_status_report_gains_a_summary_and_keeps_its_five_pieces() -> None:
    first, second, _ = versions()["tpl:file:status-report"]

    assert roles(first) == STATUS_REPORT
    assert roles(second) == ["executive_summary", *STATUS_REPORT]
    assert second[1:] == first


def test_there_are_just_these_two_families() -> None:
    assert sorted(versions()) == ["tpl:file:status-report", "tpl:wf:onboarding"]


def test_every_file_is_loaded_and_a_version_after_what_it_supersedes() -> None:
    folder = resources.files("app.content") / "seeds"

    assert {file.name for file in folder.iterdir()} == set(SEEDS)
    assert [isinstance(template, VersionFile) for template in seeds()] == [False, True, True] * 2


def test_no_content_stands_twice() -> None:
    contents = [
        (piece.media_type, piece.title, piece.body)
        for chain in versions().values()
        for piece in {piece.title: piece for pieces in chain for piece in pieces}.values()
    ]

    assert len(set(contents)) == len(contents) == 27


def pieces_of(*numbers: int) -> list[Piece]:
    return [
        piece for chain in versions().values() for number in numbers for piece in chain[number - 1]
    ]


def assert_well_formed(piece: Piece) -> None:
    assert piece.media_type == "text/markdown"
    assert piece.axes
    # Every row of a table has as many cells as its head, or it is shown wrongly.
    without_placeholders = re.sub(r"\{[{%].*?[%}]\}", "", piece.body)
    for above, line in pairwise(without_placeholders.splitlines()):
        if above.startswith("|") and line.startswith("|"):
            assert line.count("|") == above.count("|"), line


@pytest.mark.parametrize("piece", pieces_of(1, 2), ids=lambda piece: piece.role)
def test_a_piece_of_advice_can_be_used_as_it_is(piece: Piece) -> None:
    lines = piece.body.splitlines()

    assert_well_formed(piece)
    assert lines[0].startswith("# ")
    assert 150 <= len(piece.body.split()) <= 400
    # A table for who, when and what; blanks to be filled come with data, not with the text.
    assert any(set(line) == set("|-") for line in lines)
    assert not any(blank in piece.body for blank in ("{{", "TBD", "Lorem", "XXX", "<name"))


@pytest.mark.parametrize("piece", pieces_of(3), ids=lambda piece: piece.role)
def test_a_piece_of_a_document_is_filled_with_what_its_parameters_have(piece: Piece) -> None:
    assert_well_formed(piece)
    assert parse_piece(piece.body).variables
    assert not any(blank in piece.body for blank in ("TBD", "Lorem", "XXX", "<name"))


def test_the_documents_ask_for_nothing_that_valid_data_may_lack() -> None:
    for template in seeds():
        if isinstance(template, VersionFile) and template.parameters is not None:
            pieces = versions()[template.family][-1]
            variables = [v for piece in pieces for v in parse_piece(piece.body).variables]
            knowledge = Knowledge(compile_schema(template.parameters))
            assert knowledge.unknown(variables) == []
            assert knowledge.may_be_missing(variables) == []
