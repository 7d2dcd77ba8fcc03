"""Probing what composing answers, with nothing left of it."""

from app.db import probes as db
from app.db.engine import Database
from app.schemas.probes import Probe, ProbeReport, ProbeVerdict

_WORST_FIRST: tuple[ProbeVerdict, ...] = ("differs", "not_run", "holds")


async def run_probes(database: Database) -> ProbeReport:
    """C1 to C12 on the database as it is, in a transaction that is rolled back."""
    probes = [Probe(**row) for row in await database.undone(db.probe)]
    return ProbeReport(
        verdict=min((probe.verdict for probe in probes), key=_WORST_FIRST.index), probes=probes
    )
