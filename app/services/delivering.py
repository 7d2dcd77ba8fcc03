"""Sending what may leave: claimed in the database, sent with no transaction open, written down.

    claim   as many messages as there is room for on the wire, of each route some, committed before
            anything is sent: so every attempt is known, also one whose process was killed
    send    each on its own; one that hangs takes its place until its deadline, and no other's
    finish  what has ended meanwhile in one call, again and again until it is committed

What is claimed is on the wire: nothing waits here between being claimed and being sent. When the
gate is closed, what was claimed before goes out, and the closing counted it.
"""

import asyncio
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from app.db import delivery as db
from app.db.engine import Database
from app.delivery.addresses import Guard
from app.delivery.attempt import Attempt
from app.delivery.connections import Limits
from app.delivery.message import Message
from app.delivery.sending import Sender
from app.metrics import Metrics

log = structlog.get_logger(__name__)

MOST_ON_THE_WIRE = 256
"""Attempts of one process at a time."""

MOST_OF_A_ROUTE = 16
"""Of these, along one route: an endpoint that hangs takes no more."""

MOST_OF_A_SLOW_ROUTE = 2
"""Along one whose last attempt took long, whatever came of it, until one doesn't: many of those
leave room for the others, too."""

SLOW_MS = 2000
"""An attempt that takes longer takes long."""

LEASE_S = 60
"""Until an attempt that nothing is heard of is taken for lost: four times its deadline."""

IDLE_S = 0.2
"""Between two looks for messages, while there are none."""

TROUBLE_S = 2.0
"""Between two looks while the database can't be asked."""

CONTENT_TYPE = "application/cloudevents+json"


