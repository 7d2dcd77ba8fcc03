"""Recording refusals of which no record stayed: before a function was asked, or undone in one."""

import structlog

from app.db.audit import note_refusal
from app.db.engine import Database
from app.errors import Refusal
from app.refusals.spec import Kind
from app.security import Caller

log = structlog.get_logger(__name__)

_OURS = frozenset({Kind.UNAVAILABLE, Kind.INTERNAL})


async def record_refusal(
    database: Database, command: str, refusal: Refusal, caller: Caller | None
) -> None:
    """Count a refused command under its caller, in a transaction of its own.

    Not where the function that refused it has done so, where nobody is known to have asked, or
    where the trouble is the service's own. A record that can't be written changes no answer.
    """
    if refusal.is_recorded or caller is None or refusal.spec.kind in _OURS:
        return
    try:
        await database.run(
            lambda tx: note_refusal(tx, command, refusal.code, caller.actor, caller.principal)
        )
    except Exception as error:  # noqa: BLE001 - the refusal is answered in any case
        log.warning("refusal_not_recorded", command=command, code=refusal.code, error=repr(error))
