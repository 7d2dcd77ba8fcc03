"""Filters of lists. None makes a list longer than the one that it takes.

A key names a member of the items, which then must be objects; an item without it has null there.
"""

import json
from collections.abc import Callable
from typing import Any

from liquid.undefined import is_undefined

from app.documents.liquid.flaws import RefusedError
from app.documents.liquid.number_filters import plus
from app.documents.liquid.values import (
    as_count,
    as_list,
    as_text,
    as_whole,
    not_a,
    refuse_longer,
)

_ABSENT: Any = object()


def compact(value: object, key: object = None) -> list[Any]:
    """The items that are not null, or have something else than null there."""
    return [item for item in as_list(value) if _key_of(item, key) is not None]


def first(value: object) -> object:
    """The first item, or null."""
    return next(iter(as_list(value)), None)


def join(value: object, separator: object = " ") -> str:
    """The items as one text."""
    texts, between = [as_text(item) for item in as_list(value)], as_text(separator)
    refuse_longer(sum(map(len, texts)) + len(between) * max(len(texts) - 1, 0))
    return between.join(texts)


def last(value: object) -> object:
    """The last item, or null."""
    return next(reversed(as_list(value)), None)


def map_(value: object, key: object) -> list[Any]:
    """What the items have there."""
    return [_key_of(item, as_text(key)) for item in as_list(value)]


def reject(value: object, key: object, wanted: object = _ABSENT) -> list[Any]:
    """The items that `where` leaves out."""
    return [item for item in as_list(value) if not _has(item, as_text(key), wanted)]


def reverse(value: object) -> list[Any]:
    """The other way round."""
    return as_list(value)[::-1]


def size(value: object) -> int:
    """How many items, characters or members."""
    if not isinstance(value, list | str | dict):
        raise not_a("list or text", value)
    return len(value)


def slice_(value: object, start: object, length: object = 1) -> object:
    """So many characters or items from there on; a start below 0 counts from the end."""
    whole = as_list(value) if isinstance(value, list) else as_text(value)
    begin, count = as_whole(start), as_count(length)
    begin += len(whole) if begin < 0 else 0
    return whole[begin : begin + count] if begin >= 0 else whole[:0]


def sort(value: object, key: object = None) -> list[Any]:
    """From small to large, by what the items have there; those with null come last."""
    return _sorted(value, key, lambda found: found)


def sort_natural(value: object, key: object = None) -> list[Any]:
    """From A to Z, whatever the case, by what the items have there; those with null come last."""
    return _sorted(value, key, lambda found: as_text(found).casefold())


def sum_(value: object, key: object = None) -> object:
    """The sum of the items, or of what they have there."""
    total: object = 0
    for item in as_list(value):
        total = plus(total, _key_of(item, key))
    return total


def uniq(value: object, key: object = None) -> list[Any]:
    """The items without those that are like an earlier one, or have the same there."""
    kept: dict[str, Any] = {}
    for item in as_list(value):
        kept.setdefault(json.dumps(_key_of(item, key), sort_keys=True), item)
    return list(kept.values())


def where(value: object, key: object, wanted: object = _ABSENT) -> list[Any]:
    """The items that have that value there; without a value, anything but false or null."""
    return [item for item in as_list(value) if _has(item, as_text(key), wanted)]


def _sorted(value: object, key: object, order: Callable[[Any], Any]) -> list[Any]:
    found = [(_key_of(item, key), item) for item in as_list(value)]
    present = [(order(by), item) for by, item in found if by is not None]
    try:
        present.sort(key=lambda pair: pair[0])
    except TypeError:
        raise RefusedError("value", "can't put values of different kinds in order") from None
    return [item for _, item in present] + [item for by, item in found if by is None]


def _has(item: object, key: str, wanted: object) -> bool:
    found = _key_of(item, key)
    if is_undefined(wanted):
        raise not_a("value", wanted)
    if wanted is _ABSENT:
        return found is not None and found is not False
    # For Python, true is 1.
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def _key_of(item: Any, key: object) -> Any:
    """What the item has under the key, or the item itself where there is no key."""
    if key is None:
        return item
    if not isinstance(item, dict):
        raise RefusedError("value", f"needs a list of objects to look for {as_text(key)!r}")
    return item.get(as_text(key))


LIST_FILTERS: dict[str, Callable[..., object]] = {
    "compact": compact,
    "first": first,
    "join": join,
    "last": last,
    "map": map_,
    "reject": reject,
    "reverse": reverse,
    "size": size,
    "slice": slice_,
    "sort": sort,
    "sort_natural": sort_natural,
    "sum": sum_,
    "uniq": uniq,
    "where": where,
}
