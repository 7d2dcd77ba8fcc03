"""A rule for the parser of Markdown that asks only the rules which a line may be about.

Most lines begin with a letter. The parser asks ten rules about each, of which seven look at its
first character and say no.
"""

from collections.abc import Sequence

from markdown_it.parser_block import RuleFuncBlockType
from markdown_it.rules_block import (
    StateBlock,
    blockquote,
    code,
    fence,
    heading,
    hr,
    lheading,
    list_block,
    paragraph,
    reference,
)

from app.documents.tables import table

_Rules = Sequence[RuleFuncBlockType]

_BY_CHARACTER: dict[str, _Rules] = {
    **dict.fromkeys("`~", (fence,)),
    ">": (blockquote,),
    **dict.fromkeys("*-", (hr, list_block)),
    "_": (hr,),
    **dict.fromkeys("+0123456789", (list_block,)),
    "[": (reference,),
    "#": (heading,),
}
_RULES: dict[str, _Rules] = {
    character: (table, *rules, lheading, paragraph) for character, rules in _BY_CHARACTER.items()
}
"""In the parser's order."""

_ALWAYS: _Rules = (table, lheading, paragraph)


def block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Read the block that begins at the line `start`, which is not empty: there always is one."""
    if state.is_code_block(start):
        return code(state, start, end, silent)
    first = state.src[state.bMarks[start] + state.tShift[start]]
    return any(rule(state, start, end, silent) for rule in _RULES.get(first, _ALWAYS))
