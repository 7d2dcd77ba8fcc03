"""Placeholders within Markdown's code, where nothing can be escaped: neither a backslash nor a
character reference means anything there, and a backtick or a line break may end it.
"""

import re
from collections.abc import Iterable, Iterator

from liquid import Token
from liquid.token import TOKEN_CONTENT, TOKEN_OUTPUT
from markdown_it import MarkdownIt

# Nothing but what begins code, or tells where a block is: so its time is linear in the text.
_PARSER = MarkdownIt("zero").enable(
    ["blockquote", "code", "fence", "heading", "list", "backticks", "escape"]
)
_CODE = re.compile(r"`|~~~|^(?: {4}|\t)", re.MULTILINE)
_MARK = re.compile("\ue000([0-9]+)\ue001")


def placeholders_in_code(tokens: Iterable[Token]) -> Iterator[Token]:
    """Those of the lexer's placeholders that stand in code, where all blocks of a piece are shown.

    Each is marked by private characters, which Markdown takes for letters.
    """
    placeholders: list[Token] = []
    text = ""
    for token in tokens:
        if token.kind == TOKEN_CONTENT:
            text += token.value
        elif token.kind == TOKEN_OUTPUT:
            text += f"\ue000{len(placeholders)}\ue001"
            placeholders.append(token)
    for block in _PARSER.parse(text) if _CODE.search(text) else ():
        for part in (block, *(block.children or ())):
            if part.type in {"code_block", "code_inline", "fence"}:
                for number in _MARK.findall(part.content + part.info):
                    yield placeholders[int(number)]
