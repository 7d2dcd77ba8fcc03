"""What evaluating an expression costs at most, told from its tree and the size of what it asks for.

An evaluation can't be interrupted, and few characters make a long one: the engine copies the list
that `map` and `filter` build once for each item, and macros lie within each other. So the cost is
added up beforehand, of values as large as any that may stand there.

The unit is about a nanosecond; the figures were measured (docs/decisions/0017).
"""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, NamedTuple

from app.expressions.binding import Pattern, Reference
from app.expressions.tree import (
    Call,
    Has,
    Index,
    Literal,
    Macro,
    Name,
    Node,
    Select,
    parts,
)

MOST_COST = 40_000_000
"""What evaluations that belong together may cost: 40 ms. What is built costs two units a byte, so
this bounds the memory too."""

MOST_VALUES = 10_000
"""How many values what an expression refers to may have: each takes up to 5 µs to hand over."""


class AtDepth(NamedTuple):
    """The largest of the values that lie so deep: of how many items, and how many bytes in all."""

    items: int
    size: int


Extent = tuple[AtDepth, ...]
"""How large a value is at most: itself, then whatever lies one level below it, and so on."""

_VALUE = 32  # bytes that a number takes
_TEXT = 48  # and its characters
_LIST = 160  # what copying a list takes, beside its items, as bytes
_MAP = 240
_STEP = 100
_ITEM = 400  # what a macro does for each item beside its steps
_COPYING = 2  # a byte
_ANSWERING = 10  # a byte that becomes Python's
_COMPILING = 10_000  # a pattern, for each of its weight
_MATCHING = 12  # a byte, for each of the pattern's weight

SCALAR: Extent = (AtDepth(0, _VALUE),)


class TooManyValuesError(Exception):
    """There are more values than an expression may refer to."""


def extent_of(value: Any) -> tuple[int, Extent]:
    """How many values from JSON there are, names included, and how large they are.

    Raises TooManyValuesError where there are more than an expression may refer to.
    """
    measured = _Measured()
    measured.add(value, 0)
    return measured.values, tuple(map(AtDepth, measured.items, measured.sizes))


