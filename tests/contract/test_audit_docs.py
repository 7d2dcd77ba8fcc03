"""docs/audit.md explains every finding that verifying the audit log can make."""

import re
from pathlib import Path

from app.db.migrations import root

TEXT = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")


def kinds_in_sql() -> set[str]:
    """What the fn_iu_audit_finding_… functions can find."""
    found: set[str] = set()
    for file in (root() / "functions").glob("fn_iu_audit_finding_*.sql"):
        code = re.sub(r"--.*", "", file.read_text("utf-8"))
        found.update(
            re.findall(
                r"'((?:run|segment|chain|head|export|retirement|instances?|tombstones)_(?!no')[a-z]+)'",
                code,
            )
        )
    return found


def test_every_kind_of_finding_is_explained_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z_]+)` \| ", TEXT, re.MULTILINE)
    assert len(explained) == len(set(explained)) == 15
    assert set(explained) == kinds_in_sql()
