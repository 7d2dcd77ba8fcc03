"""The factory at a glance, over the wire."""

from typing import Literal

from pydantic import Field

from app.schemas.base import Timestamp, WireModel, with_example

Attention = Literal["digest_drift", "integrity", "unversioned_template"]


class Health(WireModel):
    """Whether somebody should look closer, and at what."""

    status: Literal["ok", "attention"]
    attention: list[Attention] = Field(
        description="`digest_drift`: instances that are not what their template says."
        " `integrity`: the last check found faults."
        " `unversioned_template`: a template has no place in a version chain."
    )
    schema_revision: str | None = Field(description="The database's revision.")
    program: str = Field(description="The program that answers.")


class GateNow(WireModel):
    """A gate that somebody can pass, or that is sealed."""

    gate: str
    state: Literal["open", "leased", "closed"]
    leases_end_at: Timestamp | None
    sealed: bool
    reason: str


class GatesNow(WireModel):
    """How many gates are open, and which are not simply closed."""

    open: int
    leased: int
    closed: int
    sealed: int
    not_simply_closed: list[GateNow]


class Counts(WireModel):
    """From the counters."""

    families: int
    templates: int
    instances: int
    dry_runs: int


class Rates(WireModel):
    """Composed lately."""

    composed_last_minute: int
    composed_last_hour: int
    is_capped: bool = Field(description="Whether there were more than are counted for this.")


class RefusalRate(WireModel):
    """How often one code was answered lately."""

    code: str
    last_hour: int
    last_day: int
    last_at: Timestamp


class Drift(WireModel):
    """Instances whose pieces are not their template's."""

    instances: int
    templates: list[str] = Field(description="At most 100 keys.")


class Unversioned(WireModel):
    """Templates without a place in a version chain."""

    templates: int
    keys: list[str] = Field(description="At most 100.")


class LastIntegrityCheck(WireModel):
    """What the last integrity check found."""

    checked_at: Timestamp
    holds: bool
    counts: dict[str, int] = Field(description="Findings by kind.")


class FactoryOverview(WireModel):
    """Everything at a glance, without a look at every instance."""

    model_config = with_example(
        {
            "observed_at": "2026-03-06T17:00:00Z",
            "health": {
                "status": "ok",
                "attention": [],
                "schema_revision": "0005",
                "program": "0.1.0",
            },
            "gates": {"open": 0, "leased": 0, "closed": 11, "sealed": 0, "not_simply_closed": []},
            "counts": {"families": 2, "templates": 4, "instances": 17, "dry_runs": 3},
            "rates": {"composed_last_minute": 0, "composed_last_hour": 13, "is_capped": False},
            "refusals": [
                {
                    "code": "composer_gate_closed",
                    "last_hour": 17,
                    "last_day": 20,
                    "last_at": "2026-03-06T16:59:00Z",
                }
            ],
            "drift": {"instances": 0, "templates": []},
            "unversioned": {"templates": 0, "keys": []},
            "orphans": 0,
            "integrity": {"checked_at": "2026-03-06T16:00:00Z", "holds": True, "counts": {}},
        }
    )

    observed_at: Timestamp
    health: Health
    gates: GatesNow
    counts: Counts
    rates: Rates
    refusals: list[RefusalRate] = Field(description="By code, within the last day.")
    drift: Drift
    unversioned: Unversioned
    orphans: int | None = Field(
        description="Instances without lineage, at the last integrity check; null: there was none."
    )
    integrity: LastIntegrityCheck | None = Field(description="null: there was none.")
