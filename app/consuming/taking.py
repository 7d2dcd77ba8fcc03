"""What happens to a message: taken, refused for good, or put off. The same for every broker.

taken    stored, or known before: acknowledged, and by then it is committed
refused  it will never be taken: logged, counted, and not delivered again
not now  a closed gate, too much going on, no database, a defect of ours: delivered again, later
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from uuid import uuid4

import structlog

from app.errors import Refusal
from app.events.cloudevent import CloudEvent
from app.metrics import Metrics
from app.refusals.from_database import refusal_from_database_error
from app.refusals.spec import Kind
from app.services.intake import Intake, Sender

AT_ONCE = 64
"""Messages that are under way together, so that the intake's shared calls have some to carry."""

LONGEST_DELAY_S = 30.0

_FOR_GOOD = frozenset({Kind.INPUT, Kind.CALLER, Kind.MISSING})
_DEFECT = "internal"

log = structlog.get_logger(__name__)


class Verdict(StrEnum):
    """What is to become of a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_NOW = "not_now"


def delay_s(tries: int) -> float:
    """Seconds until a message is tried again that was tried so often: 1, 2, 4 … up to 30."""
    return min(2.0 ** min(tries - 1, 10), LONGEST_DELAY_S)


class Taker:
    """Takes the messages of one broker in. `counts` are those of each verdict."""

    def __init__(
        self,
        intake: Intake,
        sender: Sender,
        metrics: Metrics,
        delay: Callable[[int], float] = delay_s,
    ) -> None:
        self.counts: Counter[Verdict] = Counter()
        self.delay = delay
        self._intake = intake
        self._sender = sender
        self._metrics = metrics
        self._waits_for: str | None = None
        self._ending = asyncio.Event()

    async def take(self, read: Callable[[], CloudEvent], origin: str) -> Verdict:
        """Take the event that `read` reads from a message in; `origin` tells people which one.

        Whatever goes wrong is a verdict, so that nothing is lost on the way to the broker.
        """
        event: CloudEvent | None = None
        try:
            event = read()
            await self._intake.take(self._sender, event, uuid4())
        except Refusal as refusal:
            verdict = self._refused(refusal, event, origin)
        except Exception as error:
            known = refusal_from_database_error(error)
            if known is None:
                log.exception("event_failed", origin=origin)
            verdict = self._refused(known, event, origin)
        else:
            verdict = Verdict.TAKEN
            self._waits(None)
        self.counts[verdict] += 1
        return verdict

    async def pause(self, tries: int) -> bool:
        """Wait before the next try, for brokers that deliver again at once; False: it all ends."""
        try:
            async with asyncio.timeout(self.delay(tries)):
                await self._ending.wait()
        except TimeoutError:
            return True
        return False

    def end(self) -> None:
        """End all pauses, now and from now on."""
        self._ending.set()

    def _refused(self, refusal: Refusal | None, event: CloudEvent | None, origin: str) -> Verdict:
        if refusal is None or refusal.spec.kind not in _FOR_GOOD:
            self._waits(_DEFECT if refusal is None else refusal.code)
            return Verdict.NOT_NOW
        self._metrics.refusal(refusal.code)
        log.warning(
            "event_refused",
            code=refusal.code,
            detail=refusal.detail,
            source=event and event.source,
            id=event and event.id,
            origin=origin,
        )
        return Verdict.REFUSED

    def _waits(self, code: str | None) -> None:
        """Tell when it begins to wait, for what, and when it goes on; not for each message."""
        if code == self._waits_for:
            return
        self._waits_for = code
        if code is None:
            log.info("events_go_on")
        else:
            log.warning("events_wait", code=code)
