"""Whether the database is what this release makes of one."""

from app.db import conformance as db
from app.db.engine import Database
from app.schemas.conformance import ConformanceReport


async def check_conformance(database: Database) -> ConformanceReport:
    """The database compared with this release's manifest."""
    return ConformanceReport(**await database.run(db.conformance))
