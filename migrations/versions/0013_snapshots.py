"""Snapshots: how many rows every surface had at a moment, and their digests."""

from app.db.migrations import run_script

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0013_snapshots.up.sql")


def downgrade() -> None:
    run_script("0013_snapshots.down.sql")
