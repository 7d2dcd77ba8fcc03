"""Whether the service lives, whether it can work, and what it counts."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from app.dependencies import MetricsDep, SettingsDep
from app.http.route import FactoryRoute, produces
from app.problems import refusals
from app.schemas.health import Alive, Ready
from app.security import Scope, caller_of
from app.services.readiness import Readiness

router = APIRouter(tags=["health"], route_class=FactoryRoute)

_TEXT = ("text/plain", "application/openmetrics-text")
_METRICS_RESPONSE: dict[str, Any] = {
    "description": "The metrics, in the format that `Accept` asks for.",
    "content": {media_type: {"schema": {"type": "string"}} for media_type in _TEXT},
}


@router.get("/livez")
async def livez() -> Alive:
    """Tell that the process answers. Looks at nothing else, the database included."""
    return Alive()


@router.get("/readyz", responses=refusals("database_unavailable"))
async def readyz(request: Request) -> Ready:
    """Tell whether requests can be served: the database answers and is what this program needs."""
    readiness: Readiness = request.app.state.readiness
    return Ready(checks=await readiness.checks())


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: _METRICS_RESPONSE, **refusals("unauthenticated", "forbidden")},
)
@produces(*_TEXT)
async def metrics(
    request: Request,
    counted: MetricsDep,
    settings: SettingsDep,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Give the metrics to Prometheus. A setting asks for a key with the scope `viewer`."""
    if settings.metrics_require_key and (caller := caller_of(request)):
        caller.need(Scope.VIEWER)
    body, content_type = counted.exposition(accept)
    return Response(body, headers={"Content-Type": content_type})
