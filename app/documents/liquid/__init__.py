"""Pieces of text/markdown: Markdown with Liquid placeholders, filled with an instance's data.

    body → tokens (lexer) → nodes (python-liquid) → what is wrong (analysis) → PieceTemplate
    PieceTemplate + data → text in which data can't be taken for Markdown

What authors may write stands in docs/pieces.md. Data is JSON as `app.strict_json` takes it.
"""

from app.documents.liquid.flaws import Flaw, FlawedError, Rule, UnfillableError
from app.documents.liquid.limits import Deadline
from app.documents.liquid.pieces import PieceTemplate, parse_piece

__all__ = [
    "Deadline",
    "Flaw",
    "FlawedError",
    "PieceTemplate",
    "Rule",
    "UnfillableError",
    "parse_piece",
]
