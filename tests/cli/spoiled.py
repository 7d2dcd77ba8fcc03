"""`factory`, whose baseline of the replays has one piece more than it must have.

python -m tests.cli.spoiled COMMAND …
"""

import asyncpg

from app.cli import main
from app.db import replay

ONE_MORE = """
    INSERT INTO iu_core.information_unit
           (unit_id, content_digest, media_type, title, body, life, created_by, created_at)
    VALUES (gen_random_uuid(), iu_core.fn_iu_content_digest('text/plain', 'One', 'more'),
            'text/plain', 'One', 'more', 'active', 'spoiler', now())"""

load_baseline = replay.load_baseline


async def load_more(owner: asyncpg.Connection) -> None:
    """Load the baseline, and one piece."""
    await load_baseline(owner)
    await owner.execute(ONE_MORE)


if __name__ == "__main__":
    replay.load_baseline = load_more
    main()
