"""An expression as a tree, in which each part knows its place in the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Node:
    """A part of an expression, and where in the text it begins and ends."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A string, a number, true, false or null."""

    value: str | float | bool | None


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`operand.field`."""

    operand: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`operand[key]`."""

    operand: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function, a method or an operator; a method's target is the first of its operands.

    Operators are told by their symbols, `!_` and `-_` those with one operand, `?:` the condition,
    `[]` a list and `{}` a map, whose operands are its keys and values in turn.
    """

    function: str
    operands: tuple[Node, ...]
    is_method: bool = False


@dataclass(frozen=True, slots=True)
class Has(Node):
    """`has(operand.field)`."""

    select: Select


@dataclass(frozen=True, slots=True)
class Macro(Node):
    """`range.macro(variable, steps…)`."""

    macro: str
    range: Node
    variable: str
    steps: tuple[Node, ...]

    @property
    def makes_a_list(self) -> bool:
        """Whether it is a list, and no condition."""
        return self.macro in ("filter", "map")


def children(node: Node) -> tuple[Node, ...]:
    """The parts of a part, in the order of the text."""
    match node:
        case Select(operand=operand):
            return (operand,)
        case Index(operand=operand, key=key):
            return (operand, key)
        case Call(operands=operands):
            return operands
        case Has(select=select):
            return (select.operand,)
        case Macro(range=over, steps=steps):
            return (over, *steps)
        case _:
            return ()


def parts(node: Node) -> Iterator[Node]:
    """The part and all parts in it, in the order of the text."""
    yield node
    for child in children(node):
        yield from parts(child)


def rebuilt(node: Node, others: Sequence[Node]) -> Node:
    """The part with others in place of its `children`."""
    match node:
        case Select():
            return replace(node, operand=others[0])
        case Index():
            return replace(node, operand=others[0], key=others[1])
        case Call():
            return replace(node, operands=tuple(others))
        case Has(select=select):
            return replace(node, select=replace(select, operand=others[0]))
        case Macro():
            return replace(node, range=others[0], steps=tuple(others[1:]))
        case _:
            return node


def conjuncts(node: Node) -> Iterator[Node]:
    """The conditions that `&&` joins at the top, in their order; the node itself where none is."""
    match node:
        case Call(function="&&", operands=(left, right)):
            yield from conjuncts(left)
            yield from conjuncts(right)
        case _:
            yield node
