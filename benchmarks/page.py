"""benchmarks/README.md: one section per subject, each with the machine and the day of its figures.

A run writes the sections of the subjects that it measured and leaves the others as they are, so
each section stands for itself: ratios are comparable across machines, rates are not.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parent / "README.md"

_HEAD = """\
<!-- Made by `make bench`. Change benchmarks/, not this. -->

# Benchmarks

`make bench` measures everything on scratch databases of its own and writes this page; `make bench
ARGS='from_event scale'` measures some subjects, `make bench ARGS=--help` names them. The databases
are durable as a real one (fsync and synchronous_commit are on), and whatever is compared runs on
the same server with the same settings. What counts are the ratios: both sides are measured in turns
in one run on one machine, a ratio is taken within each round, and the median of the rounds is the
figure. The absolute rates say more about the machine than about the factory.
"""
_SECTION = re.compile(r"^<!-- subject: ([a-z_]+) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of figures under named columns. The first column says what the row is about."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""

    def lines(self) -> Iterator[str]:
        """The table in Markdown, after its caption."""
        if self.caption:
            yield from (_filled(self.caption), "")
        for row in (self.columns, ("---",) * len(self.columns), *self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells for {len(self.columns)} columns: {row}")
            yield f"| {' | '.join(row)} |"


def section(title: str, what: str, tables: Sequence[Table], measured_on: str) -> str:
    """The text of one subject's section. `measured_on` is the machine and the day."""
    prose = "\n\n".join(_filled(paragraph) for paragraph in what.strip().split("\n\n"))
    body = "\n\n".join("\n".join(table.lines()) for table in tables)
    return f"## {title}\n\n{prose}\n\n{body}\n\nMeasured on: {measured_on}.\n"


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, 100, break_long_words=False, break_on_hyphens=False)


def sections(page: str) -> dict[str, str]:
    """The sections of a page, by subject."""
    _, *parts = _SECTION.split(page)
    return {name: text.strip() + "\n" for name, text in zip(parts[::2], parts[1::2], strict=True)}


def page(of: Mapping[str, str], order: Sequence[str]) -> str:
    """The whole page, with the sections in this order; a subject without one is left out."""
    texts = [f"<!-- subject: {name} -->\n{of[name]}" for name in order if name in of]
    return "\n".join([_HEAD, *texts])
