"""HTTP itself, where the server would answer by itself, or wait for a client that reads nothing.

A request that is so malformed that it never becomes one is answered by the server in plain text;
here it is a problem like every other refusal. Given to uvicorn as `http=ProblemProtocol`.
"""

import json
from typing import cast
from uuid import uuid4

import structlog
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.http.record import record_of
from app.problems import problem_document
from app.refusals.invalid import invalid_input
from app.refusals.models import PROBLEM_MEDIA_TYPE

log = structlog.get_logger(__name__)

LAST_WORDS_S = 1.0
"""That clients have to read the end of a stream, when the service stops."""


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which refuses what is no HTTP with `invalid_input` (400)."""

    def send_400_response(self, msg: str) -> None:
        """Answer, and close the connection: what follows on it can't be told apart."""
        request_id = str(uuid4())
        log.info("malformed_http", request_id=request_id)
        refusal = invalid_input([], detail=msg, status=400)
        document = problem_document(refusal, instance="/", request_id=request_id)
        body = json.dumps(document, separators=(",", ":")).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "cache-control: no-store\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def shutdown(self) -> None:
        """Let what is being answered end, but for streams: they are cut off where they don't.

        A client that does not read would hold the server up, and loses nothing that it can't ask
        for again: a stream goes on from where it ended.
        """
        super().shutdown()
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and record_of(cast("Scope", cycle.scope)).is_stream:
            self.loop.call_later(LAST_WORDS_S, self.transport.abort)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: an upgrade may be ignored (RFC 9110 §7.8), and nobody shall fill the log."""
