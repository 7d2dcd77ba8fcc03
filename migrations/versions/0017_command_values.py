"""Command record: what its values may be is told by their types."""

from app.db.migrations import run_script

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0017_command_values.up.sql")


def downgrade() -> None:
    run_script("0017_command_values.down.sql")
