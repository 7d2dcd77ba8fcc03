"""Filling: what python-liquid asks its context for, and the nodes that we render otherwise.

The context is where every variable, filter and turn of a loop passes, so that is where time is
looked at and limits are held. It knows no clock, and of values nothing but what JSON has.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any, TextIO

from liquid import BoundTemplate, RenderContext, Token
from liquid.builtin.expressions import StringLiteral
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.capture_tag import CaptureNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.builtin.tags.for_tag import ForLoop, ForNode
from liquid.builtin.tags.tablerow_tag import TableRow
from liquid.undefined import UNDEFINED, is_undefined
from liquid.utils import ReadOnlyChainMap

from app.documents.liquid.escaping import Markdown
from app.documents.liquid.flaws import RefusedError
from app.documents.liquid.limits import (
    ITEM,
    MAX_EXPRESSION,
    MAX_ITEMS,
    MAX_MADE,
    MAX_TURNS,
    Deadline,
)
from app.documents.liquid.values import as_count, as_whole, inserted, not_a
from app.documents.variables import path_text


class Filling(RenderContext):
    """The context of filling one piece once, with data, until a deadline."""

    def __init__(self, template: BoundTemplate, data: Mapping[str, Any], until: Deadline) -> None:
        super().__init__(template, globals=data)
        # python-liquid's own scope has the clock in it, as `now` and `today`.
        self.scope = ReadOnlyChainMap(self.locals, data)
        self.at: Token | None = None
        """What was looked at last: the place of an error that has none."""
        self._until = until
        self._turns = 0
        self._made = 0

    def get(
        self, path: list[object], *, token: Token | None, default: object = UNDEFINED
    ) -> object:
        """The value of a variable."""
        self._look(token)
        value = super().get(path, token=token, default=default)
        if is_undefined(value) and len(path) > 1:
            # python-liquid's own name leaves out indexes.
            name = path_text(tuple(s if isinstance(s, str | int) else None for s in path))
            hint = f"{name[:MAX_EXPRESSION]!r} is undefined"
            return self.env.undefined(name, hint=hint, token=token)
        return value

    def get_item(self, obj: Any, key: Any) -> Any:
        """A member of an object, an item of a list, or what Liquid says of them.

        Raises KeyError or TypeError where there is none; python-liquid makes that undefined.
        """
        match obj:
            case dict() | ForLoop() if key in obj:
                return obj[key]
            case list() if isinstance(key, int) and -len(obj) <= key < len(obj):
                return obj[key]
            case list() if obj and key in {"first", "last"}:
                return obj[0 if key == "first" else -1]
            case dict() | list() | str() if key == "size":
                return len(obj)
        raise KeyError(key)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        """A filter, whose result counts as made, and whose refusals begin with its name."""
        self._look(token)
        function = super().filter(name, token)

        def apply(*values: object, **options: object) -> object:
            try:
                result = function(*values, **options)
            except RefusedError as error:
                raise RefusedError(error.rule, f"{name}: {error.detail}") from error
            self.make(result)
            return result

        return apply

    @contextmanager
    def loop(
        self, namespace: Mapping[str, object], forloop: ForLoop | TableRow
    ) -> Iterator[RenderContext]:
        """A loop, whose turns look at the time."""
        forloop.it = self._timed(forloop.it)
        with super().loop(namespace, forloop) as context:
            yield context

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Refuse more turns than a piece has. python-liquid counts those of nested loops only."""
        self._turns += length
        if self._turns > MAX_TURNS:
            raise RefusedError("limit", f"loops of a piece have at most {MAX_TURNS:,} turns")

    def make(self, value: object) -> None:
        """Count what was made, and refuse more than a piece may make."""
        if isinstance(value, str):
            self._made += len(value)
        elif isinstance(value, list):
            self._made += len(value) * ITEM
        if self._made > MAX_MADE:
            raise RefusedError("limit", f"the piece makes more than {MAX_MADE:,} characters")

    def _timed(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._look(None)
            yield item

    def _look(self, token: Token | None) -> None:
        self.at = token or self.at
        if self._until.passed():
            raise RefusedError("limit", "the time for this document is up")


class InsertNode(OutputNode):
    """`{{ … }}`: inserts a value as Markdown that shows it."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value."""
        value = self.expression.evaluate(context)
        try:
            return buffer.write(inserted(value))
        except RefusedError as error:
            raise RefusedError(error.rule, f"{self.expression}: {error.detail}") from error


class CaptureMarkdownNode(CaptureNode):
    """`{% capture … %}`: what it captured is Markdown, in which data was escaped already."""

    def _assign(self, context: RenderContext, buf: StringIO) -> None:
        text = Markdown(buf.getvalue())
        if isinstance(context, Filling):
            context.make(text)
        context.assign(self.name, text)


class CycleInsertNode(CycleNode):
    """`{% cycle … %}`: inserts one value after the other, as `{{ … }}` does."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Write the value whose turn it is. Equal tags, or those of one group, take turns."""
        name = str(self.group) if self.group else ", ".join(map(str, self.args))
        turn = context.cycle(name, len(self.args)) % len(self.args)
        return buffer.write(inserted(self.args[turn].evaluate(context)))


class ListForNode(ForNode):
    """`{% for … %}`: goes through a list or a range, and through nothing else."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Render the turns, after looking at what is looped over: python-liquid would skip it."""
        iterable = self.expression.iterable
        if isinstance(iterable, RangeLiteral):
            as_whole(iterable.start.evaluate(context))
            as_whole(iterable.stop.evaluate(context))
        items = iterable.evaluate(context)
        if not isinstance(items, list | range):
            raise not_a("list", items)
        length = items.stop - items.start if isinstance(items, range) else len(items)
        if length > MAX_ITEMS:
            raise RefusedError("limit", f"a loop goes through at most {MAX_ITEMS:,} items")
        if (offset := self.expression.offset) and not isinstance(offset, StringLiteral):
            as_count(offset.evaluate(context))
        if (limit := self.expression.limit) and as_count(limit.evaluate(context)) == 0:
            # python-liquid takes 0 for no limit.
            return self.default.render(context, buffer) if self.default else 0
        return super().render_to_output(context, buffer)
