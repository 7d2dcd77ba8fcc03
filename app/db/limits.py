"""How long a transaction may take, by class of work (decision §7 of the design)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts of one transaction, in milliseconds; 0 means none.

    The server keeps the first two. When it keeps silent, because the machine or the way to it has
    gone, the program gives up `slack_ms` after the statement should have ended: that is the time
    for a free connection, for connecting, and for the shorter statements around it.
    """

    statement_ms: int
    lock_ms: int
    slack_ms: int = 10_000

    @property
    def attempt_s(self) -> float:
        """Seconds after which nobody waits for the server's answer any longer."""
        return (self.statement_ms + self.slack_ms) / 1000

    def settings(self) -> dict[str, str]:
        """What the server keeps, as PostgreSQL's settings."""
        return {
            "statement_timeout": str(self.statement_ms),
            "lock_timeout": str(self.lock_ms),
        }


CALL = Limits(statement_ms=5_000, lock_ms=2_000)
"""One ordinary call; what every connection starts with."""

COALESCED = Limits(statement_ms=5_000, lock_ms=200)
"""A call for many requests at once: a held lock would stall all of them."""

BULK = Limits(statement_ms=60_000, lock_ms=2_000)
"""An atomic bulk, a rollback, an integrity check."""

IN_TURN = Limits(statement_ms=60_000, lock_ms=30_000)
"""A portion of a cleanup, or a policy: one waits for another that takes a bulk's time."""

DRAIN = Limits(statement_ms=60_000, lock_ms=0)
"""Waiting for whoever was admitted before a gate closed."""

IDLE_IN_TRANSACTION_MS = 5_000
