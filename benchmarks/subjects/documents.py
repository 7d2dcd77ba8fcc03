"""Reading a product: what it takes to make the bytes of a document."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import quantiles

from app.documents.formats import FORMATS
from benchmarks.ground import Ground
from benchmarks.page import Table
from benchmarks.subjects import Options
from tests.support.documents import example

EXAMPLE = "status-report"
TIMES = {"html": 1000, "md": 1000, "docx": 30, "pdf": 15}

TITLE = "Reading a product: the status report"
WHAT = """\
The example's newest version, filled with its sample, is rendered in each format, again and again in
one process. What is loaded once was loaded before.

Asked for: HTML 5 ms, PDF 1 s.
"""


async def measure(_ground: Ground, _options: Options) -> Sequence[Table]:
    """Milliseconds: the fastest, the median, and 95 of 100."""
    document = example(EXAMPLE)
    rows = [
        (name, *_times(partial(FORMATS[name].render, document), times))
        for name, times in TIMES.items()
    ]
    return [Table(("format", "fastest", "median", "95 %"), rows)]


def _times(work: Callable[[], object], times: int) -> tuple[str, str, str]:
    work()
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        took.append((time.perf_counter() - begun) * 1000)
    shares = quantiles(took, n=20)
    return _ms(min(took)), _ms(shares[9]), _ms(shares[18])


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"
