"""Whatever is set, or stands in rows, otherwise than the release has it is found, and named.

Every change is made in a transaction that is rolled back, and compared with what the database was
before it.
"""

from typing import Any

import asyncpg
import pytest

from tests.support.conformance import Change, assert_is_found, changed, here, missing

CHANGES: dict[str, Change] = {
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
    "a retention policy is gone": (
        "DELETE FROM iu_core.iu_core_retention_policy WHERE target = 'stored_events'",
        [missing("config", "retention policy stored_events")],
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
    await assert_is_found(superuser, manifest, CHANGES[change])
