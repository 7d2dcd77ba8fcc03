"""The catalogue of refusals and its documents."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import CATALOGUE, main
from app.refusals.conflicts import CONFLICTS
from app.refusals.delivery import DELIVERY
from app.refusals.events import EVENTS
from app.refusals.gates import GATES
from app.refusals.missing import MISSING
from app.refusals.models import PROBLEM_MODELS, example, merged, refusals
from app.refusals.requests import CALLERS, INPUTS
from app.refusals.spec import Kind
from app.refusals.unavailable import UNAVAILABLE

ROOT = Path(__file__).parents[2]

# What the HTTP surface decides: a code, and the statuses that it may have.
DECIDED = {
    "unauthenticated": (401,),
    "forbidden": (403,),
    "actor_not_allowed": (403,),
    "invalid_input": (422, 400),
    "invalid_emit_mode": (422,),
    "payload_invalid": (422,),
    "idempotency_conflict": (422,),
    "template_collection_not_found": (404,),
    "live_gate_closed": (409,),
    "composer_gate_closed": (409,),
    "template_not_marked": (409,),
    "template_superseded": (409,),
    "rolled_back": (409, 410),
    "rollback_blocked": (409,),
    "already_exists": (409,),
    "no_change": (409,),
    "unit_in_use": (409,),
    "operation_state": (409,),
    "gate_sealed": (409,),
    "plan_stale": (412,),
    "precondition_failed": (412,),
    "precondition_required": (428,),
    "unsupported_media_type": (415,),
    "not_acceptable": (406,),
    "method_not_allowed": (405,),
    "too_large": (413,),
    "too_deep": (422,),
    "overloaded": (503,),
    "database_unavailable": (503,),
    "internal": (500,),
}


def test_the_committed_document_is_not_stale(tmp_path: Path) -> None:
    fresh = tmp_path / "errors.md"
    assert main([str(fresh)]) == 0
    committed = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert committed == fresh.read_text(encoding="utf-8"), (
        "run `python -m app.errors docs/errors.md`"
    )


def test_the_module_writes_the_document_by_itself() -> None:
    written = subprocess.run(
        [sys.executable, "-m", "app.errors"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert written.stdout == (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def test_no_code_is_catalogued_twice() -> None:
    groups = (CALLERS, INPUTS, MISSING, EVENTS, DELIVERY, GATES, CONFLICTS, UNAVAILABLE)
    assert [spec.code for group in groups for spec in group] == list(CATALOGUE)


def test_codes_have_the_statuses_that_the_http_surface_decided() -> None:
    assert {code: CATALOGUE[code].statuses for code in DECIDED} == DECIDED


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_refusal_says_what_it_means_and_what_helps(code: str) -> None:
    spec = CATALOGUE[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert spec.title[0].isupper()
    assert not spec.title.endswith(".")
    assert spec.meaning.endswith(".")
    assert spec.remedy.endswith(".")
    # Backticks come in pairs, or the pages would show the rest as code.
    assert all(text.count("`") % 2 == 0 for text in (spec.meaning, spec.remedy))


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_example_is_a_problem_of_its_model(code: str) -> None:
    for status in CATALOGUE[code].statuses:
        PROBLEM_MODELS[code].model_validate_json(json.dumps(example(code, status)))


def test_statuses_that_ask_to_wait_say_how_long() -> None:
    waiting = {code for code, spec in CATALOGUE.items() if spec.status == 503}
    assert waiting == {code for code, spec in CATALOGUE.items() if spec.kind is Kind.UNAVAILABLE}
    assert all("retry_after" in example(code) for code in waiting)


def test_responses_are_grouped_by_status_and_add_up() -> None:
    responses = merged(
        {201: {"description": "Made."}},
        refusals("no_change", "rolled_back:410", "internal"),
        refusals("gate_sealed", "no_change"),
    )
    assert {status: response.get("x-refusals") for status, response in responses.items()} == {
        201: None,
        409: ["no_change", "gate_sealed"],
        410: ["rolled_back"],
        500: ["internal"],
    }
