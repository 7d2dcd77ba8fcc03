"""Every refusal that this release can answer, in one catalogue, in the order it is read in.

`CATALOGUE` is the source of the problem documents, of the OpenAPI document, of the pages under
`/problems` and of `docs/errors.md`. The SQL functions answer the same codes.
"""

from collections.abc import Mapping
from types import MappingProxyType

from app.refusals.conflicts import CONFLICTS
from app.refusals.delivery import DELIVERY
from app.refusals.events import EVENTS
from app.refusals.gates import GATES
from app.refusals.missing import MISSING
from app.refusals.requests import CALLERS, INPUTS
from app.refusals.spec import RefusalSpec
from app.refusals.unavailable import UNAVAILABLE

CATALOGUE: Mapping[str, RefusalSpec] = MappingProxyType(
    {
        spec.code: spec
        for spec in (
            *CALLERS,
            *INPUTS,
            *MISSING,
            *EVENTS,
            *DELIVERY,
            *GATES,
            *CONFLICTS,
            *UNAVAILABLE,
        )
    }
)
