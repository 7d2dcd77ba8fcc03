"""What data a template asks for: its schema, and what judging by it came to."""

from app.db.migrations import run_script

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0008_parameters.up.sql")


def downgrade() -> None:
    run_script("0008_parameters.down.sql")
