"""The page on events names what is taken, and how much of it."""

import re
from pathlib import Path
from typing import get_args

from app.events.cloudevent import MOST_MEMBERS, CloudEvent
from app.events.identity import EVENT_NAMESPACE
from app.events.reading import ONE_EVENT
from app.events.signatures import TOLERANCE, Reason, Signature
from app.http.cloudevents import BATCH, MAX_EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def first_column(title: str) -> list[str]:
    """The words in code in the first column of the first table after the one line that is given."""
    table = PAGE.partition(f"\n{title}\n")[2].lstrip("\n").partition("\n\n")[0]
    return [word for row in table.split("\n") for word in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_attribute_is_explained() -> None:
    explained = first_column("| attribute | |")
    assert sorted([*explained, "specversion"]) == sorted(CloudEvent.model_fields)


def test_every_kind_of_signature_and_every_refusal_of_one_is_explained() -> None:
    schemes = get_args(get_args(Signature)[0])
    kinds = {
        kind for scheme in schemes for kind in get_args(scheme.model_fields["kind"].annotation)
    }
    assert set(first_column("| `kind` | what is verified | a secret is |")) == kinds
    assert set(first_column("| `reason` | |")) == set(get_args(Reason))


def test_how_much_is_taken_is_told() -> None:
    assert f"`{ONE_EVENT}`" in PAGE
    assert f"`{BATCH}` | an array of events | {MAX_EVENTS:,} events" in PAGE
    assert f"An event has at most {MOST_MEMBERS} of them" in PAGE
    assert f"not more than {TOLERANCE.seconds // 60} minutes before or after now" in PAGE
    assert f"`{EVENT_NAMESPACE}`" in PAGE
