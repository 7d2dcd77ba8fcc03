"""What is wrong with a request, as a refusal."""

from collections.abc import Sequence
from typing import Any

from app.errors import Refusal
from app.refusals.members import MOST_ERRORS, InvalidField


def invalid_input(
    errors: Sequence[InvalidField],
    *,
    omitted: int = 0,
    detail: str | None = None,
    status: int | None = None,
) -> Refusal:
    """`invalid_input` with everything that is wrong; what exceeds the first hundred is counted.

    Takes the errors, how many more were found and not built, what to say, and 400 as the status
    where the request can't be parsed at all.
    """
    members: dict[str, Any] = {
        "errors": [error.model_dump(exclude_none=True) for error in errors[:MOST_ERRORS]]
    }
    omitted += max(0, len(errors) - MOST_ERRORS)
    if omitted:
        members["errors_omitted"] = omitted
    return Refusal("invalid_input", detail, status=status, **members)


def shortened(refusal: Refusal, most: int) -> Refusal:
    """The refusal with no more `errors` than that; the others are counted."""
    members: dict[str, Any] = dict(refusal.members)
    errors = members.get("errors", [])
    if len(errors) <= most:
        return refusal
    members["errors"] = errors[:most]
    members["errors_omitted"] = members.get("errors_omitted", 0) + len(errors) - most
    return Refusal(refusal.code, refusal.detail, status=refusal.status, **members)
