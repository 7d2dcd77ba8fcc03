"""The catalogue of commands: reads of its view."""

from typing import Any

from sqlalchemy import Boolean, Text, column, select, table
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.engine import Transaction
from app.db.keyset import page_query
from app.db.rows import Row, rows_of

COMMAND = table(
    "v_iu_command_catalog",
    column("command_code", Text),
    column("title", Text),
    column("authority", Text),
    column("required_scope", Text),
    column("elevated_scope", Text),
    column("elevated_for", Text),
    column("required_gates", ARRAY(Text)),
    column("reversible", Boolean),
    column("reversed_by", Text),
    column("handler_functions", ARRAY(Text)),
    column("http_operation", Text),
    column("cli_commands", ARRAY(Text)),
    schema="iu_core",
)


async def commands(tx: Transaction, position: tuple[Any, ...] | None, limit: int) -> list[Row]:
    """The commands by code, and one row more than the page when there are more."""
    query = page_query(select(COMMAND), [COMMAND.c.command_code], position, limit)
    return rows_of(await tx.rows(query))
