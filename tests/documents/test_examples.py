"""The newest examples are documents that can be sent as they are: their data say what they say."""

import copy
import json
import re
from itertools import pairwise
from typing import Any

import jsonschema_rs
import pytest

from app.documents.markdown import parse
from tests.support.documents import EXAMPLES, example, newest, sample

CHAPTERS = {
    "onboarding": [
        "Ready for you",
        "Your first day",
        "Your first week",
        "Your goals",
        "Who helps with what",
    ],
    "status-report": [
        "Executive summary",
        "Status at a glance",
        "Progress since the last report",
        "Milestones",
        "Budget",
        "Risks and issues",
        "Decisions needed",
        "Next steps",
    ],
}
TRENDS = {"better", "same", "worse"}  # shown as arrows
TITLES = {"onboarding": "Welcome, Amara Okafor", "status-report": "Aurora: status report"}


def parameters(name: str) -> dict[str, Any]:
    schema = newest(name).parameters
    assert schema
    return schema


def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(parameters(name), validate_formats=True)


def least(name: str) -> Any:
    """As little of a sample as its schema takes: nothing optional, and lists as short as can be."""
    schema = parameters(name)
    return _least(schema, sample(name), schema["$defs"])


def _least(schema: Any, data: Any, definitions: Any) -> Any:
    if "$ref" in schema:
        return _least(definitions[schema["$ref"].rpartition("/")[2]], data, definitions)
    if schema.get("type") == "object":
        properties = schema["properties"]
        return {key: _least(properties[key], data[key], definitions) for key in schema["required"]}
    if schema.get("type") == "array":
        items = data[: schema.get("minItems", 0)]
        return [_least(schema["items"], item, definitions) for item in items]
    return data


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_the_document_that_it_is_meant_to_be(name: str) -> None:
    manuscript = parse(example(name).sections)

    assert manuscript.title == TITLES[name]
    assert [chapter.text for chapter in manuscript.chapters()] == CHAPTERS[name]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_least_that_can_be_said_is_a_document_too(name: str) -> None:
    data = least(name)

    assert validator(name).is_valid(data)
    assert [chapter.text for chapter in parse(example(name, data).sections).chapters()] == (
        CHAPTERS[name]
    )


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("little", [False, True])
def test_what_is_filled_is_whole(name: str, little: bool) -> None:
    data = least(name) if little else sample(name)

    for section in example(name, data).sections:
        lines = section.text.splitlines()
        assert not [line for line in lines if "{{" in line or "{%" in line or "None" in line]
        # Every row of a table has as many cells as its head, or it is shown wrongly.
        for above, line in pairwise(lines):
            if above.startswith("|") and line.startswith("|"):
                assert line.count("|") == above.count("|"), line
        assert "|  |" not in section.text.replace("| | |\n", "")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_sample_is_what_the_parameters_ask_for(name: str) -> None:
    jsonschema_rs.meta.validate(parameters(name))

    assert validator(name).is_valid(sample(name))


@pytest.mark.parametrize("name", EXAMPLES)
def test_data_that_are_not_asked_for_are_refused_at_every_level(name: str) -> None:
    def objects(value: Any, path: tuple[str | int, ...] = ()) -> Any:
        if isinstance(value, dict):
            yield path
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            if isinstance(inner, dict | list):
                yield from objects(inner, (*path, key))

    for path in objects(sample(name)):
        data = copy.deepcopy(sample(name))
        inner = data
        for key in path:
            inner = inner[key]
        inner["misspelt"] = "x"
        assert not validator(name).is_valid(data), path


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_parameter_is_used(name: str) -> None:
    """A value that is changed is seen, so no event carries what nobody reads."""
    text = "".join(section.text for section in example(name).sections)

    def leaves(value: Any) -> Any:
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from leaves(inner)
        elif isinstance(value, str) and not (value[:4].isdigit() or value in TRENDS):
            yield value

    assert [leaf for leaf in leaves(sample(name)) if leaf not in text] == []


def text_of(name: str, data: dict[str, Any]) -> str:
    assert validator(name).is_valid(data)
    return "\n".join(section.text for section in example(name, data).sections)


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        ((1_250_000, 431_200.5, 1_272_345.67), ("1,250,000.00", "431,200.50", "1,272,345.67")),
        ((640, 371.0, 1_652), ("640", "371", "1,652")),
    ],
)
def test_amounts_are_written_as_readers_write_them(
    amounts: tuple[float, ...], shown: tuple[str, ...]
) -> None:
    data = sample("status-report")
    names = ("approved", "spent", "forecast")
    data["budget"] = {"unit": "EUR", **dict(zip(names, amounts, strict=True))}

    text = text_of("status-report", data)

    assert [amount for amount in shown if f"{amount} EUR" not in text] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_date_has_its_year(name: str) -> None:
    # What the sample's own sentences say of dates is nowhere in December.
    data = re.sub(r'"\d{4}-\d\d-(\d\d)"', r'"2025-12-\1"', json.dumps(sample(name)))

    text = text_of(name, json.loads(data))

    assert "December 2025" in text
    assert re.findall(r"\d Dec(?:ember)?(?! 2025)\b", text) == []


def test_nothing_is_said_of_what_is_not_listed() -> None:
    data = sample("onboarding") | {"equipment": [], "accounts": []}
    data["place"] = {"name": "Porto", "remote": True}
    data["goals"] = [{"days": 1, "review": "2025-10-01", "goals": ["Arrive."]}]

    text = text_of("onboarding", data)

    assert "| Porto, from home |" in text
    assert "### After 1 day\n" in text
    assert [said for said in ("these tables", "Your equipment") if said in text] == []


@pytest.mark.parametrize("name", ["equipment", "accounts"])
def test_what_is_listed_has_someone_who_helps(name: str) -> None:
    data = sample("onboarding") | {"equipment": [], "accounts": []}
    data[name] = sample("onboarding")[name]

    assert "whoever is named there helps at once" in text_of("onboarding", data)
