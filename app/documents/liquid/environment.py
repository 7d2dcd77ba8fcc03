"""What python-liquid may do for us: its tags that documents need, our filters, no loader."""

from collections.abc import Sequence

from liquid import BoundTemplate, Environment, Token
from liquid.ast import IllegalNode, Node
from liquid.builtin.content import Literal
from liquid.builtin.output import Output
from liquid.builtin.tags.assign_tag import AssignTag
from liquid.builtin.tags.capture_tag import CaptureTag
from liquid.builtin.tags.case_tag import CaseTag
from liquid.builtin.tags.cycle_tag import CycleTag
from liquid.builtin.tags.for_tag import BreakTag, ContinueTag, ForTag
from liquid.builtin.tags.if_tag import IfTag
from liquid.builtin.tags.unless_tag import UnlessTag
from liquid.exceptions import LiquidError
from liquid.parser import get_parser
from liquid.stream import TokenStream
from liquid.tag import Tag
from liquid.token import TOKEN_EXPRESSION, TOKEN_ILLEGAL
from liquid.undefined import FalsyStrictUndefined

from app.documents.liquid.filters import FILTERS
from app.documents.liquid.flaws import Flaw, Lines
from app.documents.liquid.limits import MAX_OUTPUT
from app.documents.liquid.rendering import (
    CaptureMarkdownNode,
    CycleInsertNode,
    InsertNode,
    ListForNode,
)


class _Insert(Output):
    node_class = InsertNode


class _Capture(CaptureTag):
    node_class = CaptureMarkdownNode


class _Cycle(CycleTag):
    node_class = CycleInsertNode


class _For(ForTag):
    node_class = ListForNode


class _Ignored(Tag):
    """A tag that stands where none can. The lexer leaves none: it is what an error left behind."""

    name = TOKEN_ILLEGAL
    block = False

    def parse(self, stream: TokenStream) -> Node:
        """Skip it."""
        token = stream.current
        if stream.peek.kind == TOKEN_EXPRESSION:
            next(stream)
        return IllegalNode(token)


class _Placed(Tag):
    """A tag whose place is remembered while it is parsed: errors at its end have none."""

    def __init__(self, tag: Tag, parsing: "_PieceEnvironment") -> None:
        super().__init__(parsing)
        self.name, self.block, self.end = tag.name, tag.block, tag.end
        self._tag = tag
        self._parsing = parsing

    def parse(self, stream: TokenStream) -> Node:
        """Parse what the tag parses."""
        self._parsing.at = stream.current
        return self._tag.parse(stream)


class _PieceEnvironment(Environment):
    """The environment of one piece. Parsing collects the errors in expressions, and goes on."""

    output_stream_limit = MAX_OUTPUT
    """Also of what is captured."""

    def __init__(self) -> None:
        self.errors: list[tuple[LiquidError, Token | None]] = []
        self.at: Token | None = None
        super().__init__(undefined=FalsyStrictUndefined)

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:  # noqa: ARG002 - theirs
        """Register what is allowed, and nothing else."""
        for tag in (
            Literal,
            _Insert,
            AssignTag,
            BreakTag,
            CaseTag,
            ContinueTag,
            IfTag,
            UnlessTag,
            _Capture,
            _Cycle,
            _For,
        ):
            self.tags[tag.name] = _Placed(tag(self), self)
        self.tags[TOKEN_ILLEGAL] = _Ignored(self)
        self.filters |= FILTERS

    def error(
        self,
        exc: type[LiquidError] | LiquidError,
        msg: str | None = None,
        token: Token | None = None,
    ) -> None:
        """Collect an error, and the tag that it is in."""
        error = exc if isinstance(exc, LiquidError) else exc(msg, token=token)
        self.errors.append((error, self.at))


def parse(tokens: Sequence[Token], lines: Lines) -> tuple[BoundTemplate, list[Flaw]]:
    """The template that the lexer's tokens make, and the flaws of its expressions."""
    environment = _PieceEnvironment()
    nodes = get_parser(environment).parse(TokenStream(iter(tokens)))
    flaws = [lines.flaw_of(error, at) for error, at in environment.errors]
    return BoundTemplate(environment, nodes), flaws
