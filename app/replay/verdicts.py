"""What a replay compares, and what it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that must come out: by name, as expected, as it was."""

    name: str
    expected: Any
    actual: Any

    @property
    def agrees(self) -> bool:
        """Whether it came out."""
        return bool(self.expected == self.actual)


@dataclass(frozen=True, slots=True)
class Surface:
    """One row of the regression matrix: counts before and after, and what they must be.

    Where the requirement names no absolute numbers, `expected_before` is None, and the delta alone
    is compared.
    """

    name: str
    before: int
    after: int
    expected_before: int | None
    expected_delta: int

    @property
    def delta(self) -> int:
        """What the story added."""
        return self.after - self.before

    @property
    def agrees(self) -> bool:
        """Whether both the state before and the difference are the required ones."""
        before_agrees = self.expected_before in {None, self.before}
        return before_agrees and self.delta == self.expected_delta


@dataclass(slots=True)
class Report:
    """Everything that a replay compared; a part that a release has nothing of is empty."""

    release: str
    probes: list[Verdict] = field(default_factory=list)
    surfaces: list[Surface] = field(default_factory=list)
    templates: list[Verdict] = field(default_factory=list)
    dry_runs: list[Verdict] = field(default_factory=list)
    boundary: list[Verdict] = field(default_factory=list)
    checks: list[Verdict] = field(default_factory=list)

    @property
    def rows(self) -> list[Verdict | Surface]:
        """Every single thing that was compared."""
        return [
            *self.probes,
            *self.surfaces,
            *self.templates,
            *self.dry_runs,
            *self.boundary,
            *self.checks,
        ]

    @property
    def agrees(self) -> bool:
        """Whether all of it came out."""
        return all(row.agrees for row in self.rows)


def matrix(
    before: Mapping[str, int],
    after: Mapping[str, int],
    expected: Mapping[str, tuple[int | None, int]],
) -> list[Surface]:
    """The regression matrix: `expected` is (before, delta) per surface, in the order of rows."""
    return [
        Surface(name, before[name], after[name], at_first, delta)
        for name, (at_first, delta) in expected.items()
    ]
