"""What is measured: one module per subject.

Each has a TITLE, a text WHAT that says what is compared with what and what is asked for, and
`measure(ground, options)`, which answers with the tables of its section.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.ground import Ground
from benchmarks.page import Table


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may ask for beside its subjects."""

    memory_requests: int | None
    """How many requests the memory is watched for; None: as many as a few minutes give."""
    instances: Sequence[int]
    """The instance counts that are compared, the smallest first."""


class Subject(Protocol):
    """What each module here is."""

    TITLE: str
    WHAT: str

    async def measure(self, ground: Ground, options: Options, /) -> Sequence[Table]:
        """The tables of the subject's section."""


Subjects = Mapping[str, Subject]
"""Subjects by the name that `make bench` takes."""
