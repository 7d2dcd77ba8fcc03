"""Small migration trees, for what the real one can't show: changes, failures, things removed."""

import shutil
from collections.abc import Callable
from pathlib import Path

from app.db.migrations import root

STUB = """
from app.db.migrations import run_script

revision = "{number:04}"
down_revision = {previous}


def upgrade() -> None:
    run_script("{stem}.up.sql")


def downgrade() -> None:
    run_script("{stem}.down.sql")
"""

TreeChange = Callable[["Tree"], None]


class Tree:
    """A migration tree with the real runner's parts and otherwise only what the test adds."""

    def __init__(self, directory: Path) -> None:
        self.root = directory
        for folder in ("versions", "functions", "views", "grants"):
            (directory / folder).mkdir(parents=True)
        for part in (
            "env.py",
            "bookkeeping.up.sql",
            "bookkeeping.down.sql",
            "grants/0100_roles.sql",
            "views/v_iu_schema_object.sql",
            "views/v_iu_schema_version.sql",
        ):
            shutil.copy(root() / part, directory / part)
        self.order = ["views/v_iu_schema_object.sql", "views/v_iu_schema_version.sql"]
        self._write_order()

    def revision(self, number: int, up: str, down: str = "") -> "Tree":
        """Add a revision, on top of the one before."""
        stem = f"{number:04}_step"
        versions = self.root / "versions"
        previous = f'"{number - 1:04}"' if number > 1 else "None"
        (versions / f"{stem}.py").write_text(
            STUB.format(number=number, previous=previous, stem=stem)
        )
        (versions / f"{stem}.up.sql").write_text(up)
        (versions / f"{stem}.down.sql").write_text(down)
        return self

    def function(
        self, name: str, signature: str, body: str = "SELECT NULL", grant: str = "iu_app"
    ) -> "Tree":
        """Add or replace a function; `signature` is `(arguments) RETURNS …`."""
        return self.file(
            f"functions/{name}.sql",
            f"-- grant: {grant}\nCREATE OR REPLACE FUNCTION iu_core.{name}{signature}\n"
            f"LANGUAGE sql AS $$ {body} $$;\n",
        )

    def view(self, name: str, query: str, grant: str = "iu_app, iu_reader") -> "Tree":
        """Add or replace a view."""
        return self.file(
            f"views/{name}.sql",
            f"-- grant: {grant}\nCREATE OR REPLACE VIEW iu_core.{name} AS\n{query};\n",
        )

    def file(self, path: str, content: str) -> "Tree":
        """Add or replace a function's or a view's file, last in order.txt if it is new."""
        (self.root / path).write_text(content)
        if path not in self.order:
            self.order.append(path)
            self._write_order()
        return self

    def remove(self, path: str) -> "Tree":
        """Take a function's or a view's file away."""
        (self.root / path).unlink()
        self.order.remove(path)
        self._write_order()
        return self

    def _write_order(self) -> None:
        (self.root / "order.txt").write_text("# in order of creation\n" + "\n".join(self.order))
