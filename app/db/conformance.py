"""Whether the database is what this release makes of one: compared with the release's manifest.

A manifest is what `fn_iu_conformance_manifest` says of a database that was just made, on one major
release of PostgreSQL: `migrations/manifests/<major>.json`, which `make manifest` writes. What
compares is in the database, so that it can be asked from psql; whether that itself is the release's
is looked at from here first, since a function that was changed could say anything.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Integer, Text, column, func, select, table
from sqlalchemy.dialects.postgresql import ARRAY

from app.db.engine import Transaction, jsonb
from app.db.rows import Row
from app.db.schema_files import root
from app.db.schema_state import SCHEMA
from app.db.startup_check import SERVICE_ROLE

CHECKER = "fn_iu_conformance"
"""What compares, and the beginning of the names of all that it uses."""

Manifest = dict[str, Any]

_FUNCTION = table(
    "pg_proc",
    column("oid", Integer),
    column("proname", Text),
    column("pronamespace", Integer),
    column("prosrc", Text),
    column("prosecdef", Boolean),
    column("proconfig", ARRAY(Text)),
    schema="pg_catalog",
)
_NAMESPACE = table(
    "pg_namespace", column("oid", Integer), column("nspname", Text), schema="pg_catalog"
)

_REMEDY = (
    "Run `factory migrate --again`, which makes every function anew, and check again: as they are,"
    " these functions can't be trusted to tell what else there is."
)


def manifest_path(major: int) -> Path:
    """Where the manifest for a major release of PostgreSQL is, if there is one."""
    return root() / "manifests" / f"{major}.json"


def read_manifest(major: int) -> Manifest | None:
    """This release's manifest for a major release of PostgreSQL; None: it has none."""
    try:
        text = manifest_path(major).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    manifest: Manifest = json.loads(text)
    return manifest


async def conformance(transaction: Transaction) -> dict[str, Any]:
    """What fn_iu_conformance answers, if it is the release's own; else that it is not."""
    manifest = read_manifest(await _major(transaction))
    if manifest is not None and (altered := list(_altered(manifest, await _checker(transaction)))):
        return {
            "verdict": "differs",
            "reason": "checker_altered",
            "remedy": _REMEDY,
            "manifest": {name: manifest[name] for name in manifest if name != "objects"},
            "database": None,
            "kinds": [],
            "findings": altered,
            "truncated": False,
        }
    answer: dict[str, Any] = await transaction.call(
        CHECKER, None if manifest is None else jsonb(manifest)
    )
    return answer


async def _major(transaction: Transaction) -> int:
    (row,) = await transaction.rows(select(func.current_setting("server_version_num").label("it")))
    return int(row["it"]) // 10_000


async def _checker(transaction: Transaction) -> dict[str, list[Row]]:
    """The functions of the checker that there are, overloads included, by name."""
    f = _FUNCTION.c
    rows = await transaction.rows(
        select(
            f.proname,
            f.prosrc,
            f.prosecdef,
            f.proconfig,
            func.has_function_privilege(SERVICE_ROLE, f.oid, "EXECUTE").label("may"),
        )
        .join(_NAMESPACE, _NAMESPACE.c.oid == f.pronamespace)
        .where(_NAMESPACE.c.nspname == SCHEMA, f.proname.startswith(CHECKER, autoescape=True))
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["proname"], []).append(dict(row))
    return found


def _altered(manifest: Manifest, found: dict[str, list[Row]]) -> Iterator[dict[str, Any]]:
    """What is not the release's own of the checker's functions, as findings."""
    for identity, expected in manifest["objects"]["function"].items():
        name = identity.removeprefix(f"{SCHEMA}.").partition("(")[0]
        if not name.startswith(CHECKER):
            continue
        overloads = found.get(name, [])
        if not overloads:
            yield _finding(identity, "missing")
        elif len(overloads) > 1:
            yield _finding(identity, "changed", "overloads", "1", str(len(overloads)))
        else:
            yield from (
                _finding(identity, "changed", facet, expected.get(facet), actual)
                for facet, actual in _facets(overloads[0]).items()
                if expected.get(facet) != actual
            )


def _facets(function: Row) -> dict[str, str | None]:
    """Those facets of a function that decide what it does, as the manifest writes them."""
    settings = dict(setting.split("=", 1) for setting in function["proconfig"] or ())
    return {
        "definition": hashlib.sha256(function["prosrc"].encode()).hexdigest(),
        "search_path": settings.get("search_path"),
        "security": "definer" if function["prosecdef"] else "invoker",
        f"grants to {SERVICE_ROLE}": "EXECUTE" if function["may"] else None,
    }


def _finding(
    name: str,
    finding: str,
    facet: str | None = None,
    expected: str | None = None,
    actual: str | None = None,
) -> dict[str, Any]:
    return {
        "kind": "function",
        "name": name,
        "finding": finding,
        "facet": facet,
        "expected": expected,
        "actual": actual,
    }
