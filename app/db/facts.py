"""What happened, in order, and up to when it is complete."""

from dataclasses import dataclass
from datetime import datetime

from app.db.engine import Database

FACTS = """\
SELECT count(*) AS count,
       (array_agg(e.fact_at ORDER BY e.fact_at DESC, e.fact_id COLLATE "C" DESC))[1] AS last_at,
       (array_agg(e.fact_id ORDER BY e.fact_at DESC, e.fact_id COLLATE "C" DESC))[1] AS last_id,
       string_agg(
           'id: ' || e.at || '/' || e.fact_id || E'\\nevent: ' || e.kind
           || E'\\ndata: {"kind": "' || e.kind || '", "at": "' || e.at || '", "subject_id": '
           || coalesce('"' || e.subject_id || '"', 'null') || ', ' || e.members || E'\\n\\n',
           '' ORDER BY e.fact_at, e.fact_id COLLATE "C") AS events
  FROM (SELECT f.*, substr(f.data::text, 2) AS members,
               to_char(f.fact_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
          FROM iu_core.fn_iu_facts($1, $2, $3, $4, $5) AS f) AS e
"""
HORIZON = "SELECT * FROM iu_core.fn_iu_fact_horizon()"

Place = tuple[datetime, str]
"""A time and an id: facts are told in this order. No id is empty."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Some facts, in their order: how many, the place of the last, and their text as events.

    The database writes the text: a thousand rows a second, read and written again here, would take
    a twentieth of what composing can do.
    """

    count: int
    last: Place
    events: str


async def facts(database: Database, after: Place, until: Place, limit: int) -> Facts | None:
    """Facts behind one place, up to another, at most `limit` of them; None if there are none."""
    (row,) = await database.fetch(FACTS, *after, *until, limit)
    if row["count"] == 0:
        return None
    return Facts(row["count"], (row["last_at"], row["last_id"]), row["events"])


async def horizon(database: Database) -> tuple[datetime, frozenset[str]]:
    """When it was asked, and which transactions were running (fn_iu_fact_horizon)."""
    (row,) = await database.fetch(HORIZON)
    return row["begun_at"], frozenset(row["running"])
