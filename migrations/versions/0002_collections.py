"""Collections and templates."""

from app.db.migrations import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0002_collections.up.sql")


def downgrade() -> None:
    run_script("0002_collections.down.sql")
