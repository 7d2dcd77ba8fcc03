"""Settings, gates, keys, command record."""

from app.db.migrations import run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0004_governance.up.sql")


def downgrade() -> None:
    run_script("0004_governance.down.sql")
