"""Command record: a run costs little more than its row."""

from app.db.migrations import run_script

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0016_command_record.up.sql")


def downgrade() -> None:
    run_script("0016_command_record.down.sql")
