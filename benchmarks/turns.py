"""Who is compared is measured in turns (A B C, B C A, …): a drifting machine slows all alike.

What counts is the ratio within a round, not that of two medians which were never there together.
"""

import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence

ROUNDS = 5

Contestants = Mapping[str, Callable[[], Awaitable[float]]]
"""Who takes part; each answers with one figure per round, a rate or a time."""

Figures = Mapping[str, Sequence[float]]
"""The figures of each contestant, by round."""


async def in_turns(contestants: Contestants, rounds: int = ROUNDS) -> Figures:
    """Everybody's figures. Who goes first changes from round to round."""
    names = list(contestants)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            figures[name].append(await contestants[name]())
    return figures


def ratio(figures: Figures, of: str, to: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(figures[of], figures[to], strict=True))


def median(figures: Figures, of: str) -> float:
    """The median of one contestant's figures."""
    return statistics.median(figures[of])
