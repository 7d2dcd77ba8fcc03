"""Runs Alembic's revisions on the connection, and in the transaction, that the runner holds.

There is no other way in: revisions alone would leave the functions and views behind, see
`app.db.migrations`.
"""

from alembic import context

from app.db.schema_state import REVISION_TABLE, SCHEMA

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Revisions are run together with functions, views and grants: factory migrate")

context.configure(
    connection=connection,
    version_table=REVISION_TABLE,
    version_table_schema=SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
