"""The page on bulks names what operations can come to."""

import re
from pathlib import Path
from typing import Any, get_args

from app.schemas.operations import ItemOutcome, OperationState
from app.services.operation_runner import CHUNK

PAGE = (Path(__file__).parents[2] / "docs" / "bulk.md").read_text(encoding="utf-8")


def words_of(annotated: Any) -> set[str]:
    return set(get_args(get_args(annotated)[0]))


def first_column(title: str) -> set[str]:
    """The words in the first column of the table whose first column has this title."""
    table = PAGE.partition(f"\n| `{title}` |")[2].partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_every_state_is_explained() -> None:
    assert first_column("state") == words_of(OperationState)


def test_every_outcome_is_explained() -> None:
    of_a_rollback = {"deleted", "gone", "blocked"}
    assert first_column("outcome") | of_a_rollback == words_of(ItemOutcome)


def test_the_size_of_a_chunk_is_told() -> None:
    assert f"chunks of {CHUNK} items" in PAGE
