"""202: what was asked for has become an operation, which is worked on from now on."""

from typing import Any

from starlette.responses import Response

from app.http.document import document
from app.schemas.operations import Operation

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": Operation,
        "description": "An operation, which is worked on from now on.",
        "headers": {
            "Location": {"description": "The operation.", "schema": {"type": "string"}},
            "Idempotent-Replayed": {
                "description": "Comes with the operation of an earlier request.",
                "schema": {"const": "true"},
            },
        },
    }
}
"""What OpenAPI says of it: one of an operation's `responses=`."""


def accepted(operation: Operation, *, replayed: bool = False) -> Response:
    """The response. `replayed`: it is the operation of an earlier request."""
    headers = {"Location": f"/operations/{operation.operation_id}"}
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return document(operation, 202, headers)
