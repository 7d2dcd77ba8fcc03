"""`GET /observability/conformance`: the database compared with what the program brings along."""

from typing import Any

import asyncpg
import pytest

from tests.support.http import Service

PATH = "/observability/conformance"
CHECK = "iu_core.fn_iu_conformance(jsonb)"
MANIFEST = "iu_core.fn_iu_conformance_manifest()"


async def test_a_migrated_database_conforms(service: Service) -> None:
    answer = await service.viewer.get(PATH)
    report = answer.json()
    assert answer.status_code == 200
    assert (report["verdict"], report["findings"]) == ("conforms", [])
    assert [(line["kind"], line["passes"], line["own"]) for line in report["kinds"]] == [
        ("table", True, 0),
        ("view", True, 0),
        ("function", True, 0),
        ("trigger", True, 0),
        ("config", True, 4),  # the keys of the four clients
        ("event_type", True, 0),
        ("route", True, 0),
    ]
    assert report["manifest"] == report["database"]


async def test_a_change_is_told(service: Service, owner: asyncpg.Connection) -> None:
    await owner.execute("GRANT DELETE ON iu_core.iu_api_key TO iu_app")
    report = (await service.viewer.get(PATH)).json()
    assert report["verdict"] == "differs"
    assert report["findings"] == [
        {
            "kind": "table",
            "name": "iu_core.iu_api_key",
            "finding": "changed",
            "facet": "grants to iu_app",
            "expected": None,
            "actual": "DELETE",
        }
    ]


async def test_a_database_that_others_migrated_is_not_compared(
    service: Service, owner: asyncpg.Connection
) -> None:
    await owner.execute("UPDATE iu_core.iu_schema_object SET checksum = repeat('0', 64)")
    report = (await service.viewer.get(PATH)).json()
    assert (report["verdict"], report["reason"]) == ("not_comparable", "database_behind")
    assert report["remedy"].endswith("run `factory migrate`, and check again.")
    assert (report["kinds"], report["findings"]) == ([], [])


LYING = """
    CREATE OR REPLACE FUNCTION iu_core.fn_iu_conformance(p_manifest jsonb) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, iu_core, pg_temp
    AS $$ SELECT jsonb_build_object('verdict', 'conforms') $$
"""


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        (LYING, (CHECK, "changed", "definition")),
        (f"DROP FUNCTION {CHECK}", (CHECK, "missing", None)),
        (
            "CREATE FUNCTION iu_core.fn_iu_conformance(text) RETURNS jsonb"
            " LANGUAGE sql AS 'SELECT NULL::jsonb'",
            (CHECK, "changed", "overloads"),
        ),
        (f"REVOKE EXECUTE ON FUNCTION {CHECK} FROM iu_app", (CHECK, "changed", "grants to iu_app")),
        (f"ALTER FUNCTION {CHECK} SECURITY INVOKER", (CHECK, "changed", "security")),
        (
            f"ALTER FUNCTION {MANIFEST} SET search_path = public, pg_catalog, iu_core",
            (MANIFEST, "changed", "search_path"),
        ),
    ],
)
async def test_a_check_that_was_changed_is_not_believed(
    service: Service, owner: asyncpg.Connection, statement: str, finding: tuple[Any, ...]
) -> None:
    await owner.execute(statement)
    report = (await service.viewer.get(PATH)).json()
    assert (report["verdict"], report["reason"]) == ("differs", "checker_altered")
    assert report["remedy"].startswith("Run `factory migrate --again`")
    assert [(one["name"], one["finding"], one["facet"]) for one in report["findings"]] == [finding]
    assert report["kinds"] == []
