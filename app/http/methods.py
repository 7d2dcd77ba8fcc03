"""Which methods a path knows, and the two that are the same everywhere: HEAD and OPTIONS."""

from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NO_BODY = "factory.no_body"
_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def allowed_methods(app: FastAPI, scope: Scope) -> list[str]:
    """The methods of all operations at the request's path, in the usual order; none, if empty.

    The router itself would name only those of the first operation that it finds there. HEAD goes
    with GET, and OPTIONS with everything.
    """
    found: set[str] = set()
    for route in _at(app, scope):
        found |= route.methods or {"GET"}
    if "GET" in found:
        found.add("HEAD")
    if found:
        found.add("OPTIONS")
    return [method for method in _ORDER if method in found]


def route_template(app: FastAPI, scope: Scope) -> str | None:
    """The path of the operation that a request was meant for, with its parameters' names.

    For requests that never reached it: refused before, or for another method.
    """
    return next((route.path_format for route in _at(app, scope)), None)


def _at(app: FastAPI, scope: Scope) -> Iterator[RouteContext]:
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return (route for route in iter_route_contexts(app.routes) if route.path_regex.match(path))


class HeadAndOptions:
    """ASGI middleware: HEAD is GET without the body, OPTIONS tells the methods (RFC 9110, 9.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, with the method that it knows."""
        method = scope.get("method")
        if method == "HEAD":
            without = {**scope, "method": "GET", _NO_BODY: True}
            await self.app(without, receive, _without_body(send))
        elif method == "OPTIONS" and (allowed := allowed_methods(scope["app"], scope)):
            response = Response(status_code=204, headers={"Allow": ", ".join(allowed)})
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def wants_body(scope: Scope) -> bool:
    """Whether anybody gets the body of the answer. Whoever would go on with it for long may ask."""
    return _NO_BODY not in scope


def _without_body(send: Send) -> Send:
    async def head_send(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return head_send
