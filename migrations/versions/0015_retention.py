"""Retention: how long what is kept for looking back is kept."""

from app.db.migrations import run_script

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0015_retention.up.sql")


def downgrade() -> None:
    run_script("0015_retention.down.sql")
