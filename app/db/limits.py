"""How long a transaction may take, by class of work (decision §7 of the design)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts of one transaction, in milliseconds; 0 means none."""

    statement_ms: int
    lock_ms: int

    def settings(self) -> dict[str, str]:
        """The same as PostgreSQL's settings."""
        return {
            "statement_timeout": str(self.statement_ms),
            "lock_timeout": str(self.lock_ms),
        }


CALL = Limits(statement_ms=5_000, lock_ms=2_000)
"""One ordinary call; what every connection starts with."""

BULK = Limits(statement_ms=60_000, lock_ms=2_000)
"""An atomic bulk, a rollback, an integrity check."""

DRAIN = Limits(statement_ms=60_000, lock_ms=0)
"""Waiting for whoever was admitted before a gate closed."""

IDLE_IN_TRANSACTION_MS = 5_000
