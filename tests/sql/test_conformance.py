"""Whatever makes a database another than the release makes is found, and named.

Every change is made in a transaction that is rolled back, and compared with what the database was
before it.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.support.databases import Database, open_connection
from tests.support.http import make_key

KINDS = ("table", "view", "function", "trigger", "config", "event_type", "route")
DIGEST = re.compile(r"[0-9a-f]{64}")
GATE_READER = "iu_core.fn_iu_gate_admission(text, text, timestamp with time zone)"
LEASES = "iu_core.iu_gate_lease"
CHECK = "iu_core.fn_iu_conformance(jsonb)"

Finding = tuple[str, str, str, str | None, str | None, str | None]


@pytest.fixture
async def superuser(unchanged_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that is rolled back."""
    connection = await open_connection(unchanged_database, "superuser")
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.fixture(scope="session")
async def manifest(unchanged_database: Database) -> dict[str, Any]:
    """What the database is before anything is changed."""
    connection = await open_connection(unchanged_database, "owner")
    found: dict[str, Any] = await connection.fetchval("SELECT iu_core.fn_iu_conformance_manifest()")
    await connection.close()
    return found


async def compare(
    connection: asyncpg.Connection, manifest: dict[str, Any] | None
) -> dict[str, Any]:
    """The whole answer."""
    report: dict[str, Any] = await connection.fetchval(
        "SELECT iu_core.fn_iu_conformance($1)", manifest
    )
    return report


def findings(report: dict[str, Any]) -> list[Finding]:
    """What was found, with a word for each digest."""
    return [
        (
            found["kind"],
            found["name"],
            found["finding"],
            found["facet"],
            found["expected"] and DIGEST.sub("sha256", found["expected"]),
            found["actual"] and DIGEST.sub("sha256", found["actual"]),
        )
        for found in report["findings"]
    ]


def kind(report: dict[str, Any], name: str) -> dict[str, Any]:
    """The line of one kind."""
    (line,) = (each for each in report["kinds"] if each["kind"] == name)
    found: dict[str, Any] = line
    return found


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


def changed(kind: str, name: str, facet: str, before: str | None, after: str | None) -> Finding:
    return (kind, name, "changed", facet, before, after)


def unexpected(kind: str, name: str) -> Finding:
    return (kind, name, "unexpected", None, None, None)


def missing(kind: str, name: str) -> Finding:
    return (kind, name, "missing", None, None, None)


EDITED = """
    DO $do$ BEGIN
        EXECUTE replace(pg_get_functiondef(
            'iu_core.fn_iu_gate_admission(text,text,timestamptz)'::regprocedure),
            'l.expires_at > p_at', 'true');
    END $do$
"""


def here(statement: str) -> str:
    """A statement that names the database, as %I."""
    return f"DO $do$ BEGIN EXECUTE format($$ {statement} $$, current_database()); END $do$"


