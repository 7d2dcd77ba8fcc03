"""Whatever makes functions, views or triggers others than the release makes is found, and named.

Every change is made in a transaction that is rolled back, and compared with what the database was
before it.
"""

from typing import Any

import asyncpg
import pytest

from tests.support.conformance import (
    CHECK,
    GATE_READER,
    LEASES,
    Change,
    assert_is_found,
    changed,
    missing,
    unexpected,
)

EDITED = """
    DO $do$ BEGIN
        EXECUTE replace(pg_get_functiondef(
            'iu_core.fn_iu_gate_admission(text,text,timestamptz)'::regprocedure),
            'l.expires_at > p_at', 'true');
    END $do$
"""

CHANGES: dict[str, Change] = {
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
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_found(
    superuser: asyncpg.Connection, manifest: dict[str, Any], change: str
) -> None:
    await assert_is_found(superuser, manifest, CHANGES[change])
