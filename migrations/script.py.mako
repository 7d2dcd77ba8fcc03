<% stem = up_revision + "_" + "_".join(message.lower().split()) %>"""${message}.

The program of the release before must work on this schema too: add columns as nullable or with
a default, and remove what is unused one release later. Where that can't be, raise min_program
in iu_core.iu_schema_version (and lower it again in the down script).
"""

from app.db.migrations import run_script

revision = "${up_revision}"
down_revision = ${'"%s"' % down_revision if down_revision else None}
branch_labels = None
depends_on = None


def upgrade() -> None:
    run_script("${stem}.up.sql")


def downgrade() -> None:
    run_script("${stem}.down.sql")
