"""Pieces and compositions."""

from app.db.migrations import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0001_pieces.up.sql")


def downgrade() -> None:
    run_script("0001_pieces.down.sql")
