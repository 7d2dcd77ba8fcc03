"""Comparing a database with what the release makes: what conforms, and what is not compared.

Every change is made in a transaction that is rolled back, and compared with what the database was
before it.
"""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.support.conformance import KINDS, LEASES, changed, compare, findings, here, kind
from tests.support.databases import Database, open_connection
from tests.support.http import make_key


async def test_a_database_that_was_just_made_conforms(
    unchanged_database: Database, manifest: dict[str, Any]
) -> None:
    service = await open_connection(unchanged_database, "app")
    report = await compare(service, manifest)
    await service.close()
    counts = {name: len(manifest["objects"].get(name, {})) for name in KINDS}
    head = {name: manifest[name] for name in ("postgresql", "program", "revision", "files")}
    assert report == {
        "verdict": "conforms",
        "reason": None,
        "remedy": None,
        "manifest": head,
        "database": head,
        "kinds": [
            {
                "kind": name,
                "passes": True,
                "expected": counts[name],
                "actual": counts[name],
                "own": 0,
                "missing": 0,
                "unexpected": 0,
                "changed": 0,
            }
            for name in KINDS
        ],
        "findings": [],
        "truncated": False,
    }
    assert counts["table"] > 40
    assert counts["view"] > 30
    assert counts["function"] > 200
    assert (counts["trigger"], counts["event_type"], counts["route"]) == (0, 2, 0)


