"""The only writer of problem documents (RFC 9457), and the handlers that lead there.

Refusal                    as it is
RequestValidationError     invalid_input, everything at once
HTTPException              what Starlette refuses by itself: wrong path, wrong method
the database's trouble     database_unavailable or overloaded, in app.refusals.from_database
anything else              internal: the log gets the exception, the client the request id
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.errors import Refusal
from app.http.methods import allowed_methods
from app.http.record import record_of
from app.refusals.from_database import refusal_from_database_error, refusal_from_status
from app.refusals.invalid import invalid_input
from app.refusals.models import PROBLEM_MEDIA_TYPE, refusals
from app.refusals.validation import refusal_from_validation

__all__ = [
    "install_problem_handlers",
    "problem_document",
    "problem_response",
    "refusal_from_database_error",
    "refusal_from_exception",
    "refusal_from_status",
    "refusal_of",
    "refusals",
]

log = structlog.get_logger(__name__)


def problem_document(refusal: Refusal, *, instance: str, request_id: str) -> dict[str, Any]:
    """The document itself: the common members, then those that the code names."""
    return {
        "type": refusal.spec.page,
        "title": refusal.spec.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": instance,
        "code": refusal.code,
        "request_id": request_id,
        **refusal.members,
    }


def problem_response(refusal: Refusal, scope: Scope) -> Response:
    """The response to a refused request; its code goes to the request's record too."""
    record = record_of(scope)
    record.code = refusal.code
    document = problem_document(refusal, instance=_path(scope), request_id=record.request_id)
    return Response(
        json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str).encode(),
        status_code=refusal.status,
        headers=_headers(refusal),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def refusal_from_exception(error: Exception) -> Refusal:
    """The refusal that answers whatever was raised; what nobody expected is logged here."""
    if isinstance(error, Refusal):
        return error
    if refusal := refusal_from_database_error(error):
        log.warning("database_trouble", code=refusal.code, error=repr(error))
        return refusal
    log.error("unexpected_exception", exc_info=error)
    return Refusal("internal")


def refusal_of(error: Exception) -> Refusal | None:
    """The refusal that an exception stands for; None: it is something that nobody expected."""
    match error:
        case Refusal():
            return error
        case RequestValidationError():
            return refusal_from_validation(error.errors(), error.body)
    return refusal_from_database_error(error)


def install_problem_handlers(app: FastAPI) -> None:
    """Make the application answer its refusals as problems.

    What nobody expected is not handled here but by `app.http.last_resort`, so that it passes the
    middleware like every other response.
    """
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_refusal(request: Request, error: Exception) -> Response:
    return problem_response(refusal_from_exception(error), request.scope)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    return problem_response(refusal_from_validation(error.errors(), error.body), request.scope)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    return problem_response(_from_http_exception(request, error), request.scope)


def _from_http_exception(request: Request, error: HTTPException) -> Refusal:
    match error.status_code:
        case 404:
            return Refusal("route_not_found")
        case 405:
            allowed = allowed_methods(request.app, request.scope)
            return Refusal("method_not_allowed", allowed=allowed)
        case 400:
            return invalid_input([], detail=str(error.detail), status=400)
    return refusal_from_exception(error)


def _headers(refusal: Refusal) -> Mapping[str, str]:
    headers = dict(refusal.headers)
    if refusal.code == "unauthenticated":
        headers.setdefault("WWW-Authenticate", "Bearer")
    if "retry_after" in refusal.members:
        headers.setdefault("Retry-After", str(refusal.members["retry_after"]))
    if refusal.code == "method_not_allowed":
        headers.setdefault("Allow", ", ".join(_words(refusal.members["allowed"])))
    headers.setdefault("Cache-Control", "no-store")
    return headers


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _path(scope: Scope) -> str:
    """The path that was asked, as it was written in the address, without the query."""
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    return quote(raw, safe="/%:@!$&'()*+,;=-._~")
