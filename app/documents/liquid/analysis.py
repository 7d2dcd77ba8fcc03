"""What is wrong with the expressions of a piece whatever the data, and which variables it uses.

python-liquid's own analysis knows neither what the variable of a loop stands for nor what is
tested.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from liquid import BoundTemplate, RenderContext, Token
from liquid.ast import BlockNode, ConditionalBlockNode, Node
from liquid.builtin.expressions import (
    Filter,
    FilteredExpression,
    KeywordArgument,
    LoopExpression,
    Path,
    PositionalArgument,
    StringLiteral,
)
from liquid.builtin.expressions.primitive import (
    Blank,
    Empty,
    FloatLiteral,
    IntegerLiteral,
    Nil,
    RangeLiteral,
)
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.case_tag import CaseNode, MultiExpressionBlockNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.expression import Expression

from app.documents import variables
from app.documents.liquid.dates import CLOCK, is_clock, refuse_pattern
from app.documents.liquid.filters import FILTERS, KEYED, SELECTING, SIGNATURES
from app.documents.liquid.flaws import Flaw, Lines, RefusedError, Rule
from app.documents.liquid.limits import MAX_NESTING, MAX_NUMBER

LOOP_MEMBERS = frozenset({"first", "index", "index0", "last", "length", "rindex", "rindex0"})
"""What `forloop` has beside its `parentloop`."""

_TESTS = (IfNode, UnlessNode, ConditionalBlockNode, CaseNode, MultiExpressionBlockNode)


class Analysis:
    """The walk over one template: its `variables` in order, and the `flaws` that were met."""

    def __init__(self, template: BoundTemplate, lines: Lines) -> None:
        self.variables: list[variables.Variable] = []
        self.flaws: list[Flaw] = []
        self._context = RenderContext(template)
        self._lines = lines
        self._times_named = Counter(_names(self._context, template.nodes))
        self._named: dict[str, variables.Path | None] = {}
        """What `assign` and `capture` named on every way to here, and the path that it stands for,
        if any. What they named on some way only may be the data's here, so it is taken for that."""
        self._loops: list[dict[str, variables.Path | None]] = []
        """The same for the variables of the loops around."""
        self._tested: frozenset[variables.Path] = frozenset()
        for node in template.nodes:
            self._visit(node)

    def _visit(self, node: Node) -> None:
        match node:
            case AssignNode():
                path = self._value(node.expression)
                self._named[node.name] = path if self._times_named[node.name] == 1 else None
            case ForNode():
                items = self._loop(node.expression)
                item = None if items is None else (*items, None)
                self._loops.append({"forloop": None, node.expression.identifier: item})
                self._visit_branches([node.block], one_is_taken=False)
                self._loops.pop()
                self._visit_branches([node.default] if node.default else [], one_is_taken=False)
            case OutputNode() | CycleNode():
                for expression in node.expressions():
                    self._value(expression)
                    self._refuse_constant(expression)
            case _:
                around = self._tested
                if isinstance(node, _TESTS):
                    self._tested |= {path for e in node.expressions() for path in self._paths(e)}
                for expression in node.expressions():
                    self._value(expression)
                self._visit_inside(node)
                self._tested = around
                if isinstance(node, CaptureNode):
                    self._named[node.name] = None

    def _visit_inside(self, node: Node) -> None:
        inside = list(node.children(self._context, include_partials=False))
        if isinstance(node, CaseNode | IfNode | UnlessNode):
            has_else = len(inside) > 1 and isinstance(inside[-1], BlockNode)
            self._visit_branches(inside, one_is_taken=has_else)
        else:
            for child in inside:
                self._visit(child)

    def _visit_branches(self, branches: Iterable[Node], *, one_is_taken: bool) -> None:
        """Look at nodes of which at most one is rendered. What all of them name is named after."""
        before = self._named
        after = []
        for branch in branches:
            self._named = dict(before)
            self._visit(branch)
            after.append(self._named)
        self._named = before
        if one_is_taken:
            first, *others = after
            self._named |= {name: None for name in first if all(name in o for o in others)}

    def _refuse_constant(self, expression: Expression) -> None:
        """Refuse to show, or to go through, what is there to be compared with."""
        left, filters = expression, []
        if isinstance(expression, FilteredExpression):
            left, filters = expression.left, expression.filters or []
        if isinstance(left, Nil) and filters and filters[0].name == "default":
            return
        if isinstance(left, Nil | Empty | Blank):
            detail = f"{left.token.value} is for comparisons only: there is nothing in it"
            self._flaw(left.token, detail, "value")

    def _value(self, expression: Expression, depth: int = 1) -> variables.Path | None:
        """Look at an expression; answer with the path from the data that it stands for, if any."""
        if depth > MAX_NESTING:
            self._flaw(expression.token, f"expressions nest at most {MAX_NESTING} deep", "limit")
            return None
        match expression:
            case FilteredExpression():
                return self._filtered(expression, depth)
            case RangeLiteral():
                self._flaw(expression.token, "a range stands in for only", "syntax")
            case IntegerLiteral() | FloatLiteral() if not abs(expression.value) <= MAX_NUMBER:
                self._flaw(expression.token, f"a number is at most ±{MAX_NUMBER}", "limit")
        for inner in expression.children():
            self._value(inner, depth + 1)
        if not isinstance(expression, Path):
            return None
        path = self._path(expression)
        if path is not None:
            self._use(path, expression.token)
        return path

    def _loop(self, expression: LoopExpression) -> variables.Path | None:
        """Look at what a loop goes through; answer with its path, if any."""
        first, *others = expression.children()
        for bound in others:
            self._value(bound)
        self._refuse_constant(first)
        if not isinstance(first, RangeLiteral):
            return self._value(first)
        for bound in first.children():
            self._value(bound)
        return None

    def _filtered(self, expression: FilteredExpression, depth: int) -> variables.Path | None:
        filters = expression.filters or []
        around = self._tested
        if filters and filters[0].name == "default":
            self._tested |= set(self._paths(expression.left))
        path = self._value(expression.left, depth + 1)
        self._tested = around
        literals = [expression.left]
        for filter_ in filters:
            self._check(filter_)
            for argument in filter_.children():
                self._value(argument, depth + 1)
            if filter_.name == "date":
                self._check_clock(literals)
            literals += filter_.children()
            key = _key(filter_)
            if path is not None and key is not None:
                keyed = (*path, None, key)
                # An item may be without it: it has null there.
                self._use(keyed, filter_.token, self._tested | {keyed})
            path = None if path is None else _after(filter_, path)
        return path

    def _check(self, filter_: Filter) -> None:
        if filter_.name not in FILTERS:
            self._flaw(filter_.token, f"there is no filter {filter_.name!r}", "filter")
            return
        named = {a.name: a.value for a in filter_.args if isinstance(a, KeywordArgument)}
        positional = [a.value for a in filter_.args if isinstance(a, PositionalArgument)]
        try:
            SIGNATURES[filter_.name].bind(None, *positional, **named)
        except TypeError as error:
            self._flaw(filter_.token, f"{filter_.name}: {error}", "filter")
        if filter_.name == "date" and positional and isinstance(positional[0], StringLiteral):
            try:
                refuse_pattern(positional[0].value)
            except RefusedError as error:
                self._flaw(filter_.token, f"date: {error.detail}", error.rule)

    def _check_clock(self, literals: Iterable[Expression]) -> None:
        for literal in literals:
            if isinstance(literal, StringLiteral) and is_clock(literal.value):
                self._ask_clock(literal.token, literal.value)

    def _ask_clock(self, token: Token, name: str) -> None:
        self._flaw(token, f"{name!r} would be another date every day: take one from data", "clock")

    def _use(
        self, path: variables.Path, token: Token, tested: frozenset[variables.Path] | None = None
    ) -> None:
        if path[0] in CLOCK:
            self._ask_clock(token, str(path[0]))
            return
        line, column = self._lines.place(token.start_index)
        self.variables.append(variables.Variable(path, line, column, tested or self._tested))

    def _paths(self, expression: Expression) -> Iterator[variables.Path]:
        if isinstance(expression, Path) and (path := self._path(expression)) is not None:
            yield path
        for inner in expression.children():
            yield from self._paths(inner)

    def _path(self, expression: Path) -> variables.Path | None:
        """The path from the data; None for what the template made itself."""
        head, *rest = expression.path
        if not isinstance(head, str):
            self._flaw(expression.token, "a variable begins with its name", "syntax")
            return None
        base: variables.Path | None = (head,)
        for scope in (self._named, *self._loops):
            base = scope.get(head, base)
        if base is None:
            if head == "forloop" and self._loops:
                self._check_loop(expression, rest)
            return None
        return (*base, *(None if isinstance(segment, Path) else segment for segment in rest))

    def _check_loop(self, expression: Path, rest: Sequence[object]) -> None:
        """Refuse what no loop has. Where data names the member, that can't be known."""
        if any(isinstance(segment, Path) for segment in rest):
            return
        *around, member = rest or [None]
        is_loop = len(around) < len(self._loops) and set(around) <= {"parentloop"}
        if not is_loop or member not in LOOP_MEMBERS:
            known = ", ".join(sorted(LOOP_MEMBERS))
            detail = f"there is no {expression}: a loop has {known}; one in another a parentloop"
            self._flaw(expression.token, detail, "undefined")

    def _flaw(self, token: Token, detail: str, rule: Rule) -> None:
        self.flaws.append(self._lines.flaw(token.start_index, detail, rule))


def _names(context: RenderContext, nodes: Iterable[Node]) -> Iterator[str]:
    """What `assign` and `capture` name, as often as they do."""
    for node in nodes:
        if isinstance(node, AssignNode | CaptureNode):
            yield node.name
        yield from _names(context, node.children(context, include_partials=False))


def _key(filter_: Filter) -> str | None:
    """The member of items that a filter names, where it names one in the template."""
    if filter_.name in KEYED and filter_.args:
        first = filter_.args[0].value
        return first.value if isinstance(first, StringLiteral) else None
    return None


def _after(filter_: Filter, path: variables.Path) -> variables.Path | None:
    """What the result of a filter stands for, when it is applied to what stands for the path."""
    if filter_.name in SELECTING:
        return path
    if filter_.name in {"first", "last"}:
        return (*path, None)
    if filter_.name == "default" and not any(
        isinstance(instead, Path) for instead in filter_.children()
    ):
        return path
    return None
