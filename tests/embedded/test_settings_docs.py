"""docs/settings.md says about every setting what the program does with it."""

import re
from pathlib import Path

from app.settings import PREFIX, Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(FACTORY_\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def documented() -> dict[str, tuple[str, str]]:
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    assert len({name for name, _, _ in rows}) == len(rows), "a setting has two rows"
    return {name: (default, meaning) for name, default, meaning in rows}


def as_written(default: object) -> str:
    if default is None:
        return "unset"
    if default in ((), ""):
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, Path):
        return f"`./{default}`"
    return f"`{default}`"


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(documented()) == {PREFIX + name.upper() for name in Settings.model_fields}


def test_the_documented_defaults_are_the_real_ones() -> None:
    real = {
        PREFIX + name.upper(): as_written(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert {name: default for name, (default, _) in documented().items()} == real


def test_every_setting_is_described_and_says_what_it_expects() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert field.description.endswith("."), f"{name}'s description is no sentence"
        assert isinstance(field.json_schema_extra, dict), name
        assert field.json_schema_extra["expects"], name
