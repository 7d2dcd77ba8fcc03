"""Times on the command line: in UTC, whatever offset they are written with."""

from datetime import UTC, datetime

import pytest
import typer

from app.cli.times import in_utc


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-01T00:00:00Z", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T00:00:00+00:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T01:30:00+01:30", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-10-31T19:00:00-05:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T00:00:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01 00:00:00", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        (
            "2026-11-01T00:00:00.000250Z",
            datetime(2026, 11, 1, microsecond=250, tzinfo=UTC),
        ),
    ],
)
def test_a_time_is_taken_with_any_offset_and_is_in_utc_without_one(text: str, at: datetime) -> None:
    taken = in_utc(text)
    assert (taken, taken.tzinfo) == (at, UTC)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-02-30", "2026-11-01T25:00:00Z", "0001-01-01T00:00:00+14:00"],
)
def test_what_is_no_time_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(typer.BadParameter) as raised:
        in_utc(text)
    assert raised.value.message == f"{text!r} is no time such as 2026-11-01T00:00:00Z"
