"""Governance: the catalogue of commands."""

from app.db.migrations import run_script

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0011_governance.up.sql")


def downgrade() -> None:
    run_script("0011_governance.down.sql")
