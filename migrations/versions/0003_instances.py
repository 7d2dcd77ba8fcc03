"""Instances, lineage, event log, tombstones, counters."""

from app.db.migrations import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0003_instances.up.sql")


def downgrade() -> None:
    run_script("0003_instances.down.sql")
