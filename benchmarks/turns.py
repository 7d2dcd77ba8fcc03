"""Who is compared is measured in turns (A B C, B C A, …): a drifting machine slows all alike.

What counts is the ratio within a round, not that of two medians which were never there together.
"""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

ROUNDS = 5

Figures = Mapping[str, Sequence[float]]
"""One figure, a rate or a time, of each contestant, by round."""

_Measured = TypeVar("_Measured")


async def in_turns(
    contestants: Mapping[str, Callable[[], Awaitable[_Measured]]], rounds: int = ROUNDS
) -> Mapping[str, Sequence[_Measured]]:
    """What each contestant answers, by round. Who goes first changes from round to round."""
    names = list(contestants)
    measured: dict[str, list[_Measured]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(await contestants[name]())
    return measured


def ratios(figures: Figures, of: str, to: str) -> list[float]:
    """The ratio of each round."""
    return [a / b for a, b in zip(figures[of], figures[to], strict=True)]


def ratio(figures: Figures, of: str, to: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(ratios(figures, of, to))


def median(figures: Figures, of: str) -> float:
    """The median of one contestant's figures."""
    return statistics.median(figures[of])
