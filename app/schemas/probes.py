"""The twelve probes, over the wire."""

from typing import Any, Literal

from pydantic import Field

from app.schemas.base import WireModel, with_example

_C3 = {
    "probe": "C3",
    "given": "live, its gate closed",
    "expected": {"status": "live_gate_closed", "gate": "iu_core.auto_instantiate_enabled"},
    "actual": {"status": "live_gate_closed", "gate": "iu_core.auto_instantiate_enabled"},
    "verdict": "holds",
    "note": None,
}
_C9 = {
    "probe": "C9",
    "given": "live, both gates open",
    "expected": {"status": "ok", "pieces_attached": 5, "digest_matches_template": True},
    "actual": {"status": "ok", "pieces_attached": 4, "digest_matches_template": False},
    "verdict": "differs",
    "note": None,
}

ProbeVerdict = Literal["holds", "differs", "not_run"]


class Probe(WireModel):
    """One probe: what had to be answered, and what was."""

    model_config = with_example(_C3)

    probe: str = Field(description="C1 to C12.")
    given: str
    expected: dict[str, Any]
    actual: dict[str, Any] = Field(
        description="The same members. `raised` is the status of a function that failed, with the"
        " `sqlstate`."
    )
    verdict: ProbeVerdict = Field(
        description="`not_run`: a gate did not open to the probe, because it is sealed, or somebody"
        " closed it meanwhile."
    )
    note: str | None


class ProbeReport(WireModel):
    """The twelve probes of composing, as this database answers them now."""

    model_config = with_example({"verdict": "differs", "probes": [_C3, _C9]})

    verdict: ProbeVerdict = Field(
        description="`differs` where any does; else `not_run` where any was not run."
    )
    probes: list[Probe]
