"""What the layers around an operation tell each other about one request."""

from dataclasses import dataclass
from uuid import uuid4

from starlette.types import Scope

_KEY = "factory.record"


@dataclass(slots=True)
class RequestRecord:
    """One request, as the log and the metrics see it.

    `request_id` is always ours. `client_request_id` is what the client sent as X-Request-ID: it is
    logged and nothing else, because a client that repeats it would otherwise make a replay look
    like the service's own retry (2-design §3).
    """

    request_id: str
    client_request_id: str | None = None
    route: str | None = None
    code: str | None = None
    principal: str | None = None
    is_stream: bool = False
    """The answer goes on until somebody has enough of it."""


def begin_record(scope: Scope, request_id: str, client_request_id: str | None) -> RequestRecord:
    """The record that a request has from now on."""
    record = RequestRecord(request_id, client_request_id)
    scope[_KEY] = record
    return record


def record_of(scope: Scope) -> RequestRecord:
    """The request's record; a fresh one where no middleware has begun one."""
    record: RequestRecord | None = scope.get(_KEY)
    return record or begin_record(scope, str(uuid4()), None)
