"""Pages of a list that is filtered by what no index answers, at a bounded cost.

Only a bounded number of rows is examined for one page. So a page may have fewer items than its
limit, even none, and yet a next one: whoever wants all goes on until there is no token.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    RowMapping,
    Select,
    and_,
    func,
    literal,
    or_,
    select,
    true,
)

from app.db.keyset import page_query

EXAMINED = 5_000
"""How many rows are examined for one page at most; they take some 50 ms."""

_KEPT = "is_kept"
_PLACE = "examined_place"


def examined_page_query(
    columns: Sequence[ColumnElement[Any]],
    order: Sequence[ColumnClause[Any]],
    *,
    driven_by: Sequence[ColumnElement[bool]],
    kept_if: Sequence[ColumnElement[bool]],
    position: Sequence[Any] | None,
    limit: int,
    examined: int = EXAMINED,
) -> Select[Any]:
    """The page after the position, newest first, for `examined_page` to read.

    `driven_by` are the conditions that an index on `order` serves, `kept_if` those that each row
    is examined for. `columns` contain those of `order`, which are unique together.
    """
    if not kept_if:
        every = select(*columns, true().label(_KEPT), literal(0).label(_PLACE)).where(*driven_by)
        return page_query(every, order, position, limit, descending=True)
    numbered = select(
        *columns,
        and_(*kept_if).label(_KEPT),
        func.row_number().over(order_by=[column.desc() for column in order]).label(_PLACE),
    ).where(*driven_by)
    window = page_query(numbered, order, position, examined - 1, descending=True).subquery()
    return (
        select(window)
        .where(or_(window.c[_KEPT], window.c[_PLACE] == examined))
        # By the columns, not by the number: so the window is read only as far as is needed.
        .order_by(*(window.c[column.name].desc() for column in order))
        .limit(limit + 1)
    )


def examined_page(
    rows: Sequence[RowMapping],
    limit: int,
    order: Sequence[ColumnClause[Any]],
    *,
    examined: int = EXAMINED,
) -> tuple[list[dict[str, Any]], tuple[Any, ...] | None]:
    """The rows of the page, and the position after which the next begins; None: it was the last."""
    kept = [row for row in rows if row[_KEPT]]
    last: RowMapping | None = None
    if len(kept) > limit:
        last = kept[limit - 1]
    elif rows and rows[-1][_PLACE] == examined:
        last = rows[-1]
    own = {_KEPT, _PLACE}
    items = [
        {name: value for name, value in row.items() if name not in own} for row in kept[:limit]
    ]
    return items, None if last is None else tuple(last[column.name] for column in order)
