"""Which event it is, and what makes two the same."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest

from app.canonical_json import canonical_json
from app.events.cloudevent import CloudEvent
from app.events.identity import EVENT_NAMESPACE, content_of, event_id, travelled_of
from app.events.reading import event_from_document, event_from_headers
from tests.events.intake import EVENT


def event(**members: Any) -> CloudEvent:
    return event_from_document({**EVENT, **members})


def content_digest(of: CloudEvent) -> str:
    """As docs/events.md has it."""
    return hashlib.sha256(canonical_json(content_of(of)).encode()).hexdigest()


def test_the_namespace_is_the_projects_own() -> None:
    assert uuid5(NAMESPACE_URL, "https://factory.example/events") == EVENT_NAMESPACE


def test_an_id_that_looks_like_a_uuid_is_told_apart_by_its_source() -> None:
    sent = "0f3c1e6e-2b0e-4d0a-9d5a-4a0b8c7d6e5f"
    ids = {event_id(source, sent) for source in ("/hr/eu", "/hr/us")}
    assert len(ids) == 2
    assert UUID(sent) not in ids
    assert {each.version for each in ids} == {5}


BASE = {"data": {"a": 1, "b": [1.5, "é"]}, "subject": "s", "note": "n"}


@pytest.mark.parametrize(
    "members",
    [
        {"data": {"b": [1.50, "é"], "a": 1.0}},
        {"time": "2026-03-02T09:00:00Z"},
        {"datacontenttype": "application/json"},
        {"datacontenttype": "application/vnd.hr+json; charset=utf-8"},
        {"factorydepth": 3},
        {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        {"tracestate": "a=b"},
        {"dataschema": None},
    ],
)
def test_how_an_event_travelled_does_not_count(members: dict[str, Any]) -> None:
    first, again = event(**BASE), event(**{**BASE, **members})
    assert content_of(first) == content_of(again)
    assert CloudEvent.model_validate({**content_of(again), **travelled_of(again)}) == again
    assert content_digest(first) == content_digest(again)


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"data": {"a": True, "b": [1.5, "é"]}}, ["data"]),
        ({"data": None}, ["data"]),
        ({"subject": "t"}, ["subject"]),
        ({"subject": None, "note": None}, ["note", "subject"]),
        ({"type": "employee.left", "another": "x"}, ["another", "type"]),
        ({"dataschema": "https://x.example/v2"}, ["dataschema"]),
        ({"note": "m", "data": []}, ["data", "note"]),
    ],
)
def test_everything_else_does_and_is_named(members: dict[str, Any], fields: list[str]) -> None:
    first, other = event(**BASE), event(**{**BASE, **members})
    one, two = (
        {name: canonical_json(value) for name, value in content_of(event).items()}
        for event in (first, other)
    )
    assert sorted(name for name in one | two if one.get(name) != two.get(name)) == fields
    assert content_digest(first) != content_digest(other)


def test_the_mode_does_not_count() -> None:
    headers = {**EVENT, "flag": "true", "count": "5"}
    in_headers = event_from_headers(headers, "application/json", {"a": 1})
    assert content_digest(in_headers) == content_digest(event(flag=True, count=5, data={"a": 1}))


DOCUMENT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")


def blocks(after: str) -> dict[str, str]:
    """The blocks of code after those words, the first of each language."""
    found = re.findall(r"```(\w*)\n(.*?)```", DOCUMENT.partition(after)[2], re.DOTALL)
    return dict(reversed(found))


EXAMPLE = json.loads(blocks("### A worked example")["json"])


def printed(section: str) -> tuple[str, str]:
    """What the command of a section prints, and what the document says that it prints."""
    code = blocks(section)
    command = code["sh"].replace("python3", sys.executable)
    said = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    return said.split()[0], code[""].strip()


def test_the_worked_example_of_an_id() -> None:
    said, expected = printed("#### Its id")
    assert said == expected == str(event_id(EXAMPLE["source"], EXAMPLE["id"]))


def test_the_worked_example_of_a_content_digest() -> None:
    said, expected = printed("#### Its content digest")
    assert said == expected == content_digest(event_from_document(EXAMPLE))
