"""A model as a response, written once.

FastAPI validates what an operation returns before it writes it. Where that is worth saving, the
operation answers with this and names its model as `response_model=`, for the OpenAPI document.
"""

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response


def document(model: BaseModel, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The response of a status whose body is the model, as JSON."""
    return Response(
        model.model_dump_json(),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
