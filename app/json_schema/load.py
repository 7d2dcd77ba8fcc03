"""How much work a schema makes of each value, by how deep the value lies in the data.

Validating is a rule applied to a value, many times. Which rules meet which value is known only
afterwards; but no value meets more than all the rules that the schema has for its depth. So the
work is bounded by a sum over the depths: rules times values, patterns times characters, and exact
comparisons times fractions.

The unit is about 20 ns; the weights were measured one by one (docs/decisions/0017).
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from app.json_levels import MOST_DEPTH, levels
from app.patterns import weight_of

MOST_LOAD = 10_000_000
"""What one validation may cost: about 0.2 s."""


class AtDepth(NamedTuple):
    """What meets one value: per value, per character of a text, and per number with a fraction."""

    rules: int
    pattern_weight: int
    exact: int


Load = tuple[AtDepth, ...]
"""What meets the value itself at most, then each value one level below it, and so on."""

_NOTHING = AtDepth(0, 0, 0)
_CONVERTED = 30  # what is no text and no integer is converted before it is compared
_EXACT = 200  # a comparison of fractions as long as the numbers are large
_DIVIDED = 600  # a division of such


def together(loads: Iterable[Load]) -> Load:
    """The load of several schemas that all apply."""
    return _by_depth(loads, sum)


def either(loads: Iterable[Load]) -> Load:
    """The load of several schemas of which one applies to a value."""
    return _by_depth(loads, max)


def below(load: Load) -> Load:
    """The load of a schema for what lies in the value, or for the names of its members."""
    return (_NOTHING, *load)


def own_load(schema: dict[str, Any]) -> Load:
    """The load of a subschema without those in it."""
    rules = exact = 1
    for keyword, argument in schema.items():
        rules += _RULES[keyword](argument) if keyword in _RULES else 1
        exact += _exact(keyword, argument)
    pattern = schema.get("pattern")
    names = schema.get("patternProperties", ())
    here = AtDepth(rules, weight_of(pattern) if pattern else 0, exact)
    members = AtDepth(len(names), sum(map(weight_of, names)), 0)
    if not schema.get("uniqueItems"):
        return (here, members)
    compared = AtDepth(_CONVERTED, 1, _CONVERTED)
    return together([(here, members), below((compared,) * MOST_DEPTH)])


def load_of_validating(load: Load, document: Any) -> int:
    """What validating the document costs at most."""
    total = 0
    names: list[str] = []
    for at, level in zip(load, levels(document), strict=False):
        texts = [value for value in level if isinstance(value, str)]
        fractions = sum(isinstance(value, float) for value in level)
        total += at.rules * (len(level) + len(names)) + at.exact * fractions
        total += at.pattern_weight * (sum(map(len, texts)) + sum(map(len, names)))
        names = [name for value in level if isinstance(value, dict) for name in value]
    return total


def _by_depth(loads: Iterable[Load], combine: Callable[[Iterable[int]], int]) -> Load:
    return tuple(
        AtDepth(*(combine(counts) for counts in zip(*depth, strict=True)))
        for depth in zip_longest(*loads, fillvalue=_NOTHING)
    )


def _size(value: Any) -> int:
    return sum(map(len, levels(value)))


def _of_value(value: Any) -> int:
    return 1 if isinstance(value, str) else _CONVERTED * _size(value)


def _of_limit(limit: float) -> int:
    return 1 if isinstance(limit, int) else _CONVERTED


_RULES: Mapping[str, Callable[[Any], int]] = {
    "const": _of_value,
    "contains": lambda _: _CONVERTED,
    # Each name is looked for in each object, whether the object has few members or many.
    "dependentRequired": lambda names: 5 * len(names),
    "dependentSchemas": lambda names: 5 * len(names),
    # Texts and integers are looked up, all else is compared one by one.
    "enum": lambda options: (
        3 + sum(_of_value(option) for option in options if not isinstance(option, str | int))
    ),
    "exclusiveMaximum": _of_limit,
    "exclusiveMinimum": _of_limit,
    "format": lambda _: 2 * _CONVERTED,
    "maximum": _of_limit,
    "minimum": _of_limit,
    "multipleOf": lambda divisor: 1 if isinstance(divisor, int) else _DIVIDED,
}
"""What the keywords cost that cost more than one rule."""


def _exact(keyword: str, argument: Any) -> int:
    """What the keyword costs beyond that for a number with a fraction."""
    match keyword:
        case "const":
            return _EXACT
        case "enum":
            return _EXACT * sum(isinstance(option, int | float) for option in argument)
        case "multipleOf":
            return _DIVIDED
        case _:
            return 0