async def test_a_column_of_which_nobody_looked_for_null_says_so(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    if manifest["postgresql"] < 18:
        pytest.skip("before PostgreSQL 18 a NOT NULL is always valid")
    await superuser.execute(
        f"""ALTER TABLE {LEASES} ALTER COLUMN reason DROP NOT NULL;
            ALTER TABLE {LEASES} ADD CONSTRAINT n NOT NULL reason NOT VALID"""
    )
    assert findings(await compare(superuser, manifest)) == [
        changed("table", LEASES, "column reason", "8 text NOT NULL", "8 text NOT NULL NOT VALID")
    ]


async def test_commands_that_are_gone_are_named(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    await superuser.execute("DELETE FROM iu_core.dot_iu_command_catalog")
    commands = manifest["objects"]["config"]["commands"]
    assert findings(await compare(superuser, manifest)) == [
        changed("config", "commands", code, commands[code], None) for code in sorted(commands)
    ]


async def test_what_operators_made_is_counted_and_not_compared(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    for scope in ("viewer", "producer"):
        await make_key(superuser, scope)
    await superuser.execute(
        """
        INSERT INTO iu_core.iu_core_config (config_key, config_value, is_write_gate)
        VALUES ('iu_core.of_ours', '1', false);
        INSERT INTO iu_core.event_type_registry (event_type, delivery_lane, domain)
        VALUES ('employee.hired', 'live', 'system'), ('employee.left', 'delayed', 'system');
        INSERT INTO iu_core.iu_sql_event_route
               (route_key, enabled, event_type_pattern, template, emit_mode, actor, principal,
                created_at, updated_at, updated_by, reason, removed_at)
        SELECT key, true, '*', 'tpl:a:b', 'live', 'a', 'a', now(), now(), 'a', 'a', removed
          FROM (VALUES ('onboard', NULL), ('gone', now())) AS v(key, removed);
        INSERT INTO iu_core.iu_outbound_route
               (route_name, enabled, event_type_pattern, endpoint, secrets, created_at, updated_at,
                updated_by, reason, removed_at)
        SELECT name, false, '*', 'https://a.example', '{a}', now(), now(), 'a', 'a', removed
          FROM (VALUES ('portal', NULL), ('gone', now())) AS v(name, removed);
        UPDATE iu_core.iu_api_key SET revoked_at = now() WHERE scope = 'producer';
        CREATE ROLE conformance_service LOGIN IN ROLE iu_app, iu_reader;
        CREATE ROLE conformance_dashboard LOGIN IN ROLE iu_reader
        """
    )
    report = await compare(superuser, manifest)
    assert report["verdict"] == "conforms"
    own = {line["kind"]: line["own"] for line in report["kinds"]}
    assert own == dict.fromkeys(KINDS, 0) | {"config": 5, "event_type": 2, "route": 2}
    before = len(manifest["objects"]["config"])
    line = kind(report, "config")
    assert (line["expected"], line["actual"]) == (before, before + 5)


async def test_what_operators_decide_is_theirs(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    await superuser.execute(
        """
        UPDATE iu_core.iu_core_config SET config_value = 'true' WHERE is_write_gate;
        UPDATE iu_core.event_type_registry SET delivery_lane = 'live', data_schema = '{}';
        ALTER TABLE iu_core.event_outbox SET (autovacuum_vacuum_scale_factor = 0.01);
        ALTER ROLE iu_app PASSWORD NULL CONNECTION LIMIT 50
        """
    )
    await superuser.execute(here("ALTER DATABASE %I SET portal.secret = 'x'"))
    await superuser.execute(here("GRANT ALL ON DATABASE %I TO pg_read_all_data"))
    assert (await compare(superuser, manifest))["verdict"] == "conforms"


async def test_who_administers_a_role_is_the_servers_business(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    """Superusers, and what bootstrap leaves behind when a platform's administrator runs it."""
    await superuser.execute(
        """
        CREATE ROLE conformance_super SUPERUSER;
        GRANT iu_owner, iu_reader TO conformance_super;
        CREATE ROLE conformance_admin CREATEROLE;
        GRANT iu_owner, iu_app TO conformance_admin WITH ADMIN OPTION
        """
    )
    report = await compare(superuser, manifest)
    assert report["verdict"] == "conforms"
    assert kind(report, "config")["own"] == 0
    await superuser.execute(
        "REVOKE ADMIN OPTION FOR iu_owner FROM conformance_admin;"
        "ALTER ROLE conformance_admin NOCREATEROLE"
    )
    report = await compare(superuser, manifest)
    assert findings(report) == [
        changed("config", "role iu_owner", "members", "", "conformance_admin")
    ]
    assert kind(report, "config")["own"] == 1


async def test_who_administers_by_way_of_another_role_does_so_too(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    await superuser.execute(
        """
        CREATE ROLE conformance_team;
        GRANT iu_owner TO conformance_team WITH ADMIN OPTION;
        CREATE ROLE conformance_admin CREATEROLE IN ROLE conformance_team, iu_owner
        """
    )
    assert findings(await compare(superuser, manifest)) == [
        changed("config", "role iu_owner", "members", "", "conformance_team")
    ]


async def test_who_administers_is_told_by_the_same_moment_as_all_else(
    unchanged_database: Database, manifest: dict[str, Any]
) -> None:
    """A role that is dropped in the middle of a comparison is not taken for a mere member."""
    superuser = await open_connection(unchanged_database, "superuser")
    comparing = await open_connection(unchanged_database, "superuser")
    name = f"conformance_{uuid4().hex}"
    await superuser.execute(
        f"CREATE ROLE {name} CREATEROLE; GRANT iu_owner TO {name} WITH ADMIN OPTION"
    )
    async with comparing.transaction(isolation="repeatable_read"):
        await comparing.fetchval("SELECT count(*) FROM pg_roles")
        await superuser.execute(f"DROP ROLE {name}")
        report = await compare(comparing, manifest)
    await comparing.close()
    await superuser.close()
    assert findings(report) == []


async def test_to_make_roles_is_not_to_administer_the_owner(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    if manifest["postgresql"] < 16:
        pytest.skip("before PostgreSQL 16 who makes roles may give away any")
    await superuser.execute("CREATE ROLE conformance_maker CREATEROLE IN ROLE iu_owner")
    assert findings(await compare(superuser, manifest)) == [
        changed("config", "role iu_owner", "members", "", "conformance_maker")
    ]


async def test_the_callers_settings_change_nothing(superuser: asyncpg.Connection) -> None:
    await superuser.execute(
        r"""
        CREATE TABLE iu_core.told_otherwise (
            a timestamptz DEFAULT '2026-01-02 03:04:05+00', b interval DEFAULT '1 day 02:00',
            c bytea DEFAULT '\x00ff', d double precision DEFAULT 0.1::double precision,
            e text DEFAULT 'a\b')
        """
    )
    manifest = await superuser.fetchval("SELECT iu_core.fn_iu_conformance_manifest()")
    await superuser.execute(
        """
        SET search_path = iu_core, public;
        SET quote_all_identifiers = on;
        SET standard_conforming_strings = off;
        SET extra_float_digits = -15;
        SET bytea_output = 'escape';
        SET datestyle = 'German';
        SET intervalstyle = 'sql_standard';
        SET timezone = 'Asia/Tokyo'
        """
    )
    assert (await compare(superuser, manifest))["verdict"] == "conforms"


async def test_no_more_findings_are_listed_than_can_be_read(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    many = "SELECT format('CREATE TYPE iu_core.t%s AS ()', n) FROM generate_series(1, {}) AS n"
    for count, truncated in ((1000, False), (1, True)):
        statements = await superuser.fetch(many.format(count).replace("t%s", f"t{count}_%s"))
        await superuser.execute(";".join(row[0] for row in statements))
        report = await compare(superuser, manifest)
        assert len(report["findings"]) == 1000
        assert report["truncated"] is truncated
    assert kind(report, "table")["unexpected"] == 1001


# ------------------------------------------------------------------- what can't be compared

ANOTHER: dict[str, tuple[dict[str, Any] | None, str, str]] = {
    "no manifest": (
        None,
        "no_manifest",
        "This release has no manifest for PostgreSQL {postgresql}: install a release that has one,"
        " or move the database to a PostgreSQL that this one knows.",
    ),
    "another PostgreSQL": (
        {"postgresql": 14},
        "other_postgresql",
        "The manifest is for PostgreSQL 14 and the server is {postgresql}: take that release's"
        " manifest for {postgresql}.",
    ),
    "a manifest of an earlier release": (
        {"program": "0.0.9", "files": "0"},
        "database_ahead",
        "The database was migrated by program {program} and the manifest is that of 0.0.9: check"
        " with program {program}.",
    ),
    "a manifest of a later release": (
        {"program": "10.0.0", "revision": "9999"},
        "database_behind",
        "The database is at revision {revision}, migrated by program {program}; the manifest is"
        " that of revision 9999, program 10.0.0: run `factory migrate`, and check again.",
    ),
    "a manifest of other files": (
        {"files": "0"},
        "database_behind",
        "The database is at revision {revision}, migrated by program {program}; the manifest is"
        " that of revision {revision}, program {program}: run `factory migrate`, and check again.",
    ),
}


@pytest.mark.parametrize("which", ANOTHER)
async def test_what_is_of_another_version_is_not_compared(
    superuser: asyncpg.Connection, manifest: dict[str, Any], which: str
) -> None:
    other, reason, remedy = ANOTHER[which]
    head = {name: value for name, value in manifest.items() if name != "objects"}
    given = None if other is None else manifest | other
    assert await compare(superuser, given) == {
        "verdict": "not_comparable",
        "reason": reason,
        "remedy": remedy.format(**head),
        "manifest": None if other is None else head | other,
        "database": head,
        "kinds": [],
        "findings": [],
        "truncated": False,
    }


NO_MANIFESTS: dict[str, Any] = {
    "an empty object": {},
    "an array": [1],
    "a text": "x",
    "a version that is no release's": {"program": "1.0rc1"},
    "a text where a number is": {"postgresql": "18"},
    "no objects": {"objects": None},
    "a kind that has no objects": {"objects": {"table": 5}},
    "an object that has no facets": {"objects": {"table": {"iu_core.iu_clock": [{}]}}},
}


@pytest.mark.parametrize("which", NO_MANIFESTS)
async def test_what_is_no_manifest_is_said_to_be_none(
    superuser: asyncpg.Connection, manifest: dict[str, Any], which: str
) -> None:
    other = NO_MANIFESTS[which]
    head = {name: value for name, value in manifest.items() if name != "objects"}
    given = manifest | other if isinstance(other, dict) and other else other
    report = await compare(superuser, given)
    assert report == {
        "verdict": "not_comparable",
        "reason": "not_a_manifest",
        "remedy": "What was given is no manifest: take migrations/manifests/"
        f"{head['postgresql']}.json of the release that migrated the database, {head['program']}.",
        "manifest": None,
        "database": head,
        "kinds": [],
        "findings": [],
        "truncated": False,
    }


async def test_a_later_program_with_the_same_files_can_compare(
    superuser: asyncpg.Connection, manifest: dict[str, Any]
) -> None:
    for program in ("0.0.9", "10.0.0"):
        report = await compare(superuser, manifest | {"program": program})
        assert report["verdict"] == "conforms"
