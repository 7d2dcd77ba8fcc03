"""Pieces that are filled, or refused, in one line."""

from typing import Any

import pytest

from app.documents.liquid import Deadline, Flaw, FlawedError, UnfillableError, parse_piece


def fill(body: str, **data: Any) -> str:
    """The piece, filled with the data."""
    return parse_piece(body).fill(data, Deadline())


def unfillable(body: str, **data: Any) -> Flaw:
    """Why the piece can't be filled with the data."""
    with pytest.raises(UnfillableError) as caught:
        fill(body, **data)
    flaw = caught.value.flaw
    assert str(caught.value) == f"{flaw.line}:{flaw.column}: {flaw.detail}"
    return flaw


def flaws(body: str) -> list[Flaw]:
    """Why the piece can't be used."""
    with pytest.raises(FlawedError) as caught:
        parse_piece(body)
    return list(caught.value.flaws)
