"""One page of a list, as a query: after a position, in order, and one row more than the page."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, tuple_


def page_query(
    query: Select[Any],
    columns: Sequence[ColumnElement[Any]],
    position: Sequence[Any] | None,
    limit: int,
    *,
    descending: bool = False,
) -> Select[Any]:
    """The query, sorted by the columns and begun after the position (None: at the start).

    It asks for one row more than `limit`: whether that one comes says whether there is a next
    page. The columns must be unique together; an index on them serves the comparison of rows.
    """
    if position is not None:
        key = tuple_(*columns)
        place = tuple_(
            *(literal(value, column.type) for value, column in zip(position, columns, strict=True))
        )
        query = query.where(key < place if descending else key > place)
    order = [column.desc() if descending else column.asc() for column in columns]
    return query.order_by(*order).limit(limit + 1)