class _Measured:
    """The number of values so far, and by depth the items and the size of the largest."""

    def __init__(self) -> None:
        self.values = 0
        self.items: list[int] = []
        self.sizes: list[int] = []

    def add(self, value: Any, depth: int) -> int:
        """Take a value into account; answers its size."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise TooManyValuesError
        if depth == len(self.items):
            self.items.append(0)
            self.sizes.append(0)
        count, size = 0, _VALUE
        if isinstance(value, str):
            size = _TEXT + len(value if value.isascii() else value.encode("utf-8", "replace"))
        elif isinstance(value, dict):
            count, size = len(value), _MAP
            for name, member in value.items():
                size += self.add(name, depth + 1) + self.add(member, depth + 1)
        elif isinstance(value, list):
            count, size = len(value), _LIST
            for item in value:
                size += self.add(item, depth + 1)
        self.items[depth] = max(self.items[depth], count)
        self.sizes[depth] = max(self.sizes[depth], size)
        return size


class Budget:
    """What is left for evaluations that belong together, such as those of one route."""

    def __init__(self) -> None:
        self._left = MOST_COST

    def spend(self, cost: int) -> bool:
        """Whether so much is left; then it is spent."""
        if cost > self._left:
            return False
        self._left -= cost
        return True


class CostBound:
    """What evaluating an expression costs at most, for data of any size."""

    def __init__(self, root: Node) -> None:
        nodes = list(parts(root))
        weight = sum(node.weight for node in nodes if isinstance(node, Pattern))
        self._root = root
        self._has_macro = any(isinstance(node, Macro) for node in nodes)
        self._references = [node.variable for node in nodes if isinstance(node, Reference)]
        self._fixed = _STEP * len(nodes) + _COMPILING * weight
        self._for_each_byte = (1 + _COPYING) * len(nodes) + _MATCHING * weight + _ANSWERING
        self._bytes = _MAP * len(nodes) + root.end - root.begin

    def spend(self, budget: Budget, extents: Mapping[str, Extent]) -> bool:
        """Whether the budget allows for it, with references of such extents; then it is spent."""
        if not self._has_macro:
            # No part handles more bytes than all references and literals have. That is told in a
            # fraction of the time of an evaluation, and nearly always enough.
            size = self._bytes
            for variable in self._references:
                size += extents[variable][0].size
            if budget.spend(self._fixed + self._for_each_byte * size):
                return True
        cost, answer = _cost(self._root, extents)
        return budget.spend(cost + _ANSWERING * answer[0].size)


def _cost(node: Node, extents: Mapping[str, Extent]) -> tuple[int, Extent]:
    match node:
        case Reference(variable=variable) | Name(name=variable):
            return _STEP + extents[variable][0].size, extents[variable]
        case Select(operand=operand) | Index(operand=operand):
            cost, extent = _cost(operand, extents)
            found = extent[1:] or SCALAR
            if isinstance(node, Index):
                cost += _cost(node.key, extents)[0]
            return cost + _STEP + _COPYING * found[0].size, found
        case Has(select=select):
            return _cost(select, extents)[0], SCALAR
        case Macro():
            return _cost_of_macro(node, extents)
        case Call():
            return _cost_of_call(node, extents)
        case _:
            return _STEP, extent_of(node.value if isinstance(node, Literal) else None)[1]


def _cost_of_macro(node: Macro, extents: Mapping[str, Extent]) -> tuple[int, Extent]:
    cost, over = _cost(node.range, extents)
    times = over[0].items
    item = over[1:] or SCALAR
    steps = [_cost(step, {**extents, node.variable: item}) for step in node.steps]
    each = _ITEM + _COPYING * item[0].size + sum(step_cost for step_cost, _ in steps)
    # The range is copied once, and a list so far twice for each item.
    cost += _STEP + times * each + _COPYING * over[0].size
    if not node.makes_a_list:
        return cost, SCALAR
    built = steps[-1][1] if node.macro == "map" else item
    cost += _COPYING * times * times * built[0].size
    return cost, (AtDepth(times, _LIST + times * built[0].size), *built)


def _cost_of_call(node: Call, extents: Mapping[str, Extent]) -> tuple[int, Extent]:
    if node.function == "matches":
        return _cost_of_matching(node.operands, extents)
    told = [_cost(operand, extents) for operand in node.operands]
    cost = _STEP + sum(part_cost for part_cost, _ in told)
    operands = [extent for _, extent in told]
    total = sum(extent[0].size for extent in operands)
    match node.function:
        case "[]" | "{}" as brackets:
            size = (_LIST if brackets == "[]" else _MAP) + total
            return cost + _COPYING * size, (AtDepth(len(operands), size), *_either(operands))
        case "?:":
            return cost, _either(operands[1:])
        case "+":
            items = sum(extent[0].items for extent in operands)
            below = _either([extent[1:] for extent in operands])
            return cost + _COPYING * total, (AtDepth(items, total), *below)
        case _:
            # Compared, looked for, looked in, read or written: byte by byte at worst.
            return cost + _COPYING * total, SCALAR


def _cost_of_matching(
    operands: tuple[Node, ...], extents: Mapping[str, Extent]
) -> tuple[int, Extent]:
    target, pattern = operands
    cost, extent = _cost(target, extents)
    weight = pattern.weight if isinstance(pattern, Pattern) else 0
    return cost + weight * (_COMPILING + _MATCHING * extent[0].size), SCALAR


def _either(extents: list[Extent]) -> Extent:
    return tuple(
        AtDepth(max(one.items for one in depth), max(one.size for one in depth))
        for depth in zip_longest(*extents, fillvalue=AtDepth(0, 0))
    )
