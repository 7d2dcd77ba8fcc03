"""docs/pieces.md says what there is, and its examples come out as it shows them."""

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from app.documents.liquid import Deadline, Rule, limits, parse_piece
from app.documents.liquid.dates import DIRECTIVES
from app.documents.liquid.filters import FILTERS
from app.documents.liquid.lexer import TAGS

TEXT = (Path(__file__).parents[2] / "docs" / "pieces.md").read_text("utf-8")
EXAMPLES = re.findall(
    r"```liquid\n(.*?)```\n\n```json\n(.*?)```\n\n```markdown\n(.*?)```", TEXT, re.DOTALL
)


def section(title: str) -> str:
    return re.split(r"^##+ ", TEXT.split(f"# {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def named(title: str) -> set[str]:
    """What the first column of a section's tables names."""
    rows = re.findall(r"^\| (`.*?`) \|", section(title), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.mark.parametrize(("body", "data", "filled"), EXAMPLES)
def test_an_example_comes_out_as_it_is_shown(body: str, data: str, filled: str) -> None:
    assert parse_piece(body).fill(json.loads(data), Deadline()) == filled


def test_there_are_examples_and_each_is_tried() -> None:
    assert len(EXAMPLES) == TEXT.count("```liquid") == 2


def test_every_tag_and_filter_is_there_and_no_other() -> None:
    assert named("Tags") == TAGS
    assert named("Filters") | {"default"} == FILTERS.keys()
    assert "`default`" in section("Filters")


def test_every_directive_of_a_date_is_there_with_what_it_means() -> None:
    listed = re.findall(r"`%(\S+)` \| ([^|]+) \|", section("Dates"))

    assert dict(listed) == {name: meaning for name, (meaning, _) in DIRECTIVES.items()}


def test_every_rule_is_there() -> None:
    assert named("What is refused") == set(get_args(Rule))


def test_the_limits_are_those_that_there_are() -> None:
    told = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", section("Limits"))}
    numbers = {value for name, value in vars(limits).items() if name.isupper()}

    assert told == numbers
