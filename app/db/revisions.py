"""Alembic's part: the numbered revisions, each a thin stub over two SQL files."""

from pathlib import Path
from typing import Literal, cast

import alembic.command
import asyncpg
from alembic import context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from app.db.schema_state import execute_script


def run_script(file_name: str) -> None:
    """Run `versions/<file_name>` as a whole; called by the stub of a revision.

    Raises `ScriptFailed` where PostgreSQL refuses a statement, and RuntimeError outside the
    runner's transaction, where a failing script would leave its first half behind.
    """
    connection = context.get_bind()
    # asyncpg takes several statements only through the driver's own connection, of which
    # SQLAlchemy knows nothing: without a statement that SQLAlchemy sees, it would not have
    # begun its transaction, and the script would commit statement by statement.
    connection.execute(text("SELECT 1"))
    driver = cast("asyncpg.Connection", connection.connection.driver_connection)
    if not driver.is_in_transaction():
        raise RuntimeError(f"versions/{file_name} was not run inside a transaction.")
    script = Path(context.config.attributes["root"]) / "versions" / file_name
    await_only(execute_script(driver, f"versions/{file_name}", script.read_text(encoding="utf-8")))


def head(root: Path) -> str | None:
    """The newest revision under `root`; None where there is none at all."""
    return ScriptDirectory.from_config(_config(root)).get_current_head()


def after(root: Path, current: str | None) -> tuple[str, ...] | None:
    """The revisions that follow `current`, oldest first; None where `current` is not known here.

    A database that a newer program migrated is at a revision that this program does not know.
    """
    oldest_first = _history(root)
    if current is None:
        return oldest_first
    if current not in oldest_first:
        return None
    return oldest_first[oldest_first.index(current) + 1 :]


def run(connection: Connection, root: Path, direction: Literal["up", "down"], target: str) -> None:
    """Let Alembic go up or down to `target` (a revision, `head` or `base`) on `connection`."""
    config = _config(root)
    config.attributes["connection"] = connection
    config.attributes["root"] = root
    go = alembic.command.upgrade if direction == "up" else alembic.command.downgrade
    go(config, target)


def _history(root: Path) -> tuple[str, ...]:
    newest_first = ScriptDirectory.from_config(_config(root)).walk_revisions()
    return tuple(script.revision for script in newest_first)[::-1]


def _config(root: Path) -> Config:
    config = Config()
    # Alembic expands %(here)s and the like in its options.
    config.set_main_option("script_location", str(root).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
