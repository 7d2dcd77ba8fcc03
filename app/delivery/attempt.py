"""What came of one attempt, in words that stay."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from app.delivery.errors import ErrorWord, UnansweredError
from app.delivery.exchange import Exchange

Outcome = Literal["delivered", "failed", "not_sent"]

LONGEST_WAIT_S = 30 * 24 * 3600
"""The longest that an endpoint can ask to be left alone for; what asks for more gets this."""

_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one attempt.

    outcome  `delivered`: answered with 2xx. `not_sent`: nothing of it can have left.
             `failed`: everything else, since it may have been received.
    status   of the answer, where there is one. It decides, also when the rest never came.
    error    None when delivered.
             `endpoint_refused`  the URL is none that may be sent to
             `address_refused`   it leads, or one of its addresses does, where nothing may go
             `dns_failed`        its name has no address, or could not be looked up
             `connect_failed`    none of its addresses took a connection
             `tls_failed`        no certificate for the host, or no TLS
             `timed_out`         the time was up before there was an answer
             `connection_lost`   closed before there was an answer
             `bad_answer`        what came back is no HTTP
             `redirected`        3xx: redirects are not followed
             `answered`          another status
    detail   for people, in a line; nothing in it was written by the endpoint
    answer   the first bytes of the answer's body, as they came
    """

    outcome: Outcome
    status: int | None
    error: ErrorWord | None
    detail: str
    answer: bytes = field(repr=False)
    took_ms: int
    retry_after_s: int | None


def unanswered(error: UnansweredError, took_ms: int, *, sent: bool) -> Attempt:
    """The attempt that got no answer. `sent`: whether anything of it may have left."""
    return Attempt(
        outcome="failed" if sent else "not_sent",
        status=None,
        error=error.word,
        detail=str(error),
        answer=b"",
        took_ms=took_ms,
        retry_after_s=None,
    )


def answered(exchange: Exchange, sent_at: datetime, took_ms: int) -> Attempt:
    """The attempt of an exchange whose status is known."""
    error = _error_of(exchange.status)
    rest = "" if exchange.whole else ", and not all that it sent was read"
    return Attempt(
        outcome="failed" if error else "delivered",
        status=exchange.status,
        error=error,
        detail=f"the endpoint answered {exchange.status}{rest}",
        answer=bytes(exchange.answer),
        took_ms=took_ms,
        retry_after_s=None if error is None else _retry_after_s(exchange, sent_at),
    )


def _error_of(status: int | None) -> ErrorWord | None:
    match status // 100 if status else None:
        case 2:
            return None
        case 3:
            return "redirected"
    return "answered"


def _retry_after_s(exchange: Exchange, now: datetime) -> int | None:
    """Seconds of `Retry-After`, which are given as such or as a date (RFC 9110, 10.2.3)."""
    header = next((value for name, value in exchange.answer_headers if name == b"retry-after"), b"")
    text = header.decode("latin-1")
    if _SECONDS.fullmatch(text):
        return min(int(text), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    wait = until.replace(tzinfo=until.tzinfo or UTC) - now
    return min(max(0, round(wait.total_seconds())), LONGEST_WAIT_S)
