"""Whether the service can work, and if not, what is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from app.db.startup_check import Finding
from app.errors import Refusal
from app.refusals.from_database import refusal_from_database_error
from app.refusals.members import ReadinessCheck
from app.refusals.unavailable import RETRY_AFTER_SECONDS

LookAtDatabase = Callable[[], Awaitable[Sequence[Finding]]]


class Readiness:
    """Looks at the database, at most once a second, whoever asks and however often.

    Anybody may ask, and every look is a connection of its own: those who ask at the same time
    share one.
    """

    def __init__(
        self,
        look: LookAtDatabase,
        *,
        good_for_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._good_for_s = good_for_s
        self._clock = clock
        self._looking: asyncio.Task[list[ReadinessCheck]] | None = None
        self._looked_at = 0.0

    async def checks(self) -> list[ReadinessCheck]:
        """What was looked at, all of it well. Refuses with `database_unavailable` otherwise."""
        stale = self._clock() - self._looked_at >= self._good_for_s
        if self._looking is None or (self._looking.done() and stale):
            self._looking = asyncio.ensure_future(self._check())
        checks = await asyncio.shield(self._looking)
        if not all(check.ok for check in checks):
            raise Refusal(
                "database_unavailable",
                " ".join(check.detail for check in checks if not check.ok),
                retry_after=RETRY_AFTER_SECONDS,
                checks=[check.model_dump() for check in checks],
            )
        return checks

    async def _check(self) -> list[ReadinessCheck]:
        try:
            findings = await self._look()
        except Exception as error:
            refusal = refusal_from_database_error(error)
            if refusal is None:
                raise
            return [_check("database", "The database does not answer.")]
        finally:
            self._looked_at = self._clock()
        return [
            ReadinessCheck(name="database", ok=True, detail="It answers."),
            _check("schema", *map(str, findings)),
        ]


def _check(name: str, *problems: str) -> ReadinessCheck:
    return ReadinessCheck(
        name=name, ok=not problems, detail=" ".join(problems) or "It is as this program needs it."
    )
