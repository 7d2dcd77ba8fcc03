"""Measure some subjects or all, and write them down: `python -m benchmarks [SUBJECT …]`."""

import argparse
import os
import sys
from datetime import UTC, datetime

from app.stopping import Stopped, heed_signals, run
from benchmarks.filling import BATCH
from benchmarks.ground import prepared_ground
from benchmarks.machine import machine
from benchmarks.page import README, page, section, sections
from benchmarks.subjects import Options
from benchmarks.subjects.all import SUBJECTS


def main() -> None:
    """Measure what the arguments ask for; each section is written as soon as it is known."""
    names, options = _arguments()
    others = os.getloadavg()[0]
    for name in names:
        subject = SUBJECTS[name]
        print(f"… {name}", file=sys.stderr, flush=True)
        with prepared_ground() as ground:
            tables = run(subject.measure(ground, options))
            measured_on = (
                f"{machine(ground.server.version)}; {datetime.now(UTC):%Y-%m-%d},"
                f" with a load of {others:.1f} from others"
            )
        text = section(subject.TITLE, subject.WHAT, tables, measured_on)
        written = sections(README.read_text(encoding="utf-8")) | {name: text}
        README.write_text(page(written, list(SUBJECTS)), encoding="utf-8")
        print(text, flush=True)


def _arguments() -> tuple[list[str], Options]:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "subjects", nargs="*", metavar="SUBJECT", help=f"{', '.join(SUBJECTS)}; default: all"
    )
    parser.add_argument(
        "--memory-requests", type=int, help="how many requests the memory is watched for"
    )
    parser.add_argument(
        "--instances",
        type=_counts,
        default=(1_000, 100_000, 1_000_000),
        metavar="COUNT,…",
        help="the instance counts that are compared (default: 1000,100000,1000000)",
    )
    given = parser.parse_args()
    if unknown := set(given.subjects) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(unknown))}")
    names = [name for name in SUBJECTS if name in given.subjects or not given.subjects]
    return names, Options(given.memory_requests, given.instances)


def _counts(text: str) -> list[int]:
    counts = sorted({int(count) for count in text.split(",") if count.isdecimal()})
    if not counts or counts[0] < BATCH or any(count % BATCH for count in counts):
        raise argparse.ArgumentTypeError(f"not whole thousands: {text}")
    return counts


try:
    heed_signals()
    main()
except Stopped as stopped:
    sys.exit(stopped.exit_code)
