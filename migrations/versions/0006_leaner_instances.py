"""What items of a composing call carry on, so that it is looked up once."""

from app.db.migrations import run_script

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("0006_leaner_instances.up.sql")


def downgrade() -> None:
    run_script("0006_leaner_instances.down.sql")
