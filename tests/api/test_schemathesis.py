"""Every operation of the OpenAPI document, with whatever fits its schemas and whatever does not.

schemathesis runs as a program, against a service on a real socket and a populated database: its
examples, the boundaries of every schema, random data, and chains of operations. It looks that
nothing answers with 5xx, that statuses, media types, headers and documents are those that the
document names, that what violates a schema is refused, and that no operation forgets its key.
Beside its own checks it makes those of `tests.support.wire_checks`.

The data is the same in every run. FACTORY_TEST_SEED makes it other data, and the output of a
failure begins with the seed; FACTORY_TEST_EXAMPLES makes it more.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import environment, factory
from tests.support.examples import ENDLESS
from tests.support.populated import Populated

pytestmark = pytest.mark.usefixtures("forks")

ROOT = Path(__file__).parents[2]
PROGRAM = (sys.executable, "-m", "tests.support.schemathesis_program")
OPENAPI = ROOT / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
TAGS = [tag["name"] for tag in DOCUMENT["tags"]]

# These leave each other's world as it is, so they share one; the others have one each.
SHARED = [("pieces", "observability", "commands", "health", "problems"), ("settings", "api-keys")]
WORLDS = [*((tag,) for tag in TAGS if tag not in sum(SHARED, ())), *SHARED]

SEED = int(os.environ.get("FACTORY_TEST_SEED", "20250601"))
DEADLINE_S = 240

# Random requests to each operation; a long hunt sets some hundreds.
EXAMPLES = int(os.environ.get("FACTORY_TEST_EXAMPLES", "3"))

# What may answer data that violates a schema, beside what schemathesis allows by itself.
REJECTED = ["400", "401", "403", "404", "405", "406", "409", "410", "412", "413", "415", "422"]

# Their paths are also paths of operations with a parameter, which have other methods: GET
# /templates/mark reads the template `mark`.
SHADOWED = (
    "mark_template",
    "instantiate_from_event",
    "instantiate_bulk",
    "close_all_gates",
    "refire_events",
)

# Where values are put that are there, so that requests get further than "not found".
PLACES = {
    "path.instance_id": "instance_id",
    "path.operation_id": "operation",
    "path.ref": "ref",
    "path.family": "family",
    "path.unit_id": "unit_id",
    "path.lease_id": "lease_id",
    "path.key_id": "key_id",
    "path.code": "code",
    "path.event_id": "event_id",
    "path.event_type": "event_type",
    "path.route_id": "route_id",
    "path.name": "name",
    "path.snapshot_id": "snapshot_id",
    "query.from": "snapshot_id",
    "query.to": "snapshot_id",
    "query.against": "ref",
    "query.template": "template",
    "query.family": "family",
    "query.event_id": "event_id",
    "query.operation_id": "operation_id",
    "query.axis": "axis",
    "query.content_digest": "content_digest",
    "header.If-Match": "If-Match",
    "body.template": "template",
    "body.event_id": "event_id",
    "body.actor": "actor",
    "body.[*].template": "template",
    "body.[*].event_id": "event_id",
    "body.[*].actor": "actor",
    "body.collection_id": "collection_id",
    "body.template_key": "template_key",
    "body.plan_digest": "plan_digest",
    "body.planned_at": "planned_at",
    "body.selectors.actor": "actor",
    "body.selectors.template": "template",
    "body.selectors.event_id": "event_id",
    "body.selectors.operation_id": "operation_id",
}
KEYS = {"gates": "gate", "settings": "setting"}


def settings_of(populated: Populated, scope: str, tag: str | None, examples: int) -> str:
    """The settings of schemathesis, as TOML; JSON's texts and lists are TOML's too."""
    places = PLACES | ({"path.key": KEYS[tag]} if tag in KEYS else {})
    lines = [
        f"seed = {SEED}",
        'hooks = "tests.support.wire_checks"',
        f"headers.Authorization = {json.dumps('Bearer ' + populated.keys[scope])}",
        "continue-on-failure = true",
        "warnings = false",
        "[output.sanitization]",
        "enabled = false",
        "[generation]",
        f"max-examples = {examples}",
        "no-shrink = true",
        'database = "none"',
        "[checks]",
        # Its place is taken by a check that looks at the rules.
        "positive_data_acceptance.enabled = false",
        f"negative_data_rejection.expected-statuses = {json.dumps(REJECTED)}",
        'missing_required_header.expected-statuses = ["428"]',
        "[dictionaries]",
        *(
            f"{json.dumps(name)}.values = {json.dumps(found)}"
            for name, found in populated.known.items()
        ),
        "[parameters]",
        *(
            f"{json.dumps(place)} = {{ dictionary = {json.dumps(name)}, probability = 0.7 }}"
            for place, name in places.items()
        ),
    ]
    for operation in SHADOWED:
        lines += [
            "[[operations]]",
            f"include-operation-id = {json.dumps(operation)}",
            "checks.unsupported_method.enabled = false",
            "checks.allow_header_conformance.enabled = false",
        ]
    lines += [
        "[[operations]]",
        f"include-operation-id = {json.dumps(ENDLESS)}",
        "enabled = false",
    ]
    # Of a batch each event is refused for itself.
    lines += [
        "[[operations]]",
        'include-operation-id = "post_events"',
        "checks.negative_data_rejection.enabled = false",
    ]
    return "\n".join(lines)


def run(populated: Populated, cwd: Path, settings: str, *arguments: str) -> None:
    """Run schemathesis; fail with what it says unless it finds nothing."""
    (cwd / "schemathesis.toml").write_text(settings, encoding="utf-8")
    done = factory(
        *("run", str(OPENAPI), "--url", populated.url, "--no-color", *arguments),
        command=PROGRAM,
        cwd=cwd,
        env=environment(
            # What Hypothesis works out about Unicode takes it seconds, and is kept there.
            HYPOTHESIS_STORAGE_DIRECTORY=str(ROOT / ".hypothesis"),
            # No proxy leads to this machine; looking for one would take its time per request.
            NO_PROXY="127.0.0.1",
        ),
        code=None,
        deadline_s=DEADLINE_S,
    )
    told = f"FACTORY_TEST_SEED={SEED}\n{done.out}{done.err}"
    assert done.code == 0, told
    assert " passed" in done.out, told


@pytest.mark.parametrize("tags", WORLDS, ids="-".join)
def test_operations_answer_as_documented(
    tags: tuple[str, ...], populated: Populated, tmp_path: Path
) -> None:
    """Each resource in a world of its own: closed gates and rollbacks are seen by it alone."""
    settings = settings_of(populated, "admin", tags[0], EXAMPLES)
    run(populated, tmp_path, settings, *(word for tag in tags for word in ("--include-tag", tag)))


def test_a_producer_is_answered_as_documented(populated: Populated, tmp_path: Path) -> None:
    """What a producer may not do is refused with 403, and documented, whatever else is wrong."""
    settings = settings_of(populated, "producer", None, examples=1)
    run(populated, tmp_path, settings, "--phases", "examples,fuzzing")
