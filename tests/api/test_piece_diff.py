"""What is different between two lists of pieces."""

from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from app.schemas.templates import PieceChange
from app.services.piece_diff import piece_changes

UNIT = uuid4()


def rows(text: str) -> list[dict[str, Any]]:
    """A list of pieces from words like `role=content`; a bare word is both."""
    found = []
    for position, word in enumerate(text.split(), start=1):
        role, _, title = word.partition("=")
        found.append(
            {
                "position": position,
                "role": role,
                "unit_id": UNIT,
                "content_digest": (title or role).encode().hex().ljust(64, "0"),
                "media_type": "text/markdown",
                "title": title or role,
                "life": "active",
            }
        )
    return found


def told(before: str, after: str) -> list[str]:
    """The changes in short: what, the role, and from where to where."""
    return [
        " ".join(
            [
                change.change,
                change.role,
                *(str(side.position) for side in (change.before, change.after) if side),
            ]
        )
        for change in piece_changes(rows(before), rows(after))
    ]


def test_equal_lists_have_no_changes() -> None:
    assert told("a b c", "a b c") == []
    assert told("", "") == []


def test_one_inserted_piece_moves_nobody() -> None:
    assert told("a b c d e", "summary a b c d e") == ["added summary 1"]
    assert told("a b c", "a c") == ["removed b 2"]


def test_a_role_with_another_content_is_replaced() -> None:
    assert told("a b=old c", "a b=new c") == ["replaced b 2 2"]
    assert told("a=1 a=2", "a=3 a=2 a=4") == ["replaced a 1 1", "added a 3"]


def test_a_content_in_another_role_is_removed_and_added() -> None:
    assert told("a=text", "b=text") == ["removed a 1", "added b 1"]


def test_as_few_as_possible_are_called_moved() -> None:
    assert told("a b c d", "d a b c") == ["moved d 4 1"]
    assert told("a b c d", "b c d a") == ["moved a 1 4"]
    assert told("x y x", "y x x") == ["moved x 1 2"]


def test_a_change_shows_both_sides() -> None:
    old, new = rows("a=old")[0], rows("a=new")[0]
    (change,) = piece_changes([old], [new])
    placed = ("position", "unit_id", "content_digest", "media_type", "title", "life")
    assert change.model_dump() == {
        "change": "replaced",
        "role": "a",
        "before": {name: old[name] for name in placed},
        "after": {name: new[name] for name in placed},
    }


def replayed(before: list[dict[str, Any]], changes: list[PieceChange], length: int) -> list[Any]:
    """The new list: what the changes put where they say, and the others where there is room."""
    touched = {change.before.position for change in changes if change.before}
    staying = iter((row["role"], row["title"]) for row in before if row["position"] not in touched)
    put = {
        change.after.position: (change.role, change.after.title)
        for change in changes
        if change.after
    }
    return [put.get(at) or next(staying) for at in range(1, length + 1)]


LISTS = st.lists(st.sampled_from(["a", "b", "c", "a=x", "a=y", "b=x"]), max_size=9).map(" ".join)


@given(LISTS, LISTS)
def test_the_changes_lead_from_one_list_to_the_other(before: str, after: str) -> None:
    old, new = rows(before), rows(after)
    changes = piece_changes(old, new)
    assert replayed(old, changes, len(new)) == [(row["role"], row["title"]) for row in new]
    assert (changes == []) == (before == after)
