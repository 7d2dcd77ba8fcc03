"""Operations: long work in chunks."""

from app.db.migrations import run_script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0007_operations.up.sql")


def downgrade() -> None:
    run_script("0007_operations.down.sql")
