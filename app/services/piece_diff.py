"""What is different between two lists of pieces, told the way an author would."""

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence

from app.db.rows import Row
from app.schemas.templates import PieceChange, PlacedPiece

_Pair = tuple[Row, Row]


def piece_changes(before: Sequence[Row], after: Sequence[Row]) -> list[PieceChange]:
    """The changes that lead from one list to the other, by where they stand; empty: none.

    Takes rows in order, with `position`, `role`, `content_digest` and what PlacedPiece shows. A
    piece that both lists have in the same role stays; of those that stay, as few as possible are
    called moved. Of the others, a role that went and came again is replaced; what is left was
    removed or added.
    """
    staying, gone, new_ones = _matched(before, after, _role_and_content)
    unmoved = _longest_in_order(staying)
    replaced, gone, new_ones = _matched(gone, new_ones, _role)
    changes = [
        *(("moved", new, old, new) for old, new in staying if new["position"] not in unmoved),
        *(("replaced", new, old, new) for old, new in replaced),
        *(("removed", row, row, None) for row in gone),
        *(("added", row, None, row) for row in new_ones),
    ]
    return [
        PieceChange.model_validate(
            {"change": kind, "role": row["role"], "before": _placed(old), "after": _placed(new)}
        )
        for kind, row, old, new in sorted(changes, key=lambda change: change[1]["position"])
    ]


def _role_and_content(row: Row) -> Hashable:
    return (row["role"], row["content_digest"])


def _role(row: Row) -> Hashable:
    role: str = row["role"]
    return role


def _matched(
    before: Sequence[Row], after: Sequence[Row], key: Callable[[Row], Hashable]
) -> tuple[list[_Pair], list[Row], list[Row]]:
    """Pairs with the same key, in the order of `before`; and what is left over on each side.

    Where a key occurs more than once, the first goes with the first.
    """
    waiting: defaultdict[Hashable, deque[Row]] = defaultdict(deque)
    for row in after:
        waiting[key(row)].append(row)
    pairs: list[_Pair] = []
    left: list[Row] = []
    for row in before:
        partners = waiting[key(row)]
        if partners:
            pairs.append((row, partners.popleft()))
        else:
            left.append(row)
    unpaired = {row["position"] for partners in waiting.values() for row in partners}
    return pairs, left, [row for row in after if row["position"] in unpaired]


def _longest_in_order(pairs: Sequence[_Pair]) -> set[int]:
    """The positions, in the second list, of the most pairs that kept their order.

    The longest increasing subsequence, by patience sorting: n log n.
    """
    ends: list[int] = []  # of the best run of each length so far
    before: dict[int, int | None] = {}
    for _, row in pairs:
        position: int = row["position"]
        place = bisect_left(ends, position)
        ends[place : place + 1] = [position]
        before[position] = ends[place - 1] if place else None
    kept: set[int] = set()
    at = ends[-1] if ends else None
    while at is not None:
        kept.add(at)
        at = before[at]
    return kept


def _placed(row: Row | None) -> PlacedPiece | None:
    if row is None:
        return None
    return PlacedPiece.model_validate({name: row[name] for name in PlacedPiece.model_fields})
