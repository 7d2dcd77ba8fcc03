"""Browsers of other origins: what they may ask, and a problem where they may not."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.errors import Refusal
from app.problems import problem_response

_SAID = "Disallowed CORS "


class ProblemCORS(CORSMiddleware):
    """Starlette's middleware, which refuses a preflight with `origin_not_allowed`."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """The permission, or the refusal with the permission's own headers."""
        answer = super().preflight_response(request_headers)
        return answer if answer.status_code == 200 else _Refused(answer)


class _Refused(Response):
    """A problem, which can be written only when the request is known."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        said = bytes(answer.body).decode()
        self._disallowed = said.removeprefix(_SAID).split(", ")
        self._kept = {
            name: value
            for name, value in answer.headers.items()
            if name == "vary" or name.startswith("access-control-")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the problem."""
        refusal = Refusal("origin_not_allowed", headers=self._kept, disallowed=self._disallowed)
        await problem_response(refusal, scope)(scope, receive, send)
