"""Code blocks that a text leaves open, and that would take in whatever is written after it."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

# Nothing but what tells where a fence is.
_PARSER = MarkdownIt("zero").enable(
    ["blockquote", "code", "fence", "heading", "hr", "lheading", "list"]
)
_AFTER = "\n\n\ue000"
"""What is written after the text: a paragraph, unless a code block takes it in."""


def is_fenced(text: str) -> bool:
    """Whether the text may have a code block between fences."""
    return "```" in text or "~~~" in text


def closed(text: str) -> str:
    """The text of Markdown, with the fence that its last code block lacks, if it lacks one.

    What is open in a list or a quote ends with that.
    """
    if not is_fenced(text):
        return text
    tokens: list[Token] = []
    # Inline text, which is what costs, opens nothing that outlives its paragraph.
    _PARSER.block.parse(re.sub(r"\r\n?", "\n", text) + _AFTER, _PARSER, {}, tokens)
    last = tokens[-1]
    return f"{text}\n{last.markup}\n" if last.type == "fence" else text
