"""Audit: what commands did, sealed into a chain."""

from app.db.migrations import run_script

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0012_audit.up.sql")


def downgrade() -> None:
    run_script("0012_audit.down.sql")
