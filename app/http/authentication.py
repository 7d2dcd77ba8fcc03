"""Finds out who is calling before anything else of a request is read.

Whatever is not listed as open needs a credential, addresses that do not exist included: a route
that forgets to ask for a scope is still closed to strangers, and a stranger's body is not parsed.
"""

from uuid import UUID

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.authentication import Authenticator
from app.http.record import record_of
from app.security import CALLER_KEY

# Probes, documents and explanations, and what lies below some of them.
OPEN_ADDRESSES = frozenset({"/livez", "/readyz", "/docs", "/openapi.json", "/problems"})
OPEN_BELOW = ("/docs/", "/problems/")
METRICS_ADDRESS = "/metrics"
# Senders of webhooks have no key: each request is signed instead, which the operation looks at.
SIGNED_BELOW = "/event-sources/"


def is_open(method: str, path: str, *, metrics_require_key: bool) -> bool:
    """Whether an address answers without a key."""
    if method == "POST" and path.startswith(SIGNED_BELOW):
        return True
    if path == METRICS_ADDRESS:
        return not metrics_require_key
    return path in OPEN_ADDRESSES or path.startswith(OPEN_BELOW)


class Authentication:
    """ASGI middleware: leaves the Caller in the scope, or refuses with `unauthenticated`.

    It raises its refusals, so it belongs inside `LastResort`. The Authenticator is the
    application's `state.authenticator`, which the lifespan sets.
    """

    def __init__(self, app: ASGIApp, *, metrics_require_key: bool = False) -> None:
        self.app = app
        self._metrics_require_key = metrics_require_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, then run the application."""
        if scope["type"] == "http" and not is_open(
            scope["method"], _address(scope), metrics_require_key=self._metrics_require_key
        ):
            record = record_of(scope)
            authenticator: Authenticator = scope["app"].state.authenticator
            caller = await authenticator.authenticate(
                Headers(scope=scope).getlist("authorization"), UUID(record.request_id)
            )
            record.principal = caller.principal
            scope[CALLER_KEY] = caller
        await self.app(scope, receive, send)


def _address(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
