"""Events: their types, the routes that they take, and what came of each."""

from app.db.migrations import run_script

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0009_events.up.sql")


def downgrade() -> None:
    run_script("0009_events.down.sql")
