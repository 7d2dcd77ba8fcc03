"""The layers around the operations, from the outside in.

request ids      every response has one, whatever happens further in
log and metrics  every request is told of, with the status that it really got
CORS             for browsers of other origins, when the settings name any
last resort      what nobody handled becomes a problem
authentication   who is calling (added by `app.main`, since it needs the database)
HEAD, OPTIONS    answered alike for every path
the router       with the handlers of refusals
"""

from collections.abc import Sequence

from fastapi import FastAPI

from app.http.cors import ProblemCORS
from app.http.last_resort import LastResort
from app.http.methods import HeadAndOptions
from app.metrics import Metrics
from app.observability import REQUEST_ID_HEADER, RequestLog, with_request_ids
from app.problems import install_problem_handlers

_EXPOSED = (REQUEST_ID_HEADER, "Location", "ETag", "Retry-After", "Idempotent-Replayed", "Allow")
_TAKEN = ("Authorization", "Content-Type", "If-Match", "Idempotency-Key", REQUEST_ID_HEADER)


def add_innermost_layers(app: FastAPI) -> None:
    """Add what lies directly around the router. Comes before every other layer."""
    install_problem_handlers(app)
    app.add_middleware(HeadAndOptions)


def add_outer_layers(app: FastAPI, *, metrics: Metrics, cors_origins: Sequence[str] = ()) -> None:
    """Add what lies outside of authentication. Comes after every other layer."""
    app.add_middleware(LastResort)
    if cors_origins:
        app.add_middleware(
            ProblemCORS,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "DELETE"],
            allow_headers=list(_TAKEN),
            expose_headers=list(_EXPOSED),
        )
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(with_request_ids)
