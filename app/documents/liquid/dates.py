"""Dates for readers: the same on every machine, whatever its clock, language and time zone.

A date is a text as RFC 3339 writes it, with or without a time: `2026-05-13`,
`2026-05-13T09:30:00+02:00`. It is shown as it stands there; nothing is converted.
"""

import re
from collections.abc import Callable
from datetime import datetime

from app.documents.liquid.flaws import RefusedError

MAX_FORMAT = 100
"""Characters of a format."""

CLOCK = frozenset({"now", "today"})
"""What Liquid takes for the current time."""

_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII
)
_DIRECTIVE = re.compile(r"%(-?.?)", re.DOTALL)
# The calendar module asks the locale.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

DIRECTIVES: dict[str, tuple[str, Callable[[datetime], str]]] = {
    "Y": ("the year", lambda at: f"{at.year:04}"),
    "y": ("the year, two digits", lambda at: f"{at.year % 100:02}"),
    "B": ("the month's name", lambda at: _MONTHS[at.month - 1]),
    "b": ("the month's name, three letters", lambda at: _MONTHS[at.month - 1][:3]),
    "m": ("the month, two digits", lambda at: f"{at.month:02}"),
    "-m": ("the month", lambda at: f"{at.month}"),
    "d": ("the day, two digits", lambda at: f"{at.day:02}"),
    "-d": ("the day", lambda at: f"{at.day}"),
    "A": ("the weekday", lambda at: _DAYS[at.weekday()]),
    "a": ("the weekday, three letters", lambda at: _DAYS[at.weekday()][:3]),
    "j": ("the day of the year, three digits", lambda at: f"{at.timetuple().tm_yday:03}"),
    "G": ("the year that the ISO week belongs to", lambda at: f"{at.isocalendar().year:04}"),
    "V": ("the ISO week, two digits", lambda at: f"{at.isocalendar().week:02}"),
    "H": ("the hour, two digits", lambda at: f"{at.hour:02}"),
    "-H": ("the hour", lambda at: f"{at.hour}"),
    "I": ("the hour of twelve, two digits", lambda at: f"{(at.hour - 1) % 12 + 1:02}"),
    "-I": ("the hour of twelve", lambda at: f"{(at.hour - 1) % 12 + 1}"),
    "M": ("the minute, two digits", lambda at: f"{at.minute:02}"),
    "S": ("the second, two digits", lambda at: f"{at.second:02}"),
    "p": ("AM or PM", lambda at: "AM" if at.hour < 12 else "PM"),
    "F": ("the date, 2026-05-13", lambda at: f"{at:%Y-%m-%d}"),
    "T": ("the time, 09:30:00", lambda at: f"{at.hour:02}:{at.minute:02}:{at.second:02}"),
    "%": ("a percent sign", lambda _: "%"),
}
"""What may stand after `%` in a format, what it means, and what it shows. There are no widths."""


def format_date(text: str, pattern: str) -> str:
    """The date in the form of the pattern, such as `%-d %B %Y`.

    Refuses what is no date ("value"), what is the clock's ("clock"), and a pattern that
    `refuse_pattern` refuses.
    """
    refuse_pattern(pattern)
    at = _read(text)
    return _DIRECTIVE.sub(lambda match: DIRECTIVES[match[1]][1](at), pattern)


def refuse_pattern(pattern: str) -> None:
    """Refuse a pattern with directives that there are not ("filter"), or a long one ("limit")."""
    if len(pattern) > MAX_FORMAT:
        raise RefusedError("limit", f"takes a format of at most {MAX_FORMAT} characters")
    for directive in _DIRECTIVE.findall(pattern):
        if directive not in DIRECTIVES:
            raise RefusedError("filter", f"there is no %{directive} in a format")


def is_clock(text: str) -> bool:
    """Whether Liquid would take the text for the current time."""
    return text.strip().lower() in CLOCK


def _read(text: str) -> datetime:
    if is_clock(text):
        raise RefusedError("clock", f"{text.strip()!r} would be another date every day")
    if _DATE.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise RefusedError("value", "is no date such as 2026-05-13 or 2026-05-13T09:30:00Z")
