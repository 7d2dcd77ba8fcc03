"""docs/observability.md explains every finding there can be, and every operation."""

import re
from pathlib import Path

from fastapi.routing import APIRoute

from app.db.examined import EXAMINED
from app.db.migrations import root
from app.routers import boundary, conformance, instances_read, observability, probes

TEXT = (Path(__file__).parents[2] / "docs" / "observability.md").read_text("utf-8")


def kinds_in_sql() -> set[str]:
    """What the fn_iu_finding_… functions can find: the first text of each of their rows."""
    found: set[str] = set()
    for file in (root() / "functions").glob("fn_iu_finding_*.sql"):
        code = re.sub(r"--.*", "", file.read_text("utf-8"))
        found.update(re.findall(r"(?:\(|SELECT )'([a-z]+(?:_[a-z]+)+)',", code))
    return found


def test_every_kind_of_finding_is_explained_and_no_other() -> None:
    explained = re.findall(r"^\| `([a-z_]+)`(?: •)? \| ", TEXT, re.MULTILINE)
    digests = {"composition_digest", "template_digest", "lineage_digest"}
    assert len(explained) == len(set(explained))
    assert set(explained) - digests == kinds_in_sql()
    assert len(kinds_in_sql()) > 20


def test_every_operation_is_there() -> None:
    routers = (
        router.router for router in (instances_read, observability, boundary, probes, conformance)
    )
    routes = [route for router in routers for route in router.routes]
    operations = {
        f"{method} {route.path.replace('{instance_id}', '{id}')}"
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert len(operations) == 17
    assert [one for one in sorted(operations) if f"`{one}`" not in TEXT] == []


def test_the_bound_that_it_names_is_the_one_there_is() -> None:
    assert f"at most {EXAMINED:,} rows" in TEXT.replace("\n", " ")
