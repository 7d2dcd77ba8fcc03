"""Delivery: routes that lead outside, what each is to be sent, and every attempt."""

from app.db.migrations import run_script

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0010_delivery.up.sql")


def downgrade() -> None:
    run_script("0010_delivery.down.sql")