CHANGES: dict[str, tuple[str, list[Finding]]] = {
    # -------------------------------------------------------------------------- functions
    "a function was edited": (
        EDITED,
        [changed("function", GATE_READER, "definition", "sha256", "sha256")],
    ),
    "what reads gates is STABLE": (
        f"ALTER FUNCTION {GATE_READER} STABLE",
        [changed("function", GATE_READER, "volatility", "volatile", "stable")],
    ),
    "a function finds other things by its names": (
        f"ALTER FUNCTION {CHECK} SET search_path = public, pg_catalog, iu_core",
        [
            changed(
                "function",
                CHECK,
                "search_path",
                "pg_catalog, iu_core, pg_temp",
                "public, pg_catalog, iu_core",
            )
        ],
    ),
    "a function has lost its path": (
        f"ALTER FUNCTION {CHECK} RESET ALL",
        [changed("function", CHECK, "search_path", "pg_catalog, iu_core, pg_temp", None)],
    ),
    "a function runs with its caller's rights": (
        f"ALTER FUNCTION {CHECK} SECURITY INVOKER",
        [changed("function", CHECK, "security", "definer", "invoker")],
    ),
    "a function is said to be what it is not": (
        f"ALTER FUNCTION {GATE_READER} STRICT LEAKPROOF PARALLEL SAFE COST 1",
        [
            changed("function", GATE_READER, "leakproof", None, "yes"),
            changed("function", GATE_READER, "parallel", None, "safe"),
            changed(
                "function",
                GATE_READER,
                "signature",
                "(p_gate_key text, p_actor text, p_at timestamp with time zone) RETURNS uuid[]"
                " LANGUAGE sql COST 100",
                "(p_gate_key text, p_actor text, p_at timestamp with time zone) RETURNS uuid[]"
                " LANGUAGE sql COST 1",
            ),
            changed("function", GATE_READER, "strict", None, "yes"),
        ],
    ),
    "a function is granted to everybody": (
        f"GRANT EXECUTE ON FUNCTION {GATE_READER} TO PUBLIC",
        [changed("function", GATE_READER, "grants to PUBLIC", None, "EXECUTE")],
    ),
    "a function is not granted to the service": (
        f"REVOKE EXECUTE ON FUNCTION {CHECK} FROM iu_app",
        [changed("function", CHECK, "grants to iu_app", "EXECUTE", None)],
    ),
    "a function is gone": (
        f"DROP FUNCTION {GATE_READER}",
        [missing("function", GATE_READER)],
    ),
    "a function has an overload": (
        """CREATE FUNCTION iu_core.fn_iu_gate_admission(text) RETURNS boolean
           LANGUAGE sql AS 'SELECT true'""",
        [unexpected("function", "iu_core.fn_iu_gate_admission(text)")],
    ),
    "there is a procedure": (
        "CREATE PROCEDURE iu_core.p() LANGUAGE sql AS ''",
        [unexpected("function", "procedure iu_core.p()")],
    ),
    "there is an aggregate": (
        "CREATE AGGREGATE iu_core.a(int) (SFUNC = int4pl, STYPE = int)",
        [unexpected("function", "aggregate iu_core.a(integer)")],
    ),
    # ----------------------------------------------------------------------------- tables
    "an index was dropped": (
        "DROP INDEX iu_core.iu_gate_lease_by_gate",
        [
            changed(
                "table",
                LEASES,
                "index iu_gate_lease_by_gate",
                "CREATE INDEX iu_gate_lease_by_gate ON iu_core.iu_gate_lease USING btree"
                " (gate_key, expires_at) WHERE (revoked_at IS NULL)",
                None,
            )
        ],
    ),
    "an index is not in use": (
        """UPDATE pg_index SET indisvalid = false
            WHERE indexrelid = 'iu_core.iu_gate_lease_by_gate'::regclass""",
        [
            changed(
                "table",
                LEASES,
                "index iu_gate_lease_by_gate",
                "CREATE INDEX iu_gate_lease_by_gate ON iu_core.iu_gate_lease USING btree"
                " (gate_key, expires_at) WHERE (revoked_at IS NULL)",
                "CREATE INDEX iu_gate_lease_by_gate ON iu_core.iu_gate_lease USING btree"
                " (gate_key, expires_at) WHERE (revoked_at IS NULL) (not in use)",
            )
        ],
    ),
    "there is one index more": (
        f"CREATE INDEX i ON {LEASES} (actor)",
        [
            changed(
                "table",
                LEASES,
                "index i",
                None,
                "CREATE INDEX i ON iu_core.iu_gate_lease USING btree (actor)",
            )
        ],
    ),
    "a check was dropped": (
        f"ALTER TABLE {LEASES} DROP CONSTRAINT iu_gate_lease_uses_limit_check",
        [
            changed(
                "table",
                LEASES,
                "constraint iu_gate_lease_uses_limit_check",
                "CHECK ((uses_limit > 0))",
                None,
            )
        ],
    ),
    "a foreign key does not look": (
        f"ALTER TABLE {LEASES} DISABLE TRIGGER ALL",
        [
            changed(
                "table",
                LEASES,
                "constraint iu_gate_lease_gate_key_fkey",
                "FOREIGN KEY (gate_key) REFERENCES iu_core_config(config_key)",
                "FOREIGN KEY (gate_key) REFERENCES iu_core_config(config_key)"
                " (its triggers are off)",
            )
        ],
    ),
    "a column may be NULL": (
        f"ALTER TABLE {LEASES} ALTER COLUMN reason DROP NOT NULL",
        [changed("table", LEASES, "column reason", "8 text NOT NULL", "8 text")],
    ),
    "a column has another default": (
        f"ALTER TABLE {LEASES} ALTER COLUMN opened_by SET DEFAULT current_user",
        [
            changed(
                "table",
                LEASES,
                "column opened_by",
                "7 text NOT NULL",
                "7 text NOT NULL DEFAULT CURRENT_USER",
            )
        ],
    ),
    "there is one column more": (
        f'ALTER TABLE {LEASES} ADD COLUMN more text COLLATE "POSIX"',
        [changed("table", LEASES, "column more", None, '13 text COLLATE "POSIX"')],
    ),
    "a column is computed, and one counts otherwise": (
        """ALTER TABLE iu_core.iu_core_config_history
             ADD COLUMN more text GENERATED ALWAYS AS (upper(action)) STORED,
             ALTER COLUMN history_id SET GENERATED BY DEFAULT""",
        [
            changed(
                "table",
                "iu_core.iu_core_config_history",
                "column history_id",
                "1 bigint NOT NULL GENERATED ALWAYS AS IDENTITY",
                "1 bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY",
            ),
            changed(
                "table",
                "iu_core.iu_core_config_history",
                "column more",
                None,
                "10 text GENERATED STORED upper(action)",
            ),
        ],
    ),
    "a table belongs to another": (
        f"ALTER TABLE {LEASES} OWNER TO iu_app",
        [
            changed("table", LEASES, "grants to iu_app", None, "ALL"),
            changed("table", LEASES, "grants to iu_owner", "ALL", None),
            changed("table", LEASES, "owner", "iu_owner", "iu_app"),
        ],
    ),
    "a table is granted": (
        f"GRANT SELECT, INSERT ON {LEASES} TO iu_reader WITH GRANT OPTION",
        [
            changed(
                "table",
                LEASES,
                "grants to iu_reader",
                None,
                "INSERT WITH GRANT OPTION, SELECT WITH GRANT OPTION",
            )
        ],
    ),
    "a column is granted": (
        f"GRANT UPDATE (expires_at) ON {LEASES} TO iu_app",
        [changed("table", LEASES, "column expires_at grants to iu_app", None, "UPDATE")],
    ),
    "rows are hidden": (
        f"""ALTER TABLE {LEASES} ENABLE ROW LEVEL SECURITY;
            CREATE POLICY p ON {LEASES} FOR SELECT TO iu_app USING (revoked_at IS NULL)""",
        [
            changed(
                "table",
                LEASES,
                "policy p",
                None,
                "PERMISSIVE r {iu_app} (revoked_at IS NULL)",
            ),
            changed("table", LEASES, "row security", None, "on"),
        ],
    ),
    "rows are turned away": (
        f"CREATE RULE r AS ON DELETE TO {LEASES} DO INSTEAD NOTHING",
        [
            changed(
                "table",
                LEASES,
                "rule r",
                None,
                "CREATE RULE r AS\n    ON DELETE TO iu_core.iu_gate_lease DO INSTEAD NOTHING;",
            )
        ],
    ),
    "rows come from elsewhere": (
        f"CREATE TABLE public.more () INHERITS ({LEASES})",
        [changed("table", LEASES, "inherited by public.more", None, "yes")],
    ),
    "rows go elsewhere": (
        f"CREATE TABLE public.more (); ALTER TABLE {LEASES} INHERIT public.more",
        [changed("table", LEASES, "inherits public.more", None, "yes")],
    ),
    "a crash would empty a table": (
        "ALTER TABLE iu_core.iu_clock SET UNLOGGED",
        [changed("table", "iu_core.iu_clock", "persistence", None, "unlogged")],
    ),
    "a sequence counts otherwise": (
        "ALTER SEQUENCE iu_core.iu_core_config_history_history_id_seq CYCLE",
        [
            changed(
                "table",
                "sequence iu_core.iu_core_config_history_history_id_seq",
                "numbers",
                "bigint 1 1 1 9223372036854775807 1",
                "bigint 1 1 1 9223372036854775807 1 CYCLE",
            )
        ],
    ),
    "a type has one attribute more": (
        "ALTER TYPE iu_core.iu_compose_item ADD ATTRIBUTE more text",
        [changed("table", "type iu_core.iu_compose_item", "column more", None, "26 text")],
    ),
    "a type can be cast": (
        "CREATE CAST (iu_core.iu_compose_item AS text) WITH INOUT",
        [unexpected("table", "cast (iu_core.iu_compose_item AS pg_catalog.text)")],
    ),
    "a table is published": (
        f"CREATE PUBLICATION leak FOR TABLE {LEASES}",
        [changed("table", LEASES, "published by leak", None, "yes")],
    ),
    "a table is gone": (
        "DROP TABLE iu_core.iu_actor_fence",
        [missing("table", "iu_core.iu_actor_fence")],
    ),
    "there is a table more": (
        "CREATE TABLE iu_core.more (a int)",
        [unexpected("table", "iu_core.more")],
    ),
    "there is a foreign table": (
        """CREATE FOREIGN DATA WRAPPER w;
           CREATE SERVER s FOREIGN DATA WRAPPER w;
           CREATE FOREIGN TABLE iu_core.abroad (a int) SERVER s""",
        [unexpected("table", "foreign table iu_core.abroad")],
    ),
    "there are a domain and an operator": (
        """CREATE DOMAIN iu_core.d AS text;
           CREATE OPERATOR iu_core.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)""",
        [
            unexpected("table", "operator iu_core.===(integer,integer)"),
            unexpected("table", "type iu_core.d"),
        ],
    ),
    # ------------------------------------------------------------------ views and triggers
    "a view was edited": (
        "CREATE OR REPLACE VIEW iu_core.v_iu_lineage AS"
        " SELECT * FROM (TABLE iu_core.v_iu_lineage LIMIT 0) AS v",
        [changed("view", "iu_core.v_iu_lineage", "definition", "sha256", "sha256")],
    ),
    "a view reads with its reader's rights": (
        "ALTER VIEW iu_core.v_iu_gate SET (security_invoker = true)",
        [changed("view", "iu_core.v_iu_gate", "options", None, "security_invoker=true")],
    ),
    "a view belongs to another and is granted": (
        """ALTER VIEW iu_core.v_iu_api_key OWNER TO postgres;
           GRANT SELECT ON iu_core.v_iu_api_key TO iu_reader""",
        [
            changed("view", "iu_core.v_iu_api_key", "grants to iu_owner", "ALL", None),
            changed("view", "iu_core.v_iu_api_key", "grants to iu_reader", None, "SELECT"),
            changed("view", "iu_core.v_iu_api_key", "grants to postgres", None, "ALL"),
            changed("view", "iu_core.v_iu_api_key", "owner", "iu_owner", "postgres"),
        ],
    ),
    "a view is gone": (
        "DROP VIEW iu_core.v_iu_orphan_instance",
        [missing("view", "iu_core.v_iu_orphan_instance")],
    ),
    "a view keeps what it read": (
        "CREATE MATERIALIZED VIEW iu_core.kept AS SELECT 1",
        [unexpected("view", "materialized view iu_core.kept")],
    ),
    "there is a trigger": (
        f"""CREATE TRIGGER t BEFORE UPDATE ON {LEASES}
            FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()""",
        [unexpected("trigger", f"t on {LEASES}")],
    ),
    # ------------------------------------------------- what is set, and what stands in rows
    "the schema is open": (
        "GRANT CREATE ON SCHEMA iu_core TO iu_app",
        [changed("config", "schema iu_core", "grants to iu_app", "USAGE", "CREATE, USAGE")],
    ),
    "new functions are everybody's": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE iu_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
        [changed("config", "schema iu_core", "new functions grants to iu_owner", "EXECUTE", None)],
    ),
    "new tables here are the service's": (
        """ALTER DEFAULT PRIVILEGES FOR ROLE iu_owner IN SCHEMA iu_core
           GRANT SELECT ON TABLES TO iu_app""",
        [changed("config", "schema iu_core", "new tables here grants to iu_app", None, "SELECT")],
    ),
    "the service may become the owner": (
        "GRANT iu_owner TO iu_app",
        [
            changed("config", "role iu_app", "may become", "", "iu_owner"),
            changed("config", "role iu_owner", "members", "", "iu_app"),
        ],
    ),
    "the service may become a superuser": (
        "GRANT postgres TO iu_app",
        [changed("config", "role iu_app", "may become", "", "postgres")],
    ),
    "dashboards read everything, and end sessions": (
        "GRANT pg_signal_backend, pg_read_all_data TO iu_reader",
        [
            changed(
                "config", "role iu_reader", "may become", "", "pg_read_all_data, pg_signal_backend"
            )
        ],
    ),
    "somebody may become the owner": (
        "CREATE ROLE conformance_stranger LOGIN IN ROLE iu_owner",
        [changed("config", "role iu_owner", "members", "", "conformance_stranger")],
    ),
    "the service makes roles": (
        "ALTER ROLE iu_app CREATEROLE SUPERUSER",
        [changed("config", "role iu_app", "powers", "", "SUPERUSER CREATEROLE")],
    ),
    "the service's sessions skip foreign keys": (
        "ALTER ROLE iu_app SET session_replication_role = 'replica'",
        [changed("config", "role iu_app", "set session_replication_role", None, "replica")],
    ),
    "a role's sessions in this database find other things, or read them otherwise": (
        here("ALTER ROLE iu_reader IN DATABASE %I SET search_path = public, pg_temp")
        + ";"
        + here("ALTER ROLE iu_reader IN DATABASE %I SET plpgsql.variable_conflict = 'use_column'"),
        [
            changed("config", "role iu_reader", facet, None, after)
            for facet, after in (
                ("set plpgsql.variable_conflict here", "use_column"),
                ("set search_path here", "public, pg_temp"),
            )
        ],
    ),
    "everybody's sessions skip foreign keys, and none starts as bootstrap had it": (
        here("ALTER DATABASE %I RESET ALL")
        + ";"
        + here("ALTER DATABASE %I SET session_replication_role = 'replica'"),
        [
            changed("config", "database", f"set {setting}", before, after)
            for setting, before, after in (
                ("TimeZone", "UTC", None),
                ("default_transaction_isolation", "read committed", None),
                ("default_transaction_read_only", "off", None),
                ("search_path", "iu_core, public", None),
                ("session_replication_role", None, "replica"),
            )
        ],
    ),
    "the database is everybody's": (
        here("GRANT ALL ON DATABASE %I TO PUBLIC"),
        [changed("config", "database", "grants to PUBLIC", None, "CONNECT, CREATE, TEMPORARY")],
    ),
    "the database was never prepared": (
        here("ALTER DATABASE %I RESET ALL")
        + ";"
        + here("REVOKE CONNECT ON DATABASE %I FROM iu_app, iu_reader"),
        [
            changed("config", "database", facet, before, None)
            for facet, before in (
                ("grants to iu_app", "CONNECT"),
                ("grants to iu_reader", "CONNECT"),
                ("set TimeZone", "UTC"),
                ("set default_transaction_isolation", "read committed"),
                ("set default_transaction_read_only", "off"),
                ("set search_path", "iu_core, public"),
            )
        ],
    ),
    "everybody makes what sessions look for": (
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        [changed("config", "database", "in public grants to PUBLIC", None, "CREATE")],
    ),
    "the service may hold up everybody": (
        "GRANT EXECUTE ON FUNCTION pg_try_advisory_lock(bigint) TO iu_app",
        [changed("config", "database", "on advisory locks grants to iu_app", None, "EXECUTE")],
    ),
    "new tables of another here are everybody's": (
        """ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA iu_core
           GRANT SELECT ON TABLES TO PUBLIC""",
        [
            changed(
                "config",
                "schema iu_core",
                "new tables here by postgres grants to PUBLIC",
                None,
                "SELECT",
            )
        ],
    ),
    "everything is published": (
        """CREATE PUBLICATION of_all FOR ALL TABLES;
           CREATE PUBLICATION of_these FOR TABLES IN SCHEMA iu_core;
           CREATE PUBLICATION of_others FOR TABLES IN SCHEMA public""",
        [
            changed("config", "schema iu_core", "published by of_all", None, "all tables"),
            changed("config", "schema iu_core", "published by of_these", None, "its tables"),
        ],
    ),
    "there is a command more": (
        """INSERT INTO iu_core.dot_iu_command_catalog
           VALUES ('more', 'More', 'owner', NULL, NULL, NULL,
                   '{}', false, NULL, '{}', NULL, '{}')""",
        [
            changed(
                "config",
                "commands",
                "more",
                None,
                '{"title": "More", "authority": "owner", "reversible": false, "reversed_by": null,'
                ' "cli_commands": [], "elevated_for": null, "elevated_scope": null,'
                ' "http_operation": null, "required_gates": [], "required_scope": null,'
                ' "handler_functions": []}',
            )
        ],
    ),
    "the clock is ahead": (
        "SELECT iu_core.fn_iu_set_clock(interval '5 years')",
        [changed("config", "clock", "ahead", "00:00:00", "5 years")],
    ),
    "a key is gone": (
        "DELETE FROM iu_core.iu_core_config WHERE config_key = 'iu_core.retention_enabled'",
        [missing("config", "iu_core.retention_enabled")],
    ),
    "a gate is no gate": (
        """UPDATE iu_core.iu_core_config SET is_write_gate = false, config_value = '"off"'
            WHERE config_key = 'iu_core.retention_enabled'""",
        [
            changed("config", "iu_core.retention_enabled", "is", "gate", "setting"),
            changed("config", "iu_core.retention_enabled", "value", "boolean", "string"),
        ],
    ),
    "an event type is gone": (
        """DELETE FROM iu_core.event_type_registry
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        [missing("event_type", "iu.template.instance_rolled_back")],
    ),
    "an event type is another's": (
        """UPDATE iu_core.event_type_registry SET domain = 'system'
            WHERE event_type = 'iu.template.instance_rolled_back'""",
        [changed("event_type", "iu.template.instance_rolled_back", "domain", "iu", "system")],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_found(
    superuser: asyncpg.Connection, manifest: dict[str, Any], change: str
) -> None:
    statements, expected = CHANGES[change]
    await superuser.execute(statements)
    everything = "DELETE, INSERT, REFERENCES, SELECT, TRIGGER, TRUNCATE, UPDATE"
    if manifest["postgresql"] >= 17:
        everything = everything.replace("REFERENCES", "MAINTAIN, REFERENCES")
    report = await compare(superuser, manifest)
    assert findings(report) == [
        (*of, *(everything if text == "ALL" else text for text in (before, after)))
        for *of, before, after in expected
    ]
    assert (report["verdict"], report["reason"], report["truncated"]) == ("differs", None, False)
    line = kind(report, expected[0][0])
    assert line["passes"] is False
    of = {(finding, name) for _, name, finding, *_ in expected}
    for finding in ("missing", "unexpected", "changed"):
        assert line[finding] == sum(one == finding for one, _ in of)
    others = [each for each in report["kinds"] if each is not line]
    assert all(each["passes"] for each in others)


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
