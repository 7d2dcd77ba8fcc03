"""Turns what nobody handled into a response, inside all other middleware.

Starlette's own place for this lies outside everything: its answer would have neither a request id
nor CORS headers, and the exception would be logged a second time by the server.
"""

import asyncio

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Refusal
from app.problems import problem_response, refusal_from_exception
from app.refusals.unavailable import RETRY_AFTER_SECONDS

log = structlog.get_logger(__name__)


class LastResort:
    """ASGI middleware: answers any exception as a problem, once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; if it raises before its response began, answer for it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watching_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watching_send)
        except ClientDisconnect:
            log.info("client_gone")  # there is nobody to answer
        except asyncio.CancelledError:
            if started or not is_stopping(scope["app"]):
                raise
            # Cancelled by the server, which has waited long enough: left to itself, it would say
            # 500 to the client.
            response = problem_response(_stopped(), scope)
            await response(scope, receive, send)
        except Exception as error:
            if started:
                raise  # half a response was sent: the server can only cut the connection
            response = problem_response(refusal_from_exception(error), scope)
            await response(scope, receive, send)


def tell_stopping(app: Starlette) -> None:
    """Say that the server is stopping: a request that it cancels from now on is answered 503."""
    app.state.stopping = True


def is_stopping(app: Starlette) -> bool:
    """Whether the server is stopping: what would go on for long ends."""
    return bool(getattr(app.state, "stopping", False))


def _stopped() -> Refusal:
    return Refusal(
        "overloaded",
        "The service stopped before this request was done; whether it was carried out is not"
        " known.",
        retry_after=RETRY_AFTER_SECONDS,
    )
