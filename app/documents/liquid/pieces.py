"""Pieces of text/markdown: parsed once, filled often."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from liquid import BoundTemplate
from liquid.exceptions import LiquidError
from liquid.output import LimitedStringIO

from app.documents.liquid.analysis import Analysis
from app.documents.liquid.code_contexts import placeholders_in_code
from app.documents.liquid.environment import parse
from app.documents.liquid.flaws import FlawedError, Lines, UnfillableError
from app.documents.liquid.lexer import Lexer
from app.documents.liquid.limits import MAX_OUTPUT, Deadline
from app.documents.liquid.rendering import Filling
from app.documents.variables import Variable

CACHED = 256
"""Pieces that are kept parsed, those that were used last. A large one takes about 1 MiB."""


class PieceTemplate:
    """A piece that can be filled, and each use of a variable in it, in order."""

    __slots__ = ("_body", "_template", "variables")

    def __init__(
        self, body: str, template: BoundTemplate | None, variables: tuple[Variable, ...]
    ) -> None:
        self._body = body
        self._template = template
        self.variables = variables

    def fill(self, data: Mapping[str, Any], until: Deadline) -> str:
        """The piece's Markdown with the data in its places, in which the data is but text.

        The same for the same data, whatever the time and the machine. `data` is JSON as
        `app.strict_json` takes it, and its size that of an item.

        Raises UnfillableError: where data is missing or of the wrong kind, at the limits of
        `app.documents.liquid.limits`, and when the deadline has passed.
        """
        if self._template is None:
            return self._body
        filling = Filling(self._template, data, until)
        output = LimitedStringIO(limit=MAX_OUTPUT)
        for node in self._template.nodes:
            filling.at = node.token
            try:
                node.render(filling, output)
            except LiquidError as error:
                flaw = Lines(self._body).flaw_of(error, filling.at)
                raise UnfillableError(flaw) from error
        return output.getvalue()


def parse_piece(body: str) -> PieceTemplate:
    """The template of a piece of text/markdown. A text without placeholders is one, too.

    Raises FlawedError with all that is wrong with it.
    """
    if "{{" not in body and "{%" not in body:
        return PieceTemplate(body, None, ())
    return _parse(body)


@lru_cache(maxsize=CACHED)
def _parse(body: str) -> PieceTemplate:
    lines = Lines(body)
    lexer = Lexer(body, lines)
    template, flaws = parse(lexer.tokens, lines)
    analysis = Analysis(template, lines)
    flaws += lexer.flaws
    flaws += analysis.flaws
    flaws += (
        lines.flaw(token.start_index, "nothing can be escaped in code: use {{ … | code }}", "code")
        for token in placeholders_in_code(lexer.tokens)
    )
    if flaws:
        raise FlawedError(flaws)
    return PieceTemplate(body, template, tuple(analysis.variables))
