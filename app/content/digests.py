"""The digests that template files come to: docs/digests.md, without a database."""

import hashlib
from collections.abc import Sequence

from app.content.models import CreateFile, Edit, Insert, Move, Piece, Remove, TemplateFile

_Placed = tuple[str, str]
"""A role, and the digest of the content in it."""


def content_digest(piece: Piece) -> str:
    """The digest of a piece's content, as 64 hex digits."""
    text = f"{piece.media_type}\n{piece.title}\n{piece.body}"
    return hashlib.sha256(text.encode()).hexdigest()


def composition_digests_before(contents: Sequence[TemplateFile]) -> list[str | None]:
    """For each file of several that follow each other: what its family's pieces come to before it.

    None where the file makes the family. Raises KeyError for edits to a family that none of them
    makes, and IndexError for positions that are not there.
    """
    families: dict[str, list[_Placed]] = {}
    before: list[str | None] = []
    for content in contents:
        if isinstance(content, CreateFile):
            before.append(None)
            families[content.family] = [_placed(piece) for piece in content.pieces]
        else:
            pieces = families[content.family]
            before.append(_composition_digest(pieces))
            for edit in content.edits:
                _apply(edit, pieces)
    return before


def _placed(piece: Piece) -> _Placed:
    return piece.role, content_digest(piece)


def _apply(edit: Edit, pieces: list[_Placed]) -> None:
    at = edit.position - 1
    if isinstance(edit, Insert):
        pieces.insert(at, _placed(edit.piece))
    elif isinstance(edit, Remove):
        del pieces[at]
    elif isinstance(edit, Move):
        pieces.insert(edit.to - 1, pieces.pop(at))
    else:
        pieces[at] = _placed(edit.piece)


def _composition_digest(pieces: Sequence[_Placed]) -> str:
    lines = (f"{n}\t{role}\t{digest}\n" for n, (role, digest) in enumerate(pieces, start=1))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