class Deliverer:
    """Sends messages. One for a process; any number of processes share the work."""

    def __init__(self, database: Database, sender: Sender, metrics: Metrics, source: str) -> None:
        self._database = database
        self._sender = sender
        self._metrics = metrics
        self._source = source
        self._worker = f"{socket.gethostname()}:{os.getpid()}"[:200]
        self._on_the_wire: set[asyncio.Task[None]] = set()
        self._busy: Counter[UUID] = Counter()
        self._slow: set[UUID] = set()
        """Routes whose last attempt took long."""
        self._ended: list[tuple[UUID, db.Ended]] = []
        self._something_ended = asyncio.Event()
        self._room_again = asyncio.Event()
        self._is_winding_up = False
        self._claims_no_more = asyncio.Event()

    async def run(self) -> None:
        """Send until `stop`; what is on the wire then is sent to its end, and written down."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._finish())
            both.create_task(self._claim())

    async def stop(self) -> None:
        """Claim no more from the answer on. What is being claimed is sent: it has begun."""
        self._is_winding_up = True
        self._room_again.set()
        self._something_ended.set()
        await self._claims_no_more.wait()

    async def _claim(self) -> None:
        try:
            await self._claim_on()
        finally:
            self._claims_no_more.set()
            self._something_ended.set()

    async def _claim_on(self) -> None:
        while not self._is_winding_up:
            room = MOST_ON_THE_WIRE - self._busy.total()
            claimed = await self._claimed(room) if room > 0 else []
            for one in claimed:
                self._busy[one["route_id"]] += 1
                task = asyncio.create_task(self._send(one))
                self._on_the_wire.add(task)
                task.add_done_callback(self._on_the_wire.discard)
            if not claimed:
                await self._wait_for_room(IDLE_S)

    async def _claimed(self, room: int) -> list[dict[str, Any]]:
        try:
            return await db.claim(
                self._database,
                self._worker,
                self._taken(),
                per_route=MOST_OF_A_ROUTE,
                most=room,
                lease_s=LEASE_S,
            )
        except Exception as error:  # noqa: BLE001 - it goes on when the database does
            log.warning("delivery_cannot_claim", error=repr(error))
            await self._wait_for_room(TROUBLE_S)
            return []

    def _taken(self) -> Mapping[UUID, int]:
        """Of each route how many of its places are taken: those of a slow one mostly are."""
        kept = MOST_OF_A_ROUTE - MOST_OF_A_SLOW_ROUTE
        return self._busy + Counter(dict.fromkeys(self._slow, kept))

    async def _wait_for_room(self, seconds: float) -> None:
        """Wait until there is more room than now, or for the time to be over."""
        self._room_again.clear()
        if self._is_winding_up:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._room_again.wait()
        except TimeoutError:
            return

    async def _send(self, claimed: Mapping[str, Any]) -> None:
        attempt = await self._attempt(claimed)
        self._metrics.delivery_attempt(attempt.outcome)
        if attempt.took_ms > SLOW_MS:
            self._slow.add(claimed["route_id"])
        else:
            self._slow.discard(claimed["route_id"])
        self._ended.append((claimed["route_id"], _ended(claimed, attempt)))
        self._something_ended.set()

    async def _attempt(self, claimed: Mapping[str, Any]) -> Attempt:
        try:
            message = Message(
                message_id=claimed["outbox_id"],
                sent_at=datetime.now(UTC),
                content_type=CONTENT_TYPE,
                body=self._body(claimed),
            )
            return await self._sender.send(claimed["endpoint"], claimed["secrets"], message)
        except Exception as error:  # a defect is an attempt that ended, too
            log.exception("delivery_failed", message=str(claimed["outbox_id"]))
            return Attempt(
                outcome="failed",
                status=None,
                error=None,
                detail=f"a defect: {type(error).__name__}",
                answer=b"",
                took_ms=0,
                retry_after_s=None,
            )

    def _body(self, claimed: Mapping[str, Any]) -> bytes:
        """The message as a CloudEvent: `sequence` sorts the messages about its subject as texts."""
        event = {
            "specversion": "1.0",
            "id": str(claimed["outbox_id"]),
            "source": self._source,
            "type": claimed["event_type"],
            "subject": str(claimed["subject_id"]),
            "time": claimed["created_at"].astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": f"{claimed['sequence']:010d}",
            "factorydepth": claimed["depth"],
            "data": claimed["payload"],
        }
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

    async def _finish(self) -> None:
        while self._on_the_wire or self._ended or not self._claims_no_more.is_set():
            self._something_ended.clear()
            if self._ended:
                await self._write_down()
            else:
                await self._something_ended.wait()

    async def _write_down(self) -> None:
        ended, self._ended = self._ended, []
        states = await self._written_down([one for _, one in ended])
        self._busy -= Counter(route_id for route_id, _ in ended)
        self._room_again.set()
        for (_, one), state in zip(ended, states, strict=True):
            if state == "dead":
                log.warning("dead_letter", subject=str(one.subject_id), error=one.error)

    async def _written_down(self, ended: Sequence[db.Ended]) -> list[str | None]:
        """What has become of the messages. It is tried until it is done, or until the end.

        What is not written down by then is taken for lost when its lease is over, and sent again.
        """
        while True:
            try:
                return await db.finish(self._database, ended)
            except Exception as error:  # noqa: BLE001 - it goes on when the database does
                log.warning("delivery_cannot_finish", attempts=len(ended), error=repr(error))
                if self._is_winding_up:
                    return [None] * len(ended)
                await asyncio.sleep(TROUBLE_S)


@asynccontextmanager
async def delivering(
    database: Database, metrics: Metrics, *, allow: str, source: str
) -> AsyncIterator[Deliverer]:
    """Send what may leave while the block runs; at its end, what is on the wire is sent to its end.

    `allow` are the networks that the guard lets through, as in the setting.
    """
    # Nobody waits for a connection: what is claimed is sent at once.
    sender = Sender(Guard.allowing(allow), limits=Limits(per_origin=MOST_ON_THE_WIRE))
    deliverer = Deliverer(database, sender, metrics, source)
    working = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        await deliverer.stop()
        await working
        await sender.close()


def _ended(claimed: Mapping[str, Any], attempt: Attempt) -> db.Ended:
    return db.Ended(
        subject_id=claimed["subject_id"],
        attempt_id=claimed["attempt_id"],
        outcome=attempt.outcome,
        http_status=attempt.status,
        error=attempt.error,
        detail=attempt.detail,
        answer=attempt.answer.decode("utf-8", "replace").replace("\0", "\ufffd"),
        took_ms=attempt.took_ms,
        retry_after_s=attempt.retry_after_s,
    )
