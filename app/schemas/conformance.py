"""Whether the database is what it should be, over the wire."""

from typing import Any, Literal

from pydantic import Field

from app.schemas.base import Sha256, WireModel, with_example

Kind = Literal["table", "view", "function", "trigger", "config", "event_type", "route"]

_STATE: dict[str, Any] = {
    "postgresql": 18,
    "program": "1.0.0",
    "revision": "0011",
    "files": "9f86d081" * 8,
}
_KIND: dict[str, Any] = {
    "kind": "function",
    "passes": False,
    "expected": 230,
    "actual": 230,
    "own": 0,
    "missing": 0,
    "unexpected": 0,
    "changed": 1,
}
_FINDING: dict[str, Any] = {
    "kind": "function",
    "name": "iu_core.fn_iu_gate_is_open(text, text, timestamp with time zone)",
    "finding": "changed",
    "facet": "volatility",
    "expected": "volatile",
    "actual": "stable",
}


class SchemaState(WireModel):
    """What a manifest was made for, or what a database is."""

    model_config = with_example(_STATE)

    postgresql: int = Field(description="PostgreSQL's major release.")
    program: str | None = Field(description="Whose functions and views these are.")
    revision: str = Field(description="Of the tables.")
    files: Sha256 = Field(
        description="SHA-256 over the functions, views and grants, a line each, sorted: the file's"
        " path, a tab, its SHA-256."
    )


class KindConformance(WireModel):
    """How one kind of object stands."""

    model_config = with_example(_KIND)

    kind: Kind
    passes: bool
    expected: int
    actual: int
    own: int = Field(
        description="Made by operators: routes, event types, keys. Not compared with anything."
    )
    missing: int
    unexpected: int
    changed: int


class ConformanceFinding(WireModel):
    """One difference."""

    model_config = with_example(_FINDING)

    kind: Kind
    name: str
    finding: Literal["missing", "unexpected", "changed"]
    facet: str | None = Field(
        description="What of it was changed: `definition`, `owner`, `grants to …`, `volatility`,"
        " `search_path`, `column …`, `constraint …`, `index …`; null: all of it."
    )
    expected: str | None = Field(description="null: there should be no such thing.")
    actual: str | None = Field(description="null: there is no such thing.")


class ConformanceReport(WireModel):
    """The database, compared with the manifest that this release brings along."""

    model_config = with_example(
        {
            "verdict": "differs",
            "reason": None,
            "remedy": None,
            "manifest": _STATE,
            "database": _STATE,
            "kinds": [_KIND],
            "findings": [_FINDING],
            "truncated": False,
        }
    )

    verdict: Literal["conforms", "differs", "not_comparable"]
    reason: (
        Literal[
            "checker_altered",
            "database_ahead",
            "database_behind",
            "no_manifest",
            "not_a_manifest",
            "other_postgresql",
        ]
        | None
    ) = Field(description="Why it can't be compared in full; null: it was.")
    remedy: str | None = Field(description="What to do about that reason.")
    manifest: SchemaState | None = Field(
        description="null: this release has none for this PostgreSQL."
    )
    database: SchemaState | None = Field(description="null: there is nobody to ask.")
    kinds: list[KindConformance] = Field(description="All seven, or none if it wasn't compared.")
    findings: list[ConformanceFinding] = Field(description="At most 1000.")
    truncated: bool = Field(description="Whether there are more findings than are listed.")
