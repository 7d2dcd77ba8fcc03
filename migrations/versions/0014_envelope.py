"""The envelope: axes of a unit may be changed, and every change is kept."""

from app.db.migrations import run_script

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0014_envelope.up.sql")


def downgrade() -> None:
    run_script("0014_envelope.down.sql")
