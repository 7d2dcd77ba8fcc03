"""Times on the command line."""

from datetime import UTC, datetime
from typing import Any

import typer


def in_utc(text: str) -> datetime:
    """A time as ISO 8601 writes it, in UTC. One without an offset is in UTC already.

    A date alone is its midnight. Raises typer.BadParameter for what is no time.
    """
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} is no time such as 2026-11-01T00:00:00Z") from error


def time_option(meaning: str) -> Any:
    """An option that takes a time. `meaning` is its help, without what all of them share."""
    return typer.Option(
        parser=in_utc,
        metavar="TIME",
        help=f"{meaning} UTC where it has no offset.",
    )
