"""The filters that pieces may use: functions of values of JSON, without a clock and without chance.

Any other is refused. A filter costs about what its values are large: none makes a list longer, and
a text is refused before it grows beyond what is taken.
"""

from collections.abc import Callable
from inspect import signature

from liquid.undefined import is_undefined

from app.documents.liquid.list_filters import LIST_FILTERS
from app.documents.liquid.number_filters import NUMBER_FILTERS
from app.documents.liquid.text_filters import TEXT_FILTERS


def default(value: object, instead: object = "", *, allow_false: object = False) -> object:
    """The value, or the other where it is missing, null, false or empty."""
    if is_undefined(value) or value is None or (value is False and allow_false is not True):
        return instead
    return instead if isinstance(value, str | list | dict) and not value else value


FILTERS: dict[str, Callable[..., object]] = {
    **TEXT_FILTERS,
    **LIST_FILTERS,
    **NUMBER_FILTERS,
    "default": default,
}

SIGNATURES = {name: signature(function) for name, function in FILTERS.items()}
"""What each takes, the value that it is applied to first."""

KEYED = frozenset({"compact", "map", "reject", "sort", "sort_natural", "sum", "uniq", "where"})
"""Those whose first argument names a member of the items."""

SELECTING = KEYED - {"map", "sum"} | {"reverse", "slice"}
"""Those that answer with items of the list that they take."""
