"""Measuring in turns: who begins changes, and ratios are of the same round."""

from functools import partial

from benchmarks.turns import in_turns, median, ratio, ratios


async def test_who_goes_first_changes_from_round_to_round() -> None:
    order: list[str] = []

    async def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    figures = await in_turns({name: partial(run, name) for name in "abc"}, rounds=3)

    assert order == ["a", "b", "c", "b", "c", "a", "c", "a", "b"]
    assert figures == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # The machine had half the speed in the second round, and both were slowed alike.
    figures = {"a": [100.0, 50.0, 120.0], "b": [200.0, 100.0, 200.0]}

    assert ratios(figures, "a", "b") == [0.5, 0.5, 0.6]
    assert ratio(figures, "a", "b") == 0.5
    assert median(figures, "a") == 100.0
