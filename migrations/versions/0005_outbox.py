"""Event types and outbox."""

from app.db.migrations import run_script

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0005_outbox.up.sql")


def downgrade() -> None:
    run_script("0005_outbox.down.sql")
