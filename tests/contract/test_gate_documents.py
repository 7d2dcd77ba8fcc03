"""The page about gates, the catalogue of refusals and the tables name the same gates."""

import re
from pathlib import Path

from app.refusals.gates import GATE_KEYS, gate_code
from app.security import Scope

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_gate_with_what_it_answers() -> None:
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(iu_core\.\w+)` \|.*\| `(\w+)` \|$", page, re.MULTILINE)
    assert sorted(listed) == sorted((gate, gate_code(gate)) for gate in GATE_KEYS)


def test_the_tables_begin_with_the_same_gates() -> None:
    script = (ROOT / "migrations" / "versions" / "0004_governance.up.sql").read_text("utf-8")
    names = re.findall(r"'(\w+_enabled)'", script)
    assert sorted(f"iu_core.{name}" for name in names) == sorted(GATE_KEYS)


def test_the_page_about_security_explains_every_scope() -> None:
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `(\w+)` \| (?:also )?\w", page, re.MULTILINE)
    assert explained[: len(Scope)] == [str(scope) for scope in Scope]
